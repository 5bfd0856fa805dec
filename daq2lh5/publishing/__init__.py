"""Atomic output: all files of a conversion are published, or none.

The page "Output files" of the documentation has the promises.
"""

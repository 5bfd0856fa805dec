"""Atomic output: temporary files that are published together, or not at all.

The page "Output files" of the documentation has the promises.
"""

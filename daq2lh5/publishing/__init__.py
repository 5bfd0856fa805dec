"""Atomic output: temporary files that are published together, or not at all.

What is promised to the user stands in the documentation ("Output files").
"""

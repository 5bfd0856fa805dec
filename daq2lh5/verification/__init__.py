"""Verification of outputs: the structure, and the values by decoding again."""

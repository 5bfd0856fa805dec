"""Bytes of input files, pipes and standard input, compressed or not."""

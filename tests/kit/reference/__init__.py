"""Slow readers in plain Python, made from the format descriptions alone."""

"""Slow control, and what ORCA records of itself."""

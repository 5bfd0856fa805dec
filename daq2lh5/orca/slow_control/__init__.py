"""Slow control, scripts and histograms: the rare records of ORCA files."""

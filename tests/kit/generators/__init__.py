"""Inputs by name: runs, streams, LGDOs and settings that several tests use."""

"""Outputs verified: their structure, and their values by decoding again."""

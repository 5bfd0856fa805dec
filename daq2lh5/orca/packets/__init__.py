"""ORCA packets: search, checks, and access by number."""

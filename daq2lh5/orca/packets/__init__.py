"""ORCA packets: found, checked, and read by number."""

"""Digitizers in VME crates and on the desktop, read out by ORCA."""

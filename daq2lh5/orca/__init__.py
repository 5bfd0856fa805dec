"""ORCA: files of packets, described by a property list at their start."""

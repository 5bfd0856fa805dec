"""Resources of the machine: threads, memory, paths."""

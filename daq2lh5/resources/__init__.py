"""What the machine gives: threads, memory, paths."""

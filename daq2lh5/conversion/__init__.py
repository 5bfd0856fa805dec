"""One conversion: its arguments, its targets, and the loop over chunks."""

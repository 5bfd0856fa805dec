"""Tables of the output: declarations, specifications, and rows in memory."""

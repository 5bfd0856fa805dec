"""The tables of the output: declared, described by specifications, and held in memory."""

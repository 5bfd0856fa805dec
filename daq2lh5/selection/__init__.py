"""Selection: the buffers that the specification gives the rows of a stream."""

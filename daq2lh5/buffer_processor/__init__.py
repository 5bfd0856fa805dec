"""Processing of buffers and of files converted before: the public functions."""

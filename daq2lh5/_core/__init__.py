"""C code that the kernels of all formats share."""

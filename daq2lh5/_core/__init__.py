"""What the kernels of all formats share at the C level."""

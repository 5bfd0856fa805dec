"""LH5 objects written as HDF5 objects, fast."""

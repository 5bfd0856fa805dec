"""Writing: rows to HDF5 chunks, filters and codecs in several threads, LH5 files."""

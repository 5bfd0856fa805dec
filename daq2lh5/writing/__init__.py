"""Parts of :mod:`daq2lh5.writing.lh5_writer`: how LH5 objects become HDF5 objects, fast."""

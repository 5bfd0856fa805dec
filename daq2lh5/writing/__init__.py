"""Parts of :mod:`daq2lh5.lh5_writer`: how LH5 objects become HDF5 objects, fast."""

"""Parts of :mod:`daq2lh5.reading.source`: how bytes are read, and decompressed."""

"""Parts of :mod:`daq2lh5.source`: how bytes are read, and decompressed."""

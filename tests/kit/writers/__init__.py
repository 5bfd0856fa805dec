"""Writers of synthetic DAQ streams, made from the format descriptions alone."""

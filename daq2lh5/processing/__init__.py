"""Processing of rows on their way to the file: windows, presummed waveforms, dspeed."""

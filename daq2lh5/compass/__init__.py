"""CAEN CoMPASS: binary list-mode files, with or without waveforms."""

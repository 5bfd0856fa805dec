"""Rows made into the bytes that a file stores: chunks, deflate, waveform codecs."""

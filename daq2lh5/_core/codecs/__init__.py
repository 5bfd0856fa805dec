"""Encoding of rows for the file: chunks, deflate, waveform codecs."""

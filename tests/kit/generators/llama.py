"""llamaDAQ channels of several kinds."""

from __future__ import annotations

from kit.writers.llama import Channel

VARIED = [
    Channel(),
    Channel(channel=4),
    Channel(fadc=1, channel=3, format_bits=15, sample_freq=125.0),
    Channel(fadc=2, channel=0, format_bits=0, avg_sample_length=0),
    Channel(fadc=2, channel=1, format_bits=5, sample_length=0, avg_mode=3),
    Channel(fadc=255, channel=15, format_bits=8, sample_length=2, avg_sample_length=0),
]
"""Six channels of five kinds."""

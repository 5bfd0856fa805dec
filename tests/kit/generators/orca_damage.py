"""ORCA files to damage."""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

from kit.generators.orca import (
    CONFIG,
    EVENT,
    EVENT_HEADER,
    LISTENER,
    NEW_WAVEFORM,
    OLD_WAVEFORM,
    STATUS,
)
from kit.writers import examples
from kit.writers import orca as writer

SOURCES: dict[str, dict[str, Any]] = {
    **examples.ORCA,
    "fsp": {
        "kinds": "fcio",
        "n_events": 60,
        "n_channels": 4,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 7},
        "heartbeat_every": 20,
    },
    "headers": {
        "kinds": "fcio",
        "n_events": 80,
        "n_channels": 5,
        "fcio_options": {"kind": "header", "deadtime": True},
    },
    "sub-runs": {
        "kinds": ("flashcam", "fcio", "unknown"),
        "n_events": 12,
        "n_channels": 2,
        "subruns": 1,
    },
}


@cache
def make(name: str) -> tuple[bytes, list[writer.Packet]]:
    return writer.make_indexed_stream(**({"n_samples": 40} | SOURCES[name]))


def struck_at(data: bytes, offset: int, word: int) -> bytes:
    """Overwrite a word."""
    return data[:offset] + struct.pack("<I", word) + data[offset + 4 :]


NOT_LOST_ALONE = (
    *(CONFIG, EVENT, EVENT_HEADER, STATUS),
    *(LISTENER, OLD_WAVEFORM, NEW_WAVEFORM),
)
"""Packets that are kept wherever they are, the first of each configuration."""


class Sample:
    """An undamaged file, and its packets."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.data, self.index = make(name)
        self.head = self.index[0].length
        contents = [
            (p.kind, self.data[p.offset : p.offset + p.length]) for p in self.index
        ]
        self.packets = {content for _, content in contents}
        self.events_and_configurations = {
            (kind, content) for kind, content in contents if kind in NOT_LOST_ALONE
        }


@cache
def sample(name: str) -> Sample:
    return Sample(name)


ID = writer.DATA_IDS
DAMAGES: dict[str, tuple[int, int]] = {
    "zero": (0, 0),
    "zeroed length": (0, -1),
    "all ones": (0, 0xFFFFFFFF),
    "bad id of the largest length": (0, 0x7FFFFFFF),
    "bad id": (0, 0x1F00 << 18 | 4),
    "bad short id": (0, 0xFBFFFFFF),
    "largest length": (0, -2),
    "second word zero": (4, 0),
    "second word one": (4, 1),
    "second word two": (4, 2),
    "second word of all ones": (4, 0xFFFFFFFF),
    "second word of 2**31": (4, 0x80000000),
    "third word of all ones": (8, 0xFFFFFFFF),
    "fourth word of all ones": (12, 0xFFFFFFFF),
    "fourth word zero": (12, 0),
}
"""Where in a packet is what; -1 and -2 for the packet's own id with another length."""


def damaged(data: bytes, packet: writer.Packet, name: str) -> bytes:
    at, word = DAMAGES[name]
    if word < 0:
        (old,) = struct.unpack_from("<I", data, packet.offset)
        word = old & 0xFFFC0000 | (0 if word == -1 else 0x3FFFF)
    return struck_at(data, packet.offset + at, word)

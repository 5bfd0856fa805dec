"""A run of eight channels on two cards, and what a specification selects of it."""

from __future__ import annotations

import copy
from typing import Any

import daq2lh5
from daq2lh5.raw_buffer import (
    RawBuffer,
    RawBufferLibrary,
)

N_EVENTS = 4
RUN = {"n_events": N_EVENTS, "n_channels": 8, "n_samples": 6, "status_every": 2}
"""For the writer: a run with all kinds of tables that a default file has."""

KEYS = [1027200, 1027201, 1027202, 1027203, 1027204, 1027205, 1028800, 1028801]
"""Keys of the traces of a run with eight channels on two cards."""

CARDS = ["fcid_1/status/card0", "fcid_1/status/card8192", "fcid_1/status/card8193"]
"""Keys of its status rows."""


def opened(path: str, config: dict, **keywords: Any) -> dict[str, list[RawBuffer]]:
    """Open a run with a specification; return the buffers by decoder."""
    library = RawBufferLibrary(config=copy.deepcopy(config), kw_dict=keywords)
    with daq2lh5.open_stream(path, rb_lib=library) as (streamer, _):
        return dict(streamer.rb_lib)


def places(rbs: list[RawBuffer]) -> dict[str, list]:
    """Return the keys by name of the buffer."""
    assert len({rb.out_name for rb in rbs}) == len(rbs)
    return {rb.out_name: rb.key_list for rb in rbs}

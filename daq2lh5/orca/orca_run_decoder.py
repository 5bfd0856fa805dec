"""Decoder of run records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .columns import RUN
from .slow_control.record_decoder import RecordDecoder
from .slow_control.record_shape import Shape

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ORRunDecoderForRun"]

FLAGS = (
    "runstartorstop",
    "quickstartrun",
    "remotecontrolrun",
    "heartbeatrecord",
    "endsubrunrecord",
    "startsubrunrecord",
)
"""Columns of the lowest bits of word 1, from bit 0 on."""


class ORRunDecoderForRun(RecordDecoder):
    """Decode run records: start, stop and sub-runs, and a heartbeat every 30 s.

    A packet is :ref:`wire-orca_run` (ORCA format, 4.2).
    """

    table = RUN
    shape = Shape(4, time=3, clear=0xFFC0)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        word = int(w[1])
        flags = {name: bool(word >> bit & 1) for bit, name in enumerate(FLAGS)}
        run_number, time = w[2:4].view("int32").tolist()
        return {
            "subrun_number": word >> 16,
            "run_number": run_number,
            "time": time,
        } | flags

"""Decoder of run records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .columns import RUN
from .orca_base import OrcaDecoder

if TYPE_CHECKING:
    from ..raw_buffer import RawBuffer
    from .orca_packet import OrcaPacket

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


class ORRunDecoderForRun(OrcaDecoder):
    """Decode run records: start, stop and sub-runs, and a heartbeat every 30 s.

    ::

        word 1    number of the sub-run (upper half), flags (bits 0 to 5)
        word 2    number of the run; of a heartbeat: seconds until the next
        word 3    time, seconds since 1970 in UTC

    (ORCA, section 4.2).
    """

    kind = "run"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decoded_values = RUN.decoded_values()

    def get_decoded_values(self, key: int | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the columns."""
        return self.decoded_values

    def decode_packet(
        self,
        packet: OrcaPacket,
        packet_id: int,  # noqa: ARG002  (the table has no column for it)
        rbl: list[RawBuffer],
    ) -> bool:
        """Decode a run record into the next row of the first buffer.

        Parameters
        ----------
        packet
            its words.
        packet_id
            number of the packet.
        rbl
            a list of one buffer.

        Returns
        -------
        full
            whether the buffer is full.

        Raises
        ------
        ValueError
            if the packet has fewer than 4 words.
        """
        if len(packet) < 4:
            msg = f"run record of {len(packet)} words"
            raise ValueError(msg)
        word = int(packet[1])
        values = {name: bool(word >> bit & 1) for bit, name in enumerate(FLAGS)}
        run_number, time = packet[2:4].view("int32").tolist()
        rb = rbl[0]
        rb._append(
            {"subrun_number": word >> 16, "run_number": run_number, "time": time}
            | values
        )
        return rb.is_full()

"""Base classes of decoders of rare records."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from ..orca_base import OrcaDecoder
from ..orca_packet import as_long
from .record_shape import Shape

if TYPE_CHECKING:
    import numpy as np

    from ...buffers.declaration import Table
    from ...raw_buffer import RawBuffer
    from ..orca_header import OrcaHeader
    from ..orca_packet import OrcaPacket

__all__ = [
    "OneValueDecoder",
    "RecordDecoder",
    "TimedValuesDecoder",
    "device",
    "enough",
    "floats",
    "place",
    "timed_values",
]


def enough(words: np.ndarray, n: int) -> None:
    """Raise an error for a packet of fewer than `n` words.

    Raises
    ------
    ValueError
        if the packet has fewer words.
    """
    if len(words) < n:
        msg = f"record of {len(words)} words, expected at least {n}"
        raise ValueError(msg)


def place(word: int) -> dict[str, int]:
    """Return crate, card and channel from their word."""
    return {
        "crate": word >> 21 & 0xF,
        "card": word >> 16 & 0x1F,
        "channel": word >> 8 & 0xFF,
    }


def floats(w: np.ndarray) -> np.ndarray:
    """Return words as floating-point numbers."""
    return w.view("float32")


def device(w: np.ndarray, time: int = 2) -> dict[str, Any]:
    """Return the number of the device, and the time in word `time`."""
    return {"id": int(w[1]) & 0xFFFF, "time": w[time]}


def timed_values(n: int) -> Shape:
    """Return the shape of records of `n` values, each followed by its time."""
    return Shape(2 + 2 * n, time=3, n_times=n)


class RecordDecoder(OrcaDecoder):
    """Base class of decoders of records with one row each and no keys.

    Attributes
    ----------
    table
        its table, with the columns.
    shape
        possible lengths of the records.
    """

    table: ClassVar[Table]
    shape: ClassVar[Shape]

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        self.decoded_values = self.table.decoded_values()
        super().__init__(header=header, **kwargs)

    def get_decoded_values(self, key: int | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the columns."""
        return self.decoded_values

    def text_words(self, w: np.ndarray) -> slice:  # noqa: ARG002  (most have none)
        """Return the words of a record that contain text, which has no byte order."""
        return slice(0)

    @abstractmethod
    def read(self, w: np.ndarray) -> dict[str, Any] | None:
        """Return the columns of a record without its number; None without a row.

        Parameters
        ----------
        w
            at least `shape.least` words, numbered as in a long packet.

        Raises
        ------
        ValueError
            if the contents are impossible.
        """

    def decode_packet(
        self, packet: OrcaPacket, packet_id: int, rbl: list[RawBuffer]
    ) -> bool:
        """Decode a record into the next row of the first buffer.

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
            if the packet has too few words or impossible contents.
        """
        words = as_long(packet)
        enough(words, self.shape.least)
        values = self.read(words)
        if values is not None:
            rbl[0].append({"packet_id": packet_id} | values)
        return rbl[0].is_full()


class OneValueDecoder(RecordDecoder):
    """A decoder of records of one value: device, value, time."""

    shape = Shape(4, time=3)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return device(w, 3) | {self.table.columns[-1].name: floats(w)[2]}


class TimedValuesDecoder(RecordDecoder):
    """A decoder of records of several values, each followed by its time."""

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        pairs = w[2 : self.shape.least]
        return {
            "id": int(w[1]) & 0xFFFF,
            "time": pairs[1::2],
            self.table.columns[-1].name: floats(pairs)[::2],
        }

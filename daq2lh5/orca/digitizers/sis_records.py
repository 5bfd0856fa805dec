"""Decoders of the other records of Struck digitizers: lost data, spectra, statistics.

ORCA format, 4.5 and 4.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..slow_control import columns as tables
from ..slow_control.record_decoder import RecordDecoder, place
from ..slow_control.record_shape import ANY_WORD, Shape

if TYPE_CHECKING:
    from ..orca_header import OrcaHeader

__all__ = [
    "ORSIS3302DecoderForLostData",
    "ORSIS3302DecoderForMca",
    "ORSIS3302GenericDecoderForWaveform",
    "ORSIS3316HistogramDecoder",
    "ORSIS3316StatisticsDecoder",
]

MAX_PIECES_WORDS = 1 << 24
"""Words that unfinished traces may have, all channels together."""


class ORSIS3302DecoderForLostData(RecordDecoder):
    """Decode how many records a SIS3302 lost, and resets."""

    table = tables.SIS3302_LOST_DATA
    shape = Shape(3, clear=0xFE)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        kind = int(w[1]) & 0xFF
        return place(int(w[1])) | {
            "type": kind,
            "lost_records": w[2] if kind == 0 else 0,
            "channel_mask": w[2] >> 16 if kind == 1 else 0,
        }


class ORSIS3302DecoderForMca(RecordDecoder):
    """Decode spectra of SIS3302 cards."""

    table = tables.SIS3302_MCA
    shape = Shape(2, step=1)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return place(int(w[1])) | {"counts": w[2:]}


class ORSIS3302GenericDecoderForWaveform(RecordDecoder):
    """Decode long traces of SIS3302 cards, which come in pieces.

    A trace becomes a row with its last piece. Traces that end early, at another trace
    of the channel, a header or the end of the file, are counted as incomplete.
    """

    table = tables.SIS3302_WAVEFORM
    shape = Shape(4, step=1, count=(3, 0, ANY_WORD), is_part=True)

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        # by channel: tag and words of the whole trace, and the pieces so far
        self._pieces: dict[int, tuple[tuple[int, int], list[np.ndarray]]] = {}
        self._n_held = 0
        super().__init__(header=header, **kwargs)

    def set_header(self, header: OrcaHeader) -> None:
        """Set another header, and drop pieces from before it."""
        super().set_header(header)
        self.end_stream()

    def end_stream(self) -> None:
        """Count the traces with missing pieces, and drop them."""
        self.n_incomplete += len(self._pieces)
        self._pieces = {}
        self._n_held = 0

    def read(self, w: np.ndarray) -> dict[str, Any] | None:  # noqa: D102
        where, tag, total = (int(word) for word in w[1:4])
        # the lowest 8 bits and the highest 7 are not part of the place
        key = where & 0x1FFFF00
        before, pieces = self._pieces.pop(key, ((tag, total), []))
        n_held = sum(map(len, pieces))
        self._n_held -= n_held
        if before != (tag, total):
            self.n_incomplete += 1
            pieces, n_held = [], 0
        n_held += len(w) - 4
        if n_held > total or self._n_held + n_held > MAX_PIECES_WORDS:
            msg = f"pieces with {n_held} words, expected at most {total} in the trace"
            raise ValueError(msg)
        pieces = [*pieces, w[4:]]
        if n_held < total:
            self._pieces[key] = (tag, total), pieces
            self._n_held += n_held
            return None
        return place(where) | {"tag": tag, "words": np.concatenate(pieces)}


class ORSIS3316HistogramDecoder(RecordDecoder):
    """Decode spectra of SIS3316 cards."""

    table = tables.SIS3316_HISTOGRAM
    shape = Shape(10, step=1)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return place(int(w[1])) | {"counts": w[10:]}


class ORSIS3316StatisticsDecoder(RecordDecoder):
    """Decode the counters of SIS3316 cards: six for each of 16 channels."""

    table = tables.SIS3316_STATISTICS
    shape = Shape(106)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        where = place(int(w[1]))
        counters = w[10:106].reshape(16, 6).T
        names = [column.name for column in self.table.columns[-6:]]
        return {
            "crate": where["crate"],
            "card": where["card"],
            **dict(zip(names, counters, strict=True)),
        }

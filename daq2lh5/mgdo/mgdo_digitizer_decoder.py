"""Decoder of digitizer data and waveforms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data_decoder import DataDecoder
from ..writing.codecs import ULEB128
from .columns import DIGITIZER_DATA, FIELDS, PRESUMMED, WAVEFORM, WINDOWED

if TYPE_CHECKING:
    from ..buffers.declaration import Column

__all__ = ["GETGERDADigitizerDataDecoder"]

DEFAULT_LAYOUT = (True, 0, 0), ("uint16", "uint16")

DigitizerLayout = tuple[tuple[bool, int, int], tuple[str, str]]
"""Layout of rows: auxiliary waveforms, both numbers of samples; both types."""


class GETGERDADigitizerDataDecoder(DataDecoder):
    """Decode the entries of the tree: a row for each waveform.

    An entry is an ``MGTEvent`` with arrays of ``MGTWaveform``,
    ``GETGERDADigitizerData`` and again ``MGTWaveform`` (MGDO format, 3 and 4). The
    objects of the same index make a row.

    Attributes
    ----------
    decoded_values
        columns of its table.
    key_list
        channels of the file.
    skipped_channels
        number of unselected rows by channel.
    """

    table = DIGITIZER_DATA
    codec_of_input = ULEB128

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key_list: list[int | str] = []
        self.skipped_channels: dict[int, int] = {}
        self.set_layout(DEFAULT_LAYOUT)

    def set_layout(self, layout: DigitizerLayout) -> None:
        """Set the waveform columns of further tables."""
        (use_aux, n, n_aux), (dtype, aux_dtype) = layout
        columns: list[tuple[Column, int, str]] = [(WAVEFORM, n, dtype)]
        if use_aux:
            columns = [(PRESUMMED, n, dtype), (WINDOWED, n_aux, aux_dtype)]
        self.decoded_values: dict[str, dict[str, Any]] = FIELDS.decoded_values()
        for column, samples, kind in columns:
            # each row has its own period
            lengths = {"wf_len": samples, "dtype": kind, "dt": np.float64(0)}
            self.decoded_values[column.name] = column.decoded_value() | lengths

    def get_key_lists(self) -> list[list[int | str]]:
        """Return all channels in one list: they can share a buffer."""
        return [list(self.key_list)]

    def get_decoded_values(self, key: int | str | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the columns, which are the same for all channels."""
        return self.decoded_values

    def get_max_rows_in_packet(self) -> int:
        """Return the number of channels of the file."""
        return max(len(self.key_list), 1)

"""Decoder of CoMPASS records."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

from ..data_decoder import DataDecoder
from ..errors import DecodeError
from ._kernel import CompassKernel
from .columns import EVENT
from .compass_config_parser import number_of
from .layouts import CompassLayout

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lgdo
    import numpy as np

    from ..raw_buffer import RawBuffer
    from .compass_config_parser import Settings

__all__ = ["CompassEventDecoder", "compass_decoded_values", "get_bc"]

compass_decoded_values = EVENT.decoded_values()
"""Columns of the table ``CompassEvent``."""


def get_bc(board: int, channel: int) -> int:
    """Return the key of a channel; a board has up to 512 channels."""
    return int(board) << 9 | (int(channel) & 0x1FF)


def _value(leaf: Any) -> Any:
    """Return the value of an LGDO scalar; other values unchanged."""
    return getattr(leaf, "value", leaf)


def _length(leaf: Any) -> int | None:
    """Return a number of samples; None if unknown or invalid."""
    value = float(_value(leaf))
    return round(value) if math.isfinite(value) and value >= 0 else None


class CompassEventDecoder(DataDecoder):
    """Decode records: one row for each.

    A record is :ref:`wire-compass_head` and samples of 16 bits (CoMPASS format, 2). The
    header of the file defines the fields of a record.

    Parameters
    ----------
    header
        header of the file, see :class:`.CompassHeaderDecoder`.

    Attributes
    ----------
    header
        the header.
    decoded_values
        columns of the tables by key, see :func:`get_bc`.
    skipped_channels
        number of unselected records by key.
    period_ns
        sampling period of boards without one in settings and header.
    """

    table = EVENT

    def __init__(
        self,
        header: lgdo.Struct | Mapping[str, Any] | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self.decoded_values: dict[int, dict[str, Any]] = {}
        super().__init__(*args, **kwargs)
        self.skipped_channels: dict[int, int] = {}
        self.header: lgdo.Struct | Mapping[str, Any] | None = None
        self._settings: Settings | None = None
        self.period_ns = math.nan
        self._kernels: dict[CompassLayout, CompassKernel] = {}
        self._lengths: dict[int, int | None] = {}
        # columns by number of samples and period
        self._columns: dict[tuple[int | None, str], dict[str, Any]] = {}
        if header is not None:
            self.set_header(header)

    # ---- channels ------------------------------------------------------------------

    def set_header(
        self,
        header: lgdo.Struct | Mapping[str, Any],
        settings: Settings | None = None,
    ) -> None:
        """Set channels, their numbers of samples and periods from a header.

        Parameters
        ----------
        header
            see :class:`.CompassHeaderDecoder`.
        settings
            settings of the run; used for times of samples instead of the header.
        """
        self.header = header
        self._settings = settings
        self._kernels = {}
        self.decoded_values = {}
        self._lengths = {}
        self._columns = {}
        has_waveforms = _value(header["waveform_samples"]) == 1
        for board in header["boards"]:
            content = header["boards"][board]
            n_samples = _length(content["wf_len"]) if has_waveforms else 0
            for channel in content["channels"]:
                self.set_samples(get_bc(int(board), int(channel)), n_samples or 0)

    def set_samples(self, key: int, n_samples: int | None) -> None:
        """Set the number of samples of a channel's waveforms.

        Parameters
        ----------
        key
            key of the channel.
        n_samples
            None for several lengths; 0 without waveforms.
        """
        self._lengths[key] = n_samples
        dt, _ = self.times_of(key)
        # (NaN is not equal to itself)
        kind = n_samples, str(dt)
        if kind not in self._columns:
            values = copy.deepcopy(compass_decoded_values)
            if self.extra_columns:
                extra = {c.name: c.decoded_value() for c in EVENT.columns if c.extra}
                values |= extra
            if n_samples == 0:
                values.pop("waveform", None)
            elif "waveform" in values:
                values["waveform"] |= {"wf_len": n_samples, "dt": dt}
            self._columns[kind] = values
        self.decoded_values[key] = self._columns[kind]

    def expect_waveforms(self) -> None:
        """Add a waveform column to tables whose waveform length is unknown."""
        for key, values in self.decoded_values.items():
            column = copy.deepcopy(compass_decoded_values.get("waveform"))
            if "waveform" not in values and column is not None:
                column |= {"wf_len": 0, "dt": self.times_of(key)[0]}
                self.decoded_values[key] = values | {"waveform": column}

    def n_samples(self, key: int) -> int | None:
        """Return the number of samples of a channel's waveforms, see `set_samples`."""
        return self._lengths.get(key)

    def times_of(self, key: int) -> tuple[float, float]:
        """Return sampling period and time of the first sample of a channel, in ns."""
        board, channel = key >> 9, key & 0x1FF
        period = self.known_period(board)
        return (self.period_ns if math.isnan(period) else period), self._t0(
            board, channel
        )

    def known_period(self, board: int) -> float:
        """Return a board's period from settings or header in ns; NaN if unknown."""
        if self._settings is not None:
            boards = self._settings.boards
            return boards[board].period_ns if board < len(boards) else math.nan
        boards = self.header["boards"] if self.header is not None else {}
        if str(board) not in boards:
            return math.nan
        rate = float(_value(boards[str(board)]["sample_rate"]))
        return 1 / rate if rate > 0 else math.nan

    def _t0(self, board: int, channel: int) -> float:
        if self._settings is not None:
            boards = self._settings.boards
            return boards[board].t0_ns(channel) if board < len(boards) else 0.0
        boards = self.header["boards"] if self.header is not None else {}
        content = boards.get(str(board), {})
        own = content.get("channels", {}).get(str(channel))
        if not hasattr(own, "keys") or "SRV_PARAM_CH_PRETRG" not in own:
            return 0.0
        return 0.0 - number_of(_value(own["SRV_PARAM_CH_PRETRG"]))

    def get_key_lists(self) -> list[list[int]]:
        """Return the keys of the channels, grouped by number of samples."""
        lists: dict[int | None, list[int]] = {}
        for key in self.decoded_values:
            lists.setdefault(self.n_samples(key), []).append(key)
        singles = [keys for keys in lists.values() if len(keys) == 1]
        taken = {keys[0] for keys in singles}
        # tables are named by the key of a single channel, or by the number of the list:
        # these must differ
        longer = [keys for keys in lists.values() if len(keys) > 1]
        ordered = []
        for number in range(len(lists)):
            use_single = not longer or (number in taken and singles)
            ordered.append((singles if use_single else longer).pop(0))
        return ordered

    def get_decoded_values(self, key: int | None = None) -> dict[str, Any]:
        """Return the columns of a channel's table, by default of the first channel."""
        if key is None or key not in self.decoded_values:
            first = next(iter(self.decoded_values.values()), None)
            return compass_decoded_values if first is None else first
        return self.decoded_values[key]

    # ---- single records ------------------------------------------------------------

    def decode_packet(
        self,
        packet: bytes | np.ndarray,
        evt_rbkd: dict[int, RawBuffer] | RawBuffer,
        packet_id: int,
        header: lgdo.Struct | Mapping[str, Any],
    ) -> bool:
        """Decode one record.

        Parameters
        ----------
        packet
            bytes of the record.
        evt_rbkd
            buffers by key, or one buffer for all.
        packet_id
            number of the record.
        header
            header of the file.

        Returns
        -------
        full
            whether the buffer is full.

        Raises
        ------
        DecodeError
            (a RuntimeError) if the bytes are not a record of such a file, or do not fit
            the buffer.
        """
        data = bytes(packet)
        if len(data) < 16:
            msg = f"record {packet_id} has only {len(data)} bytes, expected at least 16"
            raise DecodeError(msg)
        key = get_bc(
            int.from_bytes(data[:2], "little"), int.from_bytes(data[2:4], "little")
        )
        buffer = evt_rbkd.get(key) if hasattr(evt_rbkd, "get") else evt_rbkd
        if buffer is None:
            self.skipped_channels[key] = self.skipped_channels.get(key, 0) + 1
            return False
        layout = _layout_of(header, data)
        if layout not in self._kernels:
            self._kernels[layout] = CompassKernel(layout)
        kernel = self._kernels[layout]
        kernel.set_channel(key >> 9, key & 0x1FF, None, *self.times_of(key))
        kernel.packet_id = packet_id - 1
        status = kernel.take(data, buffer)
        if status == CompassKernel.WIDTH:
            problem = f"its {kernel.detail_samples} samples do not fit the buffer"
        elif status == CompassKernel.FULL:
            problem = "the buffer is full"
        elif status != CompassKernel.LIMIT:
            problem = "its bytes are not a record of a file with this header"
        else:
            return bool(buffer.is_full())
        msg = f"record {packet_id}: {problem}"
        raise DecodeError(msg)


def _layout_of(header: lgdo.Struct | Mapping[str, Any], packet: bytes) -> CompassLayout:
    """Return the layout that a header defines.

    Without a header word the length of the record determines the version.
    """
    bits = 0
    for i, name in enumerate(
        ("energy_channels", "energy_calibrated", "energy_short", "waveform_samples")
    ):
        bits |= int(_value(header[name]) == 1) << i
    layout = CompassLayout.from_bits(2, bits)
    if _value(header["header_present"]) == 1:
        return layout
    for version in (2, 1, 0):
        tried = CompassLayout.from_bits(version, bits)
        head = tried.head_bytes
        count = packet[head - 4 : head] if tried.has_count else b""
        if len(packet) == head + 2 * int.from_bytes(count, "little"):
            return tried
    return layout

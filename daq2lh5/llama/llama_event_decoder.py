"""Decoder of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data_decoder import DataDecoder
from ._kernel import LlamaKernel
from .columns import ALWAYS, LLAMA_EVENT, columns_of
from .layouts import BLOCK_WORDS, NEW

if TYPE_CHECKING:
    from ..raw_buffer import RawBuffer
    from .layouts import HeaderLayout
    from .llama_header_decoder import LLAMA_Channel_Configs_t

__all__ = [
    "LLAMAEventDecoder",
    "check_dict_spec_equal",
    "llama_decoded_values_template",
]

llama_decoded_values_template = {c.name: c.decoded_value() for c in ALWAYS}
"""Columns of all channels."""

ONE_TABLE = ("sample_length", "avg_sample_length", "avg_mode", "format_bits")
"""Fields with equal values for all channels of a table."""

ONE_OLD_TABLE = ("sample_length", "sample_freq", "format_bits")
"""The same for files of 2019 (llamaDAQ format, 8.7)."""


def check_dict_spec_equal(
    d1: dict[str, Any], d2: dict[str, Any], specs: list[str]
) -> bool:
    """Whether two dictionaries have the same values for the keys in `specs`."""
    return all(d1.get(spec) == d2.get(spec) for spec in specs)


class LLAMAEventDecoder(DataDecoder):
    """Decode events: one row for each.

    An event (llamaDAQ format, 2) is :ref:`wire-sis3316_event`, then the blocks of the
    format bits (:ref:`wire-sis3316_peak`, :ref:`wire-sis3316_accumulators`,
    :ref:`wire-sis3316_maw`, :ref:`wire-sis3316_energies`), then
    :ref:`wire-sis3316_status`, optionally :ref:`wire-sis3316_average`, and samples of
    16 bits: raw, then averaged. In files of 2019 ("LArU") the order of the events
    determines the key, and averaged samples are missing (format 8).

    Attributes
    ----------
    channel_configs
        fields of the configurations by key and name; None at first.
    layout
        layout of their header, see :class:`.LLAMAHeaderDecoder`.
    global_configs
        ``initial_timestamp`` and ``initial_timestamp_accuracy`` of the file, in s.
    decoded_values
        columns by key of the channel.
    skipped_channels
        number of unselected events by key.
    dt_raw, t0_raw, t0_avg_const
        by key, in ns: sampling period, time of the first raw sample, and time of the
        first averaged sample without the counter of the event. The trigger is at 0.
    """

    table = LLAMA_EVENT

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.decoded_values: dict[int, dict[str, Any]] = {}
        self.skipped_channels: dict[int, int] = {}
        self.channel_configs: LLAMA_Channel_Configs_t | None = None
        self.global_configs: dict[str, Any] = {}
        self.dt_raw: dict[int, float] = {}
        self.t0_raw: dict[int, float] = {}
        self.t0_avg_const: dict[int, float] = {}
        self.layout: HeaderLayout = NEW
        self._stream = LlamaKernel()

    def set_channel_configs(self, channel_configs: LLAMA_Channel_Configs_t) -> None:
        """Set columns, times and lengths from the header of a file.

        For files of 2019, set `layout` first.

        Parameters
        ----------
        channel_configs
            the checked ones of :class:`.LLAMAHeaderDecoder`.
        """
        layout = self.layout
        self.channel_configs = channel_configs
        self.decoded_values = {}
        self.dt_raw, self.t0_raw, self.t0_avg_const = {}, {}, {}
        channels = {}
        for key, fields in channel_configs.items():
            config = {name: int(fields[name]) for name in fields if name != "gain"}
            # operations in the order of format 2.1
            dt_raw = np.float64(1 / fields["sample_freq"] * 1000)
            dt_averaged = np.float64(dt_raw * 2 ** (config["avg_mode"] + 1))
            t0_raw = t0_averaged = 0.0
            if not layout.in_chunks:
                pretrigger = config["sample_pretrigger"]
                t0_raw = (config["sample_start_index"] - pretrigger) * dt_raw
                t0_averaged = (
                    -pretrigger * dt_raw - config["avg_sample_pretrigger"] * dt_averaged
                )
            channels[key] = {
                "words": config["event_length"],
                "raw_words": config["sample_length"] // 2,
                "averaged_words": (
                    config["avg_sample_length"] // 2 if config["avg_mode"] else 0
                ),
                "format_bits": config["format_bits"],
                "dt_raw": dt_raw,
                "dt_averaged": dt_averaged,
                "t0_raw": t0_raw,
                "t0_averaged": t0_averaged,
            }
            self._set_columns(key, channels[key])
        self._stream.set_channels(channels)
        if layout.in_chunks:
            self._stream.set_chunks(layout.counted)

    def add_channel(
        self, key: int, format_bits: int, raw_words: int, averaged_words: int
    ) -> None:
        """Add a channel without a configuration; its times are unknown.

        Parameters
        ----------
        key
            key of the channel.
        format_bits, raw_words, averaged_words
            format bits and numbers of 32-bit words of its first event.
        """
        blocks = sum(n * (format_bits >> b & 1) for b, n in enumerate(BLOCK_WORDS))
        words = 3 + blocks + raw_words + averaged_words + (averaged_words > 0)
        channel = {
            "words": words,
            "raw_words": raw_words,
            "averaged_words": averaged_words,
            "format_bits": format_bits,
            **dict.fromkeys(("dt_raw", "dt_averaged", "t0_raw", "t0_averaged"), np.nan),
        }
        self._set_columns(key, channel)
        self._stream.add_channel(key, channel, False)

    def _set_columns(self, key: int, channel: dict[str, Any]) -> None:
        """Set columns and times of a channel from the contents of its events."""
        raw, averaged = 2 * channel["raw_words"], 2 * channel["averaged_words"]
        self.dt_raw[key] = channel["dt_raw"]
        self.t0_raw[key] = channel["t0_raw"]
        self.t0_avg_const[key] = channel["t0_averaged"]
        columns = columns_of(channel["format_bits"], raw > 0, averaged > 0)
        values = {c.name: c.decoded_value() for c in columns}
        for name, samples, period in (
            ("waveform_windowed", raw, channel["dt_raw"]),
            ("waveform_presummed", averaged, channel["dt_averaged"]),
        ):
            if samples:
                values[name] |= {"wf_len": samples, "dt": period}
        self.decoded_values[key] = values

    def set_global_configs(self, global_configs: dict[str, Any]) -> None:
        """Set the time of the start, and its accuracy.

        Parameters
        ----------
        global_configs
            see :class:`.LLAMAHeaderDecoder`.
        """
        self.global_configs = global_configs
        self._stream.set_start(
            global_configs["initial_timestamp"],
            global_configs["initial_timestamp_accuracy"],
        )

    def get_key_lists(self) -> list[list[int | str]]:
        """Return the keys, grouped by columns and averaging.

        Raises
        ------
        RuntimeError
            before a header is read.
        """
        if self.channel_configs is None:
            msg = "LLAMAEventDecoder: call set_channel_configs first"
            raise RuntimeError(msg)
        names = ONE_OLD_TABLE if self.layout.in_chunks else ONE_TABLE
        lists: dict[tuple, list[int | str]] = {}
        for key, fields in self.channel_configs.items():
            shared = tuple(fields[name] for name in names)
            lists.setdefault(shared, []).append(key)
        return list(lists.values())

    def get_decoded_values(self, key: int | str | None = None) -> dict[str, Any]:
        """Return the columns of a channel; for unknown keys, those of all channels."""
        return self.decoded_values.get(key, llama_decoded_values_template)

    def layout_of(self, key: int | str) -> tuple | None:
        """Return names and lengths of a channel's columns; None for unknown keys.

        Channels of one table have the same.
        """
        if key not in self.decoded_values:
            return None
        values = self.decoded_values[key]
        return tuple((name, v.get("wf_len")) for name, v in values.items())

    def count_skipped(self) -> None:
        """Add the unselected events since the last call to `skipped_channels`."""
        for key, count in self._stream.skipped_channels().items():
            self.skipped_channels[key] = self.skipped_channels.get(key, 0) + count

    def decode_packet(
        self,
        packet: bytes,
        evt_rbkd: RawBuffer | dict[int, RawBuffer],
        packet_id: int,
        fadc_channel_id: int,
    ) -> bool:
        """Decode an event.

        Parameters
        ----------
        packet
            bytes of the event.
        evt_rbkd
            buffers by key, or one buffer for all.
        packet_id
            number of the event.
        fadc_channel_id
            key of the channel, needed for events of 2019.

        Returns
        -------
        any_full
            whether a buffer is full.

        Raises
        ------
        ValueError
            if the bytes are not a valid event of the file.
        """
        any_full = self._stream.decode_packet(
            packet, evt_rbkd, packet_id, fadc_channel_id
        )
        self.count_skipped()
        return any_full

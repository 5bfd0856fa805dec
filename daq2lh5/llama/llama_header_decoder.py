"""Decoder of file headers and channel configurations.

A file begins with :ref:`wire-llama_header` and :ref:`wire-llama_config` of each channel
(llamaDAQ format, 1.1 and 1.2). In files of 2019 the configurations are
:ref:`wire-llama_config_68`, or :ref:`wire-llama_header_80` and
:ref:`wire-llama_config_80` (format 8.1 and 8.2). The layouts are in `layouts.py`.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data_decoder import DataDecoder
from ..errors import DecodeError
from ..writing.layout import layout_of_values
from .columns import MAX_AVERAGED_SAMPLES, MAX_RAW_SAMPLES
from .layouts import (
    ADVICE,
    BLOCK_WORDS,
    HEADER_BYTES,
    MAGIC,
    MAX_CHANNELS,
    NEW,
    OFFSETS,
    recognize,
)
from .llama_base import join_fadcid_chid

if TYPE_CHECKING:
    import io

    import lgdo

    from ..writing.layout import Layout
    from .layouts import HeaderLayout

log = logging.getLogger(__name__)

__all__ = [
    "LLAMAHeaderDecoder",
    "LLAMA_Channel_Configs_t",
    "parse_filename_for_timestamp",
]

LLAMA_Channel_Configs_t = dict[int, dict[str, Any]]
"""Fields of the configurations by key of the channel, then by name."""

FREQUENCIES = 1e-6, 1e6
"""Limits of the sampling frequency in MHz, so that times are finite."""

MAX_AVG_MODE = 30
"""Largest avg_mode: the samples in an average are a number of 32 bits."""


def parse_filename_for_timestamp(f_in_name: str) -> float:
    """Return the time in a file name, as Unix time.

    It is the last ``YYYYMMDD-hhmmss`` (or with ``T`` instead of ``-``), taken as UTC
    on any machine, with or without a ``Z`` behind it.

    Parameters
    ----------
    f_in_name
        name of the file; directories are ignored.

    Returns
    -------
    time
        in s; 0.0 without a valid date.
    """
    return _time_in_name(f_in_name, dt.timezone.utc)


def _time_in_name(name: str, zone: dt.tzinfo) -> float:
    """Return the time in a name: in `zone`, or with a ``Z`` in UTC (format 2.2)."""
    name = os.path.basename(name)
    match = re.fullmatch(r".*(\d{8})[-T](\d{6})(Z?).*", name, re.ASCII | re.DOTALL)
    if match is None:
        return 0.0
    try:
        when = dt.datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S")
    except ValueError:
        return 0.0
    used = dt.timezone.utc if match[3] else zone
    log.info("%s: the time in its name is taken as %s", name, used)
    return when.replace(tzinfo=used).timestamp()


class LLAMAHeaderDecoder(DataDecoder):
    """Decode the header of a file, with the configurations of its channels.

    See :mod:`.llama_header_decoder` for the bytes.

    Attributes
    ----------
    version_major, version_minor, version_patch
        version of the file.
    length_econf
        bytes of a channel configuration.
    layout
        layout of the header.
    number_chOpen
        number of channels.
    channel_configs
        fields of the configurations by key and name; None before a header is read.
    global_configs
        ``initial_timestamp`` and ``initial_timestamp_accuracy``, in s.
    closed_channels
        keys of the channels whose open flag is not set.
    moved_channels
        keys of the channels whose block offsets contradict the format bits.
    time_zone
        time zone of the time in the file's name if no ``Z`` follows it; UTC by
        default.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.channel_configs: LLAMA_Channel_Configs_t | None = None
        self.global_configs: dict[str, Any] = {}
        self.closed_channels: list[int] = []
        self.moved_channels: list[int] = []
        self.time_zone: dt.tzinfo = dt.timezone.utc
        self.layout: HeaderLayout = NEW
        self._config: lgdo.Struct | None = None

    @staticmethod
    def magic_bytes() -> int:
        """Return the first four bytes of a file as a number."""
        return int.from_bytes(MAGIC, "little")

    @property
    def config(self) -> lgdo.Struct:
        """The header as a struct; empty before one is read."""
        if self._config is None:
            import lgdo  # noqa: PLC0415  (takes a second; conversions do not need it)

            def as_lgdo(value: Any) -> lgdo.LGDO:
                if isinstance(value, dict):
                    return lgdo.Struct({k: as_lgdo(v) for k, v in value.items()})
                return lgdo.Scalar(value)

            self._config = as_lgdo(self._values())
        return self._config

    def _values(self) -> dict[str, Any]:
        """Return the fields of the struct."""
        if self.channel_configs is None:
            return {}
        channels = self.channel_configs.items()
        return {
            "version_major": self.version_major,
            "version_minor": self.version_minor,
            "version_patch": self.version_patch,
            "length_econf": self.length_econf,
            "number_chOpen": self.number_chOpen,
            **self.global_configs,
            **{f"fch_{key:02d}": fields for key, fields in channels},
        }

    def describe_lgdo(self) -> tuple[Layout, list[np.ndarray]]:
        """Return layout and values of the struct for a writer."""
        return layout_of_values(self._values(), {})

    def make_lgdo(
        self,
        key: int | None = None,  # noqa: ARG002
        size: int | None = None,  # noqa: ARG002
    ) -> lgdo.Struct:
        """Return the header as a struct."""
        return self.config

    def get_channel_configs(self) -> LLAMA_Channel_Configs_t:
        """Return the fields of the configurations by key and name."""
        return self.channel_configs

    def get_global_configs(self) -> dict[str, Any]:
        """Return values of the whole file, see `global_configs`."""
        return self.global_configs

    def decode_header(
        self, f_in: io.BufferedReader, f_in_name: str
    ) -> tuple[lgdo.Struct, int]:
        """Decode the header of an open file.

        Parameters
        ----------
        f_in
            the file; it is read from its start to the end of the header.
        f_in_name
            its name, with the time of its start.

        Returns
        -------
        config
            the header as a struct.
        n_bytes
            its length.

        Raises
        ------
        DecodeError
            (a RuntimeError) if the header's version is unknown, or a configuration
            contradicts itself.
        """
        f_in.seek(0)
        head = f_in.read(HEADER_BYTES)
        n_bytes = self.measure(head, f_in_name)
        f_in.seek(0)
        self.read(f_in.read(n_bytes), f_in_name)
        return self.config, n_bytes

    @staticmethod
    def measure(head: bytes, name: str) -> int:
        """Return the length of a header in bytes; for arguments see `recognize`."""
        layout, number = recognize(head, name)
        return layout.length(number)

    def read(self, header: bytes, name: str, offset: int = 0) -> None:
        """Read a header.

        Parameters
        ----------
        header
            bytes of the header.
        name
            name of the file.
        offset
            its offset in the stream.

        Raises
        ------
        DecodeError
            see :meth:`decode_header`.
        """
        layout, number = recognize(header[:HEADER_BYTES], name)
        n_bytes = layout.length(number)
        if len(header) < n_bytes:
            msg = (
                f"cut off in the channel configurations: {len(header)} bytes, "
                f"{number} channels need {n_bytes}"
            )
            raise DecodeError(msg, name, offset + len(header), ADVICE)
        self.layout = layout
        self.version_patch, self.version_minor, self.version_major = np.frombuffer(
            header, "<u2", 3, 4
        )
        self.length_econf = np.uint16(layout.config.itemsize)
        self.number_chOpen = np.uint32(number)

        configs: LLAMA_Channel_Configs_t = {}
        self.closed_channels = []
        self.moved_channels = []
        records = np.frombuffer(header, layout.config, number, layout.start)
        for i, record in enumerate(records):
            key = join_fadcid_chid(int(record["fadc"]), int(record["channel"]))
            fields = _fields(record)
            at = offset + layout.length(i)
            problem = _find_problem(key, fields)
            if key in configs:
                problem = "duplicate of another one"
            if problem:
                where = f"FADC {record['fadc']}, channel {record['channel']}"
                msg = f"configuration of {where}: {problem}"
                raise DecodeError(msg, name, at, ADVICE)
            configs[key] = fields
            # the layout of 80 bytes has a word for each flag
            separate = "open" in layout.config.names
            if not (record["open"] if separate else record["flags"] & 2):
                self.closed_channels.append(key)
                log.warning("%s: channel %d is not marked as open", name, key)
            if _has_blocks_elsewhere(fields):
                self.moved_channels.append(key)
        self.channel_configs = configs
        self.global_configs = {
            "initial_timestamp": _time_in_name(name, self.time_zone),
            "initial_timestamp_accuracy": 1.0,
        }
        self._config = None


def _fields(record: np.void) -> dict[str, Any]:
    """Return the fields of a configuration by their names in the output."""
    fields = {"14_bit_flag": record["flags"] & np.uint32(1)}
    for name in NEW.config.names[3:]:
        if name in record.dtype.names:
            fields[name] = record[name]
        elif name != "sample_pretrigger":
            # files of 2019 have no averages, and their windows are whole (format 8.2);
            # the length of the pre-trigger is unknown
            fields[name] = np.uint32(0)
    return fields


def _find_problem(key: int, fields: dict[str, Any]) -> str:
    """Return the error in a configuration, empty if it is valid (format 1.2)."""
    config = {
        name: value if name in ("sample_freq", "gain") else int(value)
        for name, value in fields.items()
    }
    frequency = config["sample_freq"]
    raw, averaged = config["sample_length"], config["avg_sample_length"]
    header, length = config["event_header_length"], config["event_length"]
    if key >= MAX_CHANNELS:
        return f"its key is {key}, expected 12 bits: less than {MAX_CHANNELS}"
    if not FREQUENCIES[0] <= frequency <= FREQUENCIES[1]:
        low, high = FREQUENCIES
        return f"sample_freq is {frequency} MHz, expected {low} to {high} MHz"
    if config["avg_mode"] > MAX_AVG_MODE:
        return f"avg_mode is {config['avg_mode']}, expected at most {MAX_AVG_MODE}"
    for name, samples, most in (
        ("sample_length", raw, MAX_RAW_SAMPLES),
        ("avg_sample_length", averaged, MAX_AVERAGED_SAMPLES),
    ):
        if samples % 2 or samples > most:
            return f"{name} is {samples}, expected an even number up to {most}"
    if (header, length) not in _possible_lengths(config):
        return (
            f"its lengths contradict each other: event_length {length}, "
            f"event_header_length {header}, sample_length {raw}, avg_sample_length "
            f"{averaged}, avg_mode {config['avg_mode']}, maw_buffer_length "
            f"{config['maw_buffer_length']}, format_bits {config['format_bits']}"
        )
    return ""


def _has_blocks_elsewhere(fields: dict[str, Any]) -> bool:
    """Whether block offsets contradict the format bits (format 1.2)."""
    at = 2
    for bit, (words, name) in enumerate(zip(BLOCK_WORDS, OFFSETS, strict=True)):
        if int(fields["format_bits"]) >> bit & 1:
            if fields[name] != at:
                return True
            at += words
    return False


def _possible_lengths(config: dict[str, int]) -> set[tuple[int, int]]:
    """Return the lengths of header and event that agree with a configuration.

    Without an averaging mode, averaged samples are optional; so are words of the moving
    average window, which are test data.
    """
    bits = config["format_bits"]
    blocks = sum(words * (bits >> b & 1) for b, words in enumerate(BLOCK_WORDS))
    half = config["avg_sample_length"] // 2
    averages = {(0, 0)}
    if half:
        averages = {(1, half)} if config["avg_mode"] else {(0, 0), (0, half), (1, half)}
    return {
        (3 + blocks + word, 3 + blocks + word + config["sample_length"] // 2 + n + maw)
        for word, n in averages
        for maw in (0, config["maw_buffer_length"])
    }

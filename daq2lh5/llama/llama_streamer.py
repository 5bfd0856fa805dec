"""Streamer of llamaDAQ files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import DecodeError
from ..selection.overflow_tables import MAX_OVERFLOW
from ..selection.templates import buffer_for, for_key, matches, names_key
from ..streaming.kernel_streamer import KernelStreamer
from ._kernel import LlamaKernel
from .layouts import HEADER_BYTES, MAX_CHANNELS
from .llama_event_decoder import LLAMAEventDecoder
from .llama_header_decoder import LLAMAHeaderDecoder

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from ..reading.source import Source

__all__ = ["LLAMAStreamer"]

EVENTS = "LLAMAEventDecoder"
HEADERS = "LLAMAHeaderDecoder"


class LLAMAStreamer(KernelStreamer):
    """Decode llamaDAQ data.

    Parameters
    ----------
    llama_time_zone
        time zone of the times in the files' names, by its IANA name such as
        ``"Europe/Rome"``; by default UTC. Times with a ``Z`` are always UTC.

    Raises
    ------
    ValueError
        if the time zone is unknown.

    Attributes
    ----------
    header_decoder, event_decoder
        the decoders.
    event_rbkd
        buffers of events by key, once the stream is open.
    """

    format_name = "LlamaDaq"

    def __init__(self, llama_time_zone: str | None = None) -> None:
        self.header_decoder = LLAMAHeaderDecoder()
        if llama_time_zone is not None:
            try:
                self.header_decoder.time_zone = ZoneInfo(llama_time_zone)
            except (ZoneInfoNotFoundError, OSError, TypeError, ValueError) as e:
                msg = (
                    f"unknown time zone {llama_time_zone!r}: give an IANA name such "
                    "as 'Europe/Rome' (if the system has no time zones, install tzdata)"
                )
                raise ValueError(msg) from e
        self.event_decoder = LLAMAEventDecoder()
        super().__init__()

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        self._kernel = LlamaKernel()
        self.event_decoder._stream = self._kernel
        self.event_decoder.skipped_channels = {}
        self.event_rbkd: dict[int, RawBuffer] | None = None
        # distinct headers of the stream; channels without a configuration; number of
        # tables added since the stream was opened
        self._headers: set[bytes] = set()
        self._unannounced: set[int] = set()
        self._n_late = 0

    def get_decoder_list(self) -> list[DataDecoder]:
        """Return the decoders of all tables."""
        return [self.header_decoder, self.event_decoder]

    @property
    def in_stream(self) -> Source | None:
        """The input, once the stream is open."""
        return self.source

    # ---- opening -------------------------------------------------------------------

    def open_stream(
        self,
        llama_filename: str,
        rb_lib: RawBufferLibrary | None = None,
        buffer_size: int = 8192,
        chunk_mode: str = "any_full",
        out_stream: str = "",
    ) -> list[RawBuffer]:
        """Open a llamaDAQ file, and read its header.

        Parameters are those of :meth:`.DataStreamer.open_stream`.

        Returns
        -------
        header_data
            the buffer of `LLAMAHeader`.

        Raises
        ------
        DecodeError
            if the header's version is unknown, or the configuration of a channel
            contradicts itself.
        """
        source = self.open_source(llama_filename)
        self._buffer_size = buffer_size
        self._read_header(source)
        super().open_stream(llama_filename, rb_lib, buffer_size, chunk_mode, out_stream)
        if EVENTS in self.rb_lib:
            self.event_rbkd = self.rb_lib[EVENTS].get_keyed_dict()
            for rb in self.rb_lib[EVENTS]:
                if rb.key_list and self.event_decoder.layout_of(rb.key_list[0]):
                    self._settle(rb)
        self._kernel.set_buffers(self.event_rbkd)
        self.n_bytes_read = source.offset
        return [self._header_buffer(self.header_decoder)]

    def _read_header(self, source: Source) -> None:
        decoder = self.header_decoder
        head = bytes(source.fill(HEADER_BYTES)[:HEADER_BYTES])
        n_bytes = decoder.measure(head, source.name)
        header = bytes(source.fill(n_bytes)[:n_bytes])
        decoder.read(header, source.name)
        source.consume(n_bytes)
        self._headers = {header}
        self._header_bytes = n_bytes
        if not decoder.get_channel_configs() and len(source.fill(1)):
            msg = "the header has no channels, but data follow it"
            raise DecodeError(msg, source.name, n_bytes)
        self._take_header(decoder)
        self._account()
        if not decoder.global_configs["initial_timestamp"]:
            self.report.warn(
                "the file's name has no time in it: unixtime is the time since the "
                "start of the run"
            )

    def _take_header(self, decoder: LLAMAHeaderDecoder) -> None:
        """Configure kernel and decoder by a header; note its peculiarities."""
        self.event_decoder.layout = decoder.layout
        self.event_decoder.set_channel_configs(decoder.get_channel_configs())
        self.event_decoder.set_global_configs(decoder.get_global_configs())
        if decoder.layout.in_chunks:
            version = (
                f"{decoder.version_major}.{decoder.version_minor}."
                f"{decoder.version_patch}"
            )
            self.report.warn(
                f"old llamaDAQ version {version}: trigger position unknown, t0 = 0 is "
                "the first sample; samples are not shifted by 2 bits"
            )
        for channels, text in (
            (decoder.closed_channels, "that are not marked as open"),
            (
                decoder.moved_channels,
                "with blocks in other places than their format bits (which count) say",
            ),
        ):
            if channels:
                keys = ", ".join(map(str, channels))
                self.report.note(f"channels {text}: {keys}")

    def _check_selection(self, decoders: dict[str, DataDecoder]) -> None:
        """Give channels with other columns than their buffer's first a buffer."""
        rbs = self.rb_lib.get(EVENTS, ())
        for rb in list(rbs):
            groups: dict[tuple | None, list[int | str]] = {}
            for key in rb.key_list:
                groups.setdefault(self.event_decoder.layout_of(key), []).append(key)
            # keys missing in the file stay, behind the others
            absent = groups.pop(None, [])
            if not groups:
                continue
            first, *others = groups.values()
            rb.key_list = first + absent
            for keys in others:
                other = rb.beside(keys[0], keys)
                self._add_table(EVENTS, other)
                self.report.warn(
                    f"channels {keys} have other columns: table {other.out_name}"
                )
            rbs.keyed_dict = None
        super()._check_selection(decoders)

    # ---- headers and channels in mid-stream ----------------------------------------

    def _look(self, status: int, window: memoryview) -> None:
        """React to a header in mid-stream, or a channel without a configuration."""
        kernel = self._kernel
        if status == kernel.HEADER:
            n_bytes = kernel.header_bytes
            header = bytes(window[kernel.consumed :][:n_bytes])
            if self._change_header(header, self.source.offset + kernel.consumed):
                kernel.pass_header()
            else:
                kernel.refuse(header=True)
        elif status == kernel.KEY:
            key = kernel.unannounced[0]
            known = key in self._unannounced
            if not known and len(self._unannounced) >= MAX_OVERFLOW:
                kernel.refuse(header=False)
                return
            self._unannounced.add(key)
            kernel.end()
            self.event_decoder.add_channel(*kernel.unannounced)
            self._place_channels([key])
            kernel.begin()
            self.report.warn(
                f"channel {key} has events without a configuration: their times are NaN"
            )

    def _change_header(self, header: bytes, offset: int) -> bool:
        """Apply another header; False if it is invalid."""
        decoder = LLAMAHeaderDecoder()
        decoder.time_zone = self.header_decoder.time_zone
        new = header not in self._headers
        try:
            decoder.read(header, self.source.name, offset)
        except DecodeError as e:
            self.report.warn(str(e))
            return False
        keys = list(decoder.get_channel_configs())
        if new and self._n_late + len(keys) > MAX_CHANNELS:
            self.report.warn("too many different headers: others count as damaged")
            return False
        kernel = self._kernel
        kernel.end()
        self.event_decoder.count_skipped()
        self._take_header(decoder)
        self._place_channels(keys)
        kernel.begin()
        self.report.warn(
            "files were joined: packet_id continues, times restart in each file"
        )
        if new:
            self._headers.add(header)
            self._write_header(decoder)
        return True

    def _write_header(self, decoder: LLAMAHeaderDecoder) -> None:
        """Add a struct for a later header."""
        if HEADERS not in self.rb_lib:
            return
        if len(self._headers) > MAX_OVERFLOW:
            self.report.warn(
                f"more than {MAX_OVERFLOW} different headers: others are not written"
            )
            self.report.irregular["header not written: too many different ones"] += 1
            return
        rb = self.rb_lib[HEADERS][0].beside(len(self._headers))
        rb.make_later(decoder.make_lgdo, decoder.describe_lgdo)
        rb.loc = 1
        self._add_table(HEADERS, rb)

    def _place_channels(self, keys: list[int]) -> None:
        """Set the buffers of new or changed channels."""
        if self.event_rbkd is not None:
            for key in keys:
                self._place_channel(key)
        self._kernel.set_buffers(self.event_rbkd)

    def _place_channel(self, key: int) -> None:
        decoder = self.event_decoder
        layout = decoder.layout_of(key)
        rb = self.event_rbkd.get(key) or self._buffer_for_late(key)
        if rb is None:
            return
        if rb not in self._overflow:
            # its first channel determines the columns
            rb.key_list = [key, *(k for k in rb.key_list if k != key)]
            self._set_up([rb], decoder, self._buffer_size)
            self._settle(rb)
        found = self._overflow.find(rb, layout)
        if found is None:
            first = self._overflow.first(rb)
            found = self._overflow.open(first, layout, decoder, key, [key])
            self._n_late += 1
            self.report.warn(
                f"channel {key} has other columns now: table {found.out_name}"
            )
        self.event_rbkd[key] = found

    def _settle(self, rb: RawBuffer) -> None:
        """Record the columns of a buffer."""
        self._overflow.settle(rb, self.event_decoder.layout_of(rb.key_list[0]))

    def _buffer_for_late(self, key: int) -> RawBuffer | None:
        """Make a buffer for a channel missing in the first header, if selected."""
        template = self._wildcards.get(EVENTS)
        if template is not None:
            by_key = names_key(template)
            rb = buffer_for(template, EVENTS, [key], "" if by_key else f"_{key}")
            rb = for_key(rb, key) if by_key else rb
        else:
            patterns = self._patterns.get(EVENTS, ())
            wanted = [rb for rb, texts in patterns if matches(key, texts)]
            if not wanted:
                return None
            by_key = names_key(wanted[0])
            first = wanted[0]
            rb = for_key(first, key) if by_key else first.beside(key, [key])
        self._n_late += 1
        self._add_table(EVENTS, rb)
        return rb

    @staticmethod
    def _other_name(name: str, number: int) -> str:
        return f"{name}_{number}"

    # ---- reading -------------------------------------------------------------------

    def _react(self, status: int) -> bool:
        """Warn if the data end inside a read-out."""
        if status == self._kernel.END and self._kernel.unfinished:
            keys = ", ".join(map(str, self._kernel.unfinished))
            self.report.warn(
                "the data end in the middle of a read-out: no last chunk of channels "
                f"{keys}"
            )
        return False

    def read_packets(self, limit: int) -> bool:
        """Decode up to `limit` events, see :meth:`.DataStreamer.read_packets`."""
        more = super().read_packets(limit)
        # the last event may have filled a buffer
        self.any_full |= self._kernel.any_full
        return more

    def _account(self) -> None:
        """Update the report from the kernel's counts."""
        super()._account()
        self._account_for_irregular()
        report, kernel = self.report, self._kernel
        if kernel.n_maw:
            report.warn("test data of the moving average window are not written")
        if report.bytes["corrupt"]:
            report.note("packet_id does not count damaged events")
        self.event_decoder.count_skipped()
        self._account_for_channels(self.event_decoder)

"""Streamer of llamaDAQ files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import DecodeError
from ..kernel_streamer import KernelStreamer
from ..sibling_tables import make_sibling
from ._kernel import LlamaStream
from .llama_event_decoder import LLAMAEventDecoder
from .llama_header_decoder import HEADER_BYTES, LLAMAHeaderDecoder

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from ..source import Source

__all__ = ["LLAMAStreamer"]


class LLAMAStreamer(KernelStreamer):
    """Decode llamaDAQ data.

    Parameters
    ----------
    llama_time_zone
        time zone of the times in the files' names, by its IANA name such as
        ``"Europe/Rome"``; by default UTC. It does not concern times with a ``Z``.

    Raises
    ------
    ValueError
        if there is no such time zone.

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
                    "as 'Europe/Rome' (where the system has none, install tzdata)"
                )
                raise ValueError(msg) from e
        self.event_decoder = LLAMAEventDecoder()
        super().__init__()

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        self._kernel = LlamaStream()
        self.event_decoder._stream = self._kernel
        self.event_decoder.skipped_channels = {}
        self.event_rbkd: dict[int, RawBuffer] | None = None

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
            if the input has no header of this version, or the configuration of a
            channel contradicts itself.
        """
        source = self.open_source(llama_filename)
        self._read_header(source)
        super().open_stream(llama_filename, rb_lib, buffer_size, chunk_mode, out_stream)
        if "LLAMAEventDecoder" in self.rb_lib:
            self.event_rbkd = self.rb_lib["LLAMAEventDecoder"].get_keyed_dict()
        self._kernel.set_buffers(self.event_rbkd)
        self.n_bytes_read = source.offset
        return [self._header_buffer(self.header_decoder)]

    def _read_header(self, source: Source) -> None:
        decoder = self.header_decoder
        head = bytes(source.fill(HEADER_BYTES)[:HEADER_BYTES])
        n_bytes = decoder.measure(head, source.name)
        decoder.read(bytes(source.fill(n_bytes)[:n_bytes]), source.name)
        source.consume(n_bytes)
        self._header_bytes = n_bytes
        if not decoder.get_channel_configs() and len(source.fill(1)):
            msg = "no channel is configured, but data follow the header"
            raise DecodeError(msg, source.name, n_bytes)
        self.event_decoder.set_channel_configs(decoder.get_channel_configs())
        self.event_decoder.set_global_configs(decoder.get_global_configs())
        self._account()
        if decoder.closed_channels:
            keys = ", ".join(map(str, decoder.closed_channels))
            self.report.note(f"channels that are not marked as open: {keys}")
        if not decoder.global_configs["initial_timestamp"]:
            self.report.warn(
                "the file's name has no time in it: unixtime is the time since the "
                "start of the run"
            )

    def _check_selection(self, decoders: dict[str, DataDecoder]) -> None:
        """Give channels of other columns than a buffer's first one to other buffers."""
        rbs = self.rb_lib.get("LLAMAEventDecoder", ())
        for rb in list(rbs):
            groups: dict[tuple | None, list[int | str]] = {}
            for key in rb.key_list:
                groups.setdefault(self.event_decoder.layout_of(key), []).append(key)
            # keys that the file lacks stay where they are, behind those that it has
            absent = groups.pop(None, [])
            if not groups:
                continue
            first, *others = groups.values()
            rb.key_list = first + absent
            for keys in others:
                sibling = make_sibling(rb, keys[0], keys)
                rbs.append(sibling)
                self.report.warn(
                    f"channels {keys} have other columns: table {sibling.out_name}"
                )
            rbs.keyed_dict = None
        super()._check_selection(decoders)

    # ---- reading -------------------------------------------------------------------

    def read_packets(self, limit: int) -> bool:
        """Decode up to `limit` events, see :meth:`.DataStreamer.read_packets`."""
        more = super().read_packets(limit)
        # a packet may have filled a buffer without the next one being tried
        self.any_full |= self._kernel.any_full
        return more

    def _account(self) -> None:
        """Bring the report up to date with the kernel's counts."""
        super()._account()
        self._account_for_irregular()
        report, kernel = self.report, self._kernel
        if kernel.n_maw:
            report.warn("test data of the moving average window are not written")
        if report.bytes["corrupt"]:
            report.note("after damage packet numbers count what could be read")
        self.event_decoder.count_skipped()
        self._account_for_channels(self.event_decoder)

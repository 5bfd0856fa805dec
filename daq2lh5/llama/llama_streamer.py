"""Streamer of llamaDAQ files."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..data_streamer import DataStreamer
from ..errors import DecodeError
from ..raw_buffer import RawBuffer, RawBufferLibrary
from ._kernel import LlamaStream
from .llama_event_decoder import LLAMAEventDecoder
from .llama_header_decoder import HEADER_BYTES, LLAMAHeaderDecoder

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder
    from ..source import Source

log = logging.getLogger(__name__)

__all__ = ["LLAMAStreamer"]


class LLAMAStreamer(DataStreamer):
    """Decode llamaDAQ data.

    Attributes
    ----------
    header_decoder, event_decoder
        the decoders.
    event_rbkd
        buffers of events by key, once the stream is open.
    """

    format_name = "LlamaDaq"

    def __init__(self) -> None:
        self.header_decoder = LLAMAHeaderDecoder()
        self.event_decoder = LLAMAEventDecoder()
        super().__init__()

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        self._kernel = LlamaStream()
        self.event_decoder._stream = self._kernel
        self.event_decoder.skipped_channels = {}
        self.event_rbkd: dict[int, RawBuffer] | None = None
        self._header_bytes = 0

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
        return [self._header_buffer()]

    def close_stream(self) -> None:
        """Close the input."""
        if self.source is not None:
            self.source.close()

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
            text = (
                "the file's name has no time in it: unixtime is the time since the "
                "start of the run"
            )
            log.warning("%s: %s", source.name, text)
            self.report.note(text)

    def _header_buffer(self) -> RawBuffer:
        """Return the buffer of the header."""
        rbs = self.rb_lib.get("LLAMAHeaderDecoder")
        rb = rbs[0] if rbs else RawBuffer()
        if not rbs:
            decoder = self.header_decoder
            rb._make_later(decoder.make_lgdo, decoder._describe)
        rb.loc = 1
        return rb

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
                sibling = RawBuffer(
                    key_list=keys,
                    out_stream=rb.out_stream,
                    out_name=f"{rb.out_name}_{keys[0]}",
                    proc_spec=rb.proc_spec,
                )
                rbs.append(sibling)
                text = f"channels {keys} have other columns: table {sibling.out_name}"
                log.warning(text)
                self.report.note(text)
            rbs.keyed_dict = None
        super()._check_selection(decoders)

    # ---- reading -------------------------------------------------------------------

    def read_packet(self) -> bool:
        """Decode one event."""
        return self.read_packets(1)

    def read_packets(self, limit: int) -> bool:
        """Decode up to `limit` events, see :meth:`.DataStreamer.read_packets`."""
        kernel = self._kernel
        kernel.rows_left = -1 if self.rows_left is None else self.rows_left
        more = True
        done = 0
        kernel.begin()
        try:
            while more and done < limit:
                status = self._decode(limit - done)
                done += kernel.n_packets
                if status == LlamaStream.FULL:
                    self.any_full = True
                    break
                more = status != LlamaStream.END and kernel.rows_left != 0
        finally:
            kernel.end()
            self._account()
        if self.rows_left is not None:
            self.rows_left = kernel.rows_left
        # a packet may have filled a buffer without the next one being tried
        self.any_full |= kernel.any_full
        self.packet_id = kernel.packet_id
        self.n_bytes_read = self.source.offset
        return more

    def _decode(self, limit: int) -> int:
        """Run the kernel over the bytes at hand; get more when it asks for them."""
        source, kernel = self.source, self._kernel
        window = source.window
        left = None if source.size is None else source.size - source.offset
        if left is not None and left < len(window):
            # the file has grown since it was opened
            left = None
        status = kernel.decode(window, source.offset, left, source.at_end, limit)
        if status == LlamaStream.SKIPPED or kernel.scanning:
            start, end, fate, reason = kernel.stretch
            first = max(start - source.offset, 0)
            self.hold_stretch(window[first : max(kernel.consumed, first)])
            if status == LlamaStream.SKIPPED:
                code, number = kernel.stretch_reason, kernel.packet_id
                self.end_stretch(start, end, fate, reason, code, number)
        del window
        source.consume(kernel.consumed)
        if status == LlamaStream.MORE:
            source.fill(kernel.need - kernel.consumed)
        return status

    def _account(self) -> None:
        """Bring the report up to date with the kernel's counts."""
        report, kernel = self.report, self._kernel
        for i, fate in enumerate(("decoded", "skipped")):
            report.bytes[fate] = kernel.bytes[i]
            report.packets[fate] = kernel.packets[i]
        report.bytes["decoded"] += self._header_bytes
        report.irregular.update(
            {k: n - report.irregular[k] for k, n in kernel.irregular.items()}
        )
        self.account_for_source()
        if kernel.n_maw:
            text = "test data of the moving average window are not written"
            if text not in report.notes:
                log.warning(text)
            report.note(text)
        if report.bytes["corrupt"]:
            report.note("after damage packet numbers count what could be read")
        self.event_decoder.count_skipped()
        if self.event_decoder.skipped_channels:
            report.skipped_channels["LLAMAEventDecoder"] = {
                str(k): n for k, n in self.event_decoder.skipped_channels.items()
            }

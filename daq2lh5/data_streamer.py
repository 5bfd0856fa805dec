"""Base class of all streamers, and how their buffers are set up."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from .buffers.garbage import Garbage
from .raw_buffer import RawBuffer, RawBufferLibrary
from .reading.joined import JoinedSource
from .reading.source import Source, open_source
from .report import ConversionReport
from .resources.memory import DEFAULT_LIMIT, MemoryPlan, default_threads
from .resources.paths import escape
from .selection.column_settings import ColumnSettings
from .selection.selection import Selection
from .selection.templates import buffers_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .data_decoder import DataDecoder

log = logging.getLogger(__name__)

__all__ = ["DataStreamer"]


ZEROS_IN_PACKETS = "block of zeros inside of packets, which was never written"
"""Rule that such packets break, in the report."""


class DataStreamer(Selection, ABC):
    """Reads one stream of packets into the buffers of a :class:`RawBufferLibrary`.

    >>> streamer.open_stream("run.fcio")
    >>> for chunk in streamer:
    ...     for rb in chunk:
    ...         use(rb.lgdo, n_rows=rb.loc)

    A derived class implements :meth:`get_decoder_list`, :meth:`open_stream`,
    :meth:`close_stream` and :meth:`read_packet`; one with a kernel for many packets
    overloads :meth:`read_packets` too.

    Attributes
    ----------
    rb_lib
        the buffers, once the stream is open.
    chunk_mode
        when :meth:`read_chunk` returns.
    n_bytes_read
        bytes of the stream read so far (after decompression).
    packet_id
        number of the last packet.
    any_full
        whether a buffer became full in the last read.
    selects_anything
        whether `rb_lib` asks for decoders or keys of the stream; if further keys may
        appear later, this is known at the end.
    report
        report on the bytes read so far.
    garbage
        the damaged ranges met so far.
    rows_left
        how many more rows to decode (headers don't count); None for all.
    memory_limit
        bytes for the buffers and for writing them.
    plan
        limits of memory for each buffer, once the stream is open.
    to_files_only
        whether rows go to files without the user seeing them; set before opening.
    extra_columns
        whether tables have the columns that legend-daq2lh5 lacks; set before opening.
    column_settings
        how single columns are written; set before opening.
    read_ahead
        whether a thread may read a long file ahead; set before opening. By default
        True if the process has more than one core.
    """

    format_name = ""
    block_size: int | None = None
    """Bytes to read at a time; None for the default of :mod:`.source`."""

    settings_file: str | None = None
    """Settings file found beside the data, once the stream is open."""

    def __init__(self) -> None:
        self.source: Source | None = None
        self.memory_limit = DEFAULT_LIMIT
        self.column_settings = ColumnSettings({})
        self.to_files_only = False
        self.extra_columns = False
        self.read_ahead = default_threads() > 1
        self._opened = False
        self.start_anew()

    def start_anew(self) -> None:
        """Forget the last stream; called before one is opened again."""
        self.chunk_mode: str | None = None
        self.n_bytes_read = 0
        self.any_full = False
        self.packet_id = 0
        self.report = ConversionReport(format=self.format_name)
        self.garbage = Garbage()
        self.rows_left: int | None = None
        self._more = True
        self._flush = False
        # bytes of the damaged range at hand, and the number of those not kept
        self._damaged = bytearray()
        self._damaged_lost = 0
        self._forget_selection()

    # ---- for derived classes -------------------------------------------------------

    @abstractmethod
    def get_decoder_list(self) -> list[DataDecoder]:
        """Return the stream's decoders."""
        return []

    @abstractmethod
    def close_stream(self) -> None:
        """Close the stream."""

    @abstractmethod
    def read_packet(self) -> bool:
        """Decode one packet; False at the end of the stream."""
        return True

    def final_buffers(self) -> list[RawBuffer]:
        """Return buffers to be written at the end of the stream, after all chunks.

        They are written even if they have no rows.
        """
        return []

    def read_packets(self, limit: int) -> bool:
        """Decode up to `limit` packets, stopping when a buffer is full.

        Returns
        -------
        more
            whether there may be more packets.
        """
        for _ in range(limit):
            if not self.read_packet():
                return False
            if self.any_full:
                break
        return True

    def open_source(self, name: str) -> Source:
        """Open the input, unless it was opened already to recognize its format."""
        if self._opened:
            self.start_anew()
        if self.source is not None and (self._opened or self.source.name != name):
            self.source.close()
            self.source = None
        self._opened = True
        if self.source is None:
            kwargs = {} if self.block_size is None else {"block_size": self.block_size}
            self.source = open_source(name, **kwargs)
        self.source.read_ahead = self.read_ahead
        self.report.source = str(name)
        self.report.compression = self.source.compression
        return self.source

    def describe_columns(self) -> dict[str, dict[str, str]]:
        """Return descriptions of the columns of all tables with rows.

        Returns
        -------
        descriptions
            by kind of table and column name.
        """
        used = {name for name, rb in self.rb_lib.buffers() if rb.used}
        descriptions: dict[str, dict[str, str]] = {}
        for decoder in self.get_decoder_list():
            if type(decoder).__name__ in used:
                descriptions |= decoder.describe_columns()
        return descriptions

    # ---- accounting ----------------------------------------------------------------

    def hold_damaged(self, part: memoryview) -> None:
        """Keep bytes of the damaged range at hand, as far as there is room."""
        room = self.garbage.cap - self.garbage.bytes_kept - len(self._damaged)
        self._damaged += part[: max(room, 0)]
        self._damaged_lost += max(len(part) - max(room, 0), 0)

    def end_damaged(
        self, start: int, end: int, fate: str, reason: str, code: int, packet_id: int
    ) -> None:
        """Account for the damaged range at hand, whose bytes were held.

        Parameters
        ----------
        start, end
            where it is in the stream.
        fate
            one of :data:`.report.FATES`.
        reason, code
            why, in words and as a number that the format defines.
        packet_id
            number of the last packet before it.
        """
        self.report.add_damaged(start, end - start, fate, reason)
        if fate in ("corrupt", "cut_off"):
            lost = self._damaged_lost
            self.garbage.add(self._damaged, packet_id, code, start, dropped=lost)
            if isinstance(self.source, Source):
                self.source.holes.tell(start, end)
        self._damaged = bytearray()
        self._damaged_lost = 0

    def account_for_holes(self) -> None:
        """Report blocks of zeros inside of records, at the end of the stream.

        Such records are decoded: zeros among samples show no other sign of damage.
        """
        holes = self.source.holes
        holes.finish()
        if holes.first is None:
            return
        start, end = holes.first
        self.report.irregular[ZEROS_IN_PACKETS] = holes.n
        more = f", and {holes.n - 1} more" if holes.n > 1 else ""
        self.report.note(
            f"{ZEROS_IN_PACKETS}: {end - start} bytes from byte {start} on{more}"
        )

    def account_for_source(self) -> None:
        """Update the report on the input and its damage."""
        self.report.container_error = self.source.error
        if isinstance(self.source, JoinedSource):
            self.report.starts = self.source.starts
        self.report.garbage_bytes_kept = self.garbage.bytes_kept
        self.report.garbage_bytes_dropped = self.garbage.bytes_dropped

    # ---- setting up the buffers ----------------------------------------------------

    @abstractmethod
    def open_stream(
        self,
        stream_name: str,
        rb_lib: RawBufferLibrary | None = None,
        buffer_size: int = 8192,
        chunk_mode: str = "any_full",
        out_stream: str = "",
    ) -> list[RawBuffer]:
        """Open a stream, read its header and set up the buffers.

        A derived class reads the header, calls this to set up the buffers, and returns
        the header data.

        Parameters
        ----------
        stream_name
            name of a file, ``-`` for standard input, a named pipe.
        rb_lib
            the buffers to fill; wildcards in it are expanded. By default one buffer
            for each table of the stream.
        buffer_size
            largest number of rows of a buffer. It has fewer where rows are long.
        chunk_mode : {"any_full", "only_full", "single_packet"}
            see :meth:`read_chunk`.
        out_stream
            where default buffers are written to.

        Returns
        -------
        header_data
            buffers with the contents of the header, ready to be written.

        Raises
        ------
        ValueError
            if a packet can have more rows than `buffer_size`.
        KeyError
            if two buffers of a decoder ask for all remaining keys.
        """
        if chunk_mode not in ("any_full", "only_full", "single_packet"):
            msg = (
                f"unknown chunk_mode '{chunk_mode}'; expected 'any_full', "
                "'only_full' or 'single_packet'"
            )
            raise ValueError(msg)
        self.chunk_mode = chunk_mode
        decoders = {type(d).__name__: d for d in self.get_decoder_list()}
        if rb_lib is None:
            rb_lib = self.build_default_rb_lib(out_stream=out_stream)
            self._everything = _for_everything(out_stream)
            for name, rbs in rb_lib.items():
                self._wildcards[name] = self._everything
                self._patterns[name] = [(rb, ["*"]) for rb in rbs]
        if not isinstance(rb_lib, RawBufferLibrary):
            # a plain dictionary of lists will do
            rb_lib = RawBufferLibrary.of(rb_lib)
        self.rb_lib = rb_lib

        if rb_lib.get("*"):
            self._everything = rb_lib["*"][0]
        for decoder in decoders.values():
            self._select(decoder)
        rb_lib.pop("*", None)
        self._check_places(decoders)
        if self.may_bring_more:
            # the stream may bring decoders and keys later
            self.selects_anything = bool(rb_lib)
        else:
            self._check_selection(
                {
                    name: {k for keys in decoder.get_key_lists() for k in keys}
                    for name, decoder in decoders.items()
                }
            )
        n_buffers = sum(map(len, rb_lib.values()))
        self.plan = MemoryPlan(self.memory_limit, max(n_buffers, 1))
        for name, decoder in decoders.items():
            most = decoder.get_max_rows_in_packet()
            self._set_up(rb_lib.get(name, []), decoder, buffer_size)
            for rb in rb_lib.get(name, ()):
                if buffer_size < rb.fill_safety:
                    msg = (
                        f"{name}: a packet can have {min(most, rb.fill_safety)} rows, "
                        f"more than the buffer_size of {buffer_size}"
                    )
                    raise ValueError(msg)

    def build_default_rb_lib(self, out_stream: str = "") -> RawBufferLibrary:
        """Return a library with one buffer for each table of the stream.

        Tables are named after their decoders, without ``Decoder``. If the keys of a
        decoder cannot share a table, each list of keys has its own.
        """
        rb_lib = RawBufferLibrary()
        everything = _for_everything(out_stream)
        for decoder in self.get_decoder_list():
            name = type(decoder).__name__
            rb_lib[name] = buffers_for(everything, name, decoder)
        if not rb_lib:
            log.warning("%s has no decoders", type(self).__name__)
        return rb_lib

    # ---- reading -------------------------------------------------------------------

    def read_chunk(
        self,
        chunk_mode_override: str | None = None,
        rp_max: int = 1000000,
        clear_full_buffers: bool = True,
    ) -> list[RawBuffer]:
        """Decode packets until a buffer is full.

        The caller empties the buffers that it is done with (``rb.loc = 0``).

        Parameters
        ----------
        chunk_mode_override : {"any_full", "only_full", "single_packet"}
            instead of `chunk_mode`: ``"any_full"`` returns all buffers with data as
            soon as one is full, ``"only_full"`` the full ones, ``"single_packet"``
            all with data after each packet. At the end of the stream all buffers with
            data are returned.
        rp_max
            number of packets after which to return anyway, if there are data.
        clear_full_buffers
            empty the buffers that are full first.

        Returns
        -------
        chunk
            buffers with data: the first `loc` rows of each. Empty at the end of the
            stream.
        """
        if clear_full_buffers:
            self.rb_lib.clear_full()
        mode = chunk_mode_override or self.chunk_mode
        limit = 1 if mode == "single_packet" else rp_max + 1
        while True:
            self.any_full = False
            self._flush = False
            self._more = self.read_packets(limit)
            everything = mode != "only_full" or self._flush or not self._more
            filled = [rb for _, rb in self.rb_lib.buffers() if rb.loc > 0]
            chunk = filled if everything else [rb for rb in filled if rb.is_full()]
            if self.any_full and not chunk:
                # a packet with more rows than the stream announced waits for room
                chunk = filled
            for rb in chunk:
                rb.hand_out()
            # an empty chunk must not look like the end of the stream
            if chunk or not self._more or mode == "single_packet":
                return chunk

    def __iter__(self) -> Iterator[list[RawBuffer]]:
        """Iterate over the chunks of the stream.

        A chunk's buffers are emptied and used again for the next one.
        """
        while True:
            chunk = self.read_chunk()
            if chunk:
                yield chunk
            elif not self._more:
                return
            for rb in chunk:
                rb.loc = 0


def _for_everything(out_stream: str) -> RawBuffer:
    """Return the template of the buffers of all decoders, for the name of a file."""
    # braces in a file's name are ordinary characters
    return RawBuffer(out_stream=escape(os.fsdecode(out_stream)), out_name="{name}")

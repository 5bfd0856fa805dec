"""Base class of all streamers, and how their buffers are set up."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from .data_decoder import DataDecoder
from .errors import OutSpecError
from .garbage import Garbage
from .out_spec import has_wildcard
from .raw_buffer import (
    RawBuffer,
    RawBufferLibrary,
    check_processing,
    place_of,
)
from .report import ConversionReport
from .source import Source, open_source
from .wildcards import (
    buffer_for,
    buffers_for,
    expand_key_names,
    for_key,
    matches,
    names_key,
)
from .writing.memory import DEFAULT_LIMIT, MemoryPlan, default_threads

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

__all__ = ["DataStreamer"]


class DataStreamer(ABC):
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
        whether `rb_lib` asks for anything that the stream can have.
    report
        what became of the bytes read so far.
    garbage
        the damaged stretches met so far.
    rows_left
        how many more rows to decode (headers don't count); None for all.
    memory_limit
        bytes for the buffers, and for writing what is in them.
    plan
        how the memory is shared out, once the stream is open.
    to_files_only
        whether nobody looks at the rows on their way to files; set before opening.
    read_ahead
        whether a thread may read a long file ahead; set before opening. By default
        that is so if the process has more than one core.
    """

    format_name = ""
    block_size: int | None = None
    """Bytes to read at a time; None for the default of :mod:`.source`."""

    def __init__(self) -> None:
        self.source: Source | None = None
        self.memory_limit = DEFAULT_LIMIT
        self.to_files_only = False
        self.read_ahead = default_threads() > 1
        self._opened = False
        self.start_anew()

    def start_anew(self) -> None:
        """Forget the last stream; called before one is opened again."""
        self.rb_lib: RawBufferLibrary | None = None
        self.chunk_mode: str | None = None
        self.n_bytes_read = 0
        self.any_full = False
        self.packet_id = 0
        self.selects_anything = False
        self.report = ConversionReport(format=self.format_name)
        self.garbage = Garbage()
        self.rows_left: int | None = None
        self.plan = MemoryPlan(self.memory_limit)
        self._more = True
        self._flush = False
        # bytes of a stretch without packets that is not over yet
        self._stretch = bytearray()
        self._stretch_lost = 0
        self._patterns: dict[str, list[tuple[RawBuffer, list]]] = {}
        self._wildcards: dict[str, RawBuffer] = {}

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
        """Decode one packet; False if there was none left."""
        return True

    def final_buffers(self) -> list[RawBuffer]:
        """Return buffers to be written at the end of the stream, behind all chunks.

        Also those without rows are.
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

    # ---- accounting ----------------------------------------------------------------

    def hold_stretch(self, part: memoryview) -> None:
        """Hold on to bytes of a stretch without packets, as far as there is room."""
        room = self.garbage.cap - self.garbage.bytes_kept - len(self._stretch)
        self._stretch += part[: max(room, 0)]
        self._stretch_lost += max(len(part) - max(room, 0), 0)

    def end_stretch(
        self, start: int, end: int, fate: str, reason: str, code: int, packet_id: int
    ) -> None:
        """Account for a stretch whose bytes were held.

        Parameters
        ----------
        start, end
            where it is in the stream.
        fate
            what became of it: one of :data:`.report.FATES`.
        reason, code
            why, in words and as a number of the format's own.
        packet_id
            number of the last packet before.
        """
        self.report.add_stretch(start, end - start, fate, reason)
        if fate in ("corrupt", "cut_off"):
            lost = self._stretch_lost
            self.garbage.add(self._stretch, packet_id, code, start, dropped=lost)
        self._stretch = bytearray()
        self._stretch_lost = 0

    def account_for_source(self) -> None:
        """Bring what the report says of the input and of damage up to date."""
        self.report.container_error = self.source.error
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

        A derived class reads the header, calls this for the buffers, and returns the
        header data.

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
            msg = f"unknown chunk_mode '{chunk_mode}'"
            raise ValueError(msg)
        self.chunk_mode = chunk_mode
        decoders = {type(d).__name__: d for d in self.get_decoder_list()}
        if rb_lib is None:
            rb_lib = self.build_default_rb_lib(out_stream=out_stream)
            self._patterns = {
                name: [(rb, ["*"]) for rb in rbs] for name, rbs in rb_lib.items()
            }
        if not isinstance(rb_lib, RawBufferLibrary):
            # a plain dictionary of lists will do
            rb_lib = RawBufferLibrary.of(rb_lib)
        self.rb_lib = rb_lib

        for name, decoder in decoders.items():
            if name not in rb_lib and "*" in rb_lib:
                self._wildcards[name] = rb_lib["*"][0]
                rb_lib[name] = buffers_for(rb_lib["*"][0], name, decoder)
            if name in rb_lib:
                self._match_patterns(name, decoder)
                expand_key_names(rb_lib[name])
        rb_lib.pop("*", None)
        for name in rb_lib:
            if name not in decoders:
                self.report.warn(
                    f"this stream has no decoder '{name}': nothing comes of it"
                )
        self._check_selection(decoders)
        n_buffers = sum(map(len, rb_lib.values()))
        self.plan = MemoryPlan(self.memory_limit, max(n_buffers, 1))
        for name, decoder in decoders.items():
            self._set_up(rb_lib.get(name, []), decoder, buffer_size)

    def build_default_rb_lib(self, out_stream: str = "") -> RawBufferLibrary:
        """Return a library with one buffer for each table of the stream.

        Tables are named as their decoders, without ``Decoder``. Of a decoder whose
        keys cannot share a table each list of keys has its own.
        """
        rb_lib = RawBufferLibrary()
        everything = RawBuffer(out_stream=out_stream, out_name="{name}")
        for decoder in self.get_decoder_list():
            name = type(decoder).__name__
            self._wildcards[name] = everything
            rb_lib[name] = buffers_for(everything, name, decoder)
        if not rb_lib:
            log.warning("%s has no decoders", type(self).__name__)
        return rb_lib

    def _match_patterns(self, name: str, decoder: DataDecoder) -> None:
        """Replace patterns in key lists by the keys that nothing else asks for."""
        keys = list(dict.fromkeys(k for keys in decoder.get_key_lists() for k in keys))
        asked = {k for rb in self.rb_lib[name] for k in rb.key_list}
        asked |= {str(k) for k in asked}
        free = [k for k in keys if str(k) not in asked]
        with_patterns = [
            rb for rb in self.rb_lib[name] if any(map(has_wildcard, rb.key_list))
        ]
        if sum("*" in rb.key_list for rb in with_patterns) > 1:
            msg = f"{name}: only one buffer can have the key '*'"
            raise KeyError(msg)
        # '*' takes what the other patterns leave
        with_patterns.sort(key=lambda rb: "*" in rb.key_list)
        for rb in with_patterns:
            patterns = [k for k in rb.key_list if has_wildcard(k)]
            self._patterns.setdefault(name, []).append((rb, patterns))
            found = [k for k in free if matches(k, patterns)]
            free = [k for k in free if k not in found]
            rb.key_list = [k for k in rb.key_list if k not in patterns] + found
            if not rb.key_list:
                log.warning(
                    "%s: no key of the stream matches %s of buffer '%s'",
                    name,
                    patterns,
                    rb.out_name,
                )
        self.rb_lib[name].keyed_dict = None

    def _check_selection(self, decoders: dict[str, DataDecoder]) -> None:
        """Refuse two buffers for one table; warn of keys that the stream lacks."""
        places = Counter(
            place_of(rb)
            for name, rb in self.rb_lib.buffers()
            if name in decoders and rb.out_stream
        )
        for (file, table), count in places.items():
            if count > 1:
                msg = f"{count} buffers would write the table '{table}' of {file}"
                raise OutSpecError(msg)
        self.selects_anything = False
        for name, decoder in decoders.items():
            keys = {k for keys in decoder.get_key_lists() for k in keys}
            for rb in self.rb_lib.get(name, ()):
                if keys.intersection(rb.key_list):
                    self.selects_anything = True
                elif rb.key_list:
                    self.report.warn(
                        f"{name}: the stream has none of the keys of buffer "
                        f"'{rb.out_name}'"
                    )

    def _set_up(
        self, rbs: list[RawBuffer], decoder: DataDecoder, buffer_size: int
    ) -> None:
        """Give a decoder's buffers their rows; memory is taken when the first come."""
        keys = Counter(k for keys in decoder.get_key_lists() for k in keys)
        most = decoder.get_max_rows_in_packet()
        described: dict | None = None
        for rb in rbs:
            rb.fill_safety = most
            if most > 1:
                # one row for each key: only those that the buffer takes count
                own = sum(keys[k] for k in set(rb.key_list))
                rb.fill_safety = max(1, min(most, own))
            if buffer_size < rb.fill_safety:
                msg = (
                    f"{type(decoder).__name__}: a packet can have {rb.fill_safety} "
                    f"rows, more than the buffer_size of {buffer_size}"
                )
                raise ValueError(msg)
            key = rb.key_list[0] if len(rb.key_list) > 0 else None
            if type(decoder).make_lgdo is not DataDecoder.make_lgdo:
                make = partial(decoder.make_lgdo, key=key, size=buffer_size)
                rb._make_later(make, decoder._describe)
                continue
            if decoder.get_decoded_values(key) is not described:
                table = decoder._make_buffer(key, 0)
                described = decoder.get_decoded_values(key)
            rb._own(table.like(0))
            for text in check_processing(rb):
                self.report.warn(text)
            # what comes of the rows takes memory besides
            plan = rb._plan
            row_bytes = table.row_bytes() + (plan.copied_bytes if plan else 0)
            rows = self.plan.buffer_rows(row_bytes, table.widest_bytes())
            if self.to_files_only and decoder.codec_of_input:
                rb._pass_encoded(decoder.codec_of_input)
            rb._table.resize(max(min(rows, buffer_size), rb.fill_safety))

    def offer_keys(
        self,
        decoder: DataDecoder,
        keyed: dict,
        buffer_size: int,
        keys: list[int | str] | None = None,
    ) -> None:
        """Give keys that the stream has only now to the buffers with patterns.

        Parameters
        ----------
        decoder
            the decoder with the new keys.
        keyed
            its buffers by key: the new keys are added.
        buffer_size
            largest number of rows of a new buffer.
        keys
            the new keys; by default all of the decoder's.
        """
        name = type(decoder).__name__
        if keys is None:
            keys = [k for keys in decoder.get_key_lists() for k in keys]
        for key in dict.fromkeys(k for k in keys if k not in keyed):
            for rb, patterns in self._patterns.get(name, ()):
                if not matches(key, patterns):
                    continue
                if names_key(rb):
                    keyed[key] = for_key(rb, key)
                    self.rb_lib[name].append(keyed[key])
                    self._set_up([keyed[key]], decoder, buffer_size)
                else:
                    # a packet that does not fit the empty buffer gets a larger one
                    keyed[key] = rb
                    rb.key_list.append(key)
                break

    def offer_table(
        self, decoder: DataDecoder, key: int | str, keyed: dict, buffer_size: int
    ) -> None:
        """Make a table for a key that the stream has only now, if the user wants all.

        Parameters
        ----------
        decoder
            the decoder with the key, which has columns of its own.
        key
            the key.
        keyed
            the decoder's buffers by key: the new one is added.
        buffer_size
            largest number of rows of the buffer.
        """
        name = type(decoder).__name__
        if key in keyed or name not in self.rb_lib:
            return
        if name in self._wildcards:
            rb = buffer_for(self._wildcards[name], name, [key], f"_{key}")
        else:
            matching = [
                rb
                for rb, patterns in self._patterns.get(name, ())
                if matches(key, patterns) and names_key(rb)
            ]
            if not matching:
                self.report.note(f"{name}: there are rows of '{key}', and no table")
                return
            rb = for_key(matching[0], key)
        keyed[key] = rb
        self.rb_lib[name].append(rb)
        self._set_up([rb], decoder, buffer_size)

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
            chunk = [
                rb
                for _, rb in self.rb_lib.buffers()
                if (rb.loc > 0 if everything else rb.is_full() and rb.loc > 0)
            ]
            for rb in chunk:
                rb._hand_out()
            # nobody must take a stretch without rows for the end of the stream
            if chunk or not self._more or mode == "single_packet":
                return chunk

    def __iter__(self) -> Iterator[list[RawBuffer]]:
        """Go through the chunks of the stream.

        Each chunk's buffers are emptied, and used again, when the next one is asked
        for.
        """
        while True:
            chunk = self.read_chunk()
            if chunk:
                yield chunk
            elif not self._more:
                return
            for rb in chunk:
                rb.loc = 0

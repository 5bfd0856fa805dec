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
    may_bring_more = False
    """Whether a stream may have decoders and keys that its beginning does not tell."""
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
        # what is for all decoders that nothing else asks for, by decoder; buffers of
        # their lists of keys; and what writes to which file and table
        self._everything: RawBuffer | None = None
        self._wildcards: dict[str, RawBuffer] = {}
        self._lists: dict[str, list[RawBuffer]] = {}
        self._tables: dict[str, dict[tuple[str, str], RawBuffer]] = {}
        # what is written to at all
        self._selected: set[str] = set()

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
            self._everything = RawBuffer(out_stream=out_stream, out_name="{name}")
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
            # what a stream does not have now it may have later
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

        Tables are named as their decoders, without ``Decoder``. Of a decoder whose
        keys cannot share a table each list of keys has its own.
        """
        rb_lib = RawBufferLibrary()
        everything = RawBuffer(out_stream=out_stream, out_name="{name}")
        for decoder in self.get_decoder_list():
            name = type(decoder).__name__
            rb_lib[name] = buffers_for(everything, name, decoder)
        if not rb_lib:
            log.warning("%s has no decoders", type(self).__name__)
        return rb_lib

    def _select(self, decoder: DataDecoder) -> None:
        """Fill in what the specification leaves open for a decoder."""
        name = type(decoder).__name__
        if name not in self.rb_lib and self._everything is not None:
            self._wildcards[name] = self._everything
            self.rb_lib[name] = buffers_for(self._everything, name, decoder)
            self._patterns[name] = [(rb, ["*"]) for rb in self.rb_lib[name]]
        if name in self.rb_lib:
            self._match_patterns(name, decoder)
            expand_key_names(self.rb_lib[name])
        self._selected.add(name)

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
            if not rb.key_list and not self.may_bring_more:
                log.warning(
                    "%s: no key of the stream matches %s of buffer '%s'",
                    name,
                    patterns,
                    rb.out_name,
                )
        self.rb_lib[name].keyed_dict = None

    def _check_places(self, decoders: dict[str, DataDecoder]) -> None:
        """Refuse two buffers for one table."""
        places = Counter(
            place_of(rb)
            for name, rb in self.rb_lib.buffers()
            if name in decoders and rb.out_stream
        )
        for (file, table), count in places.items():
            if count > 1:
                msg = f"{count} buffers would write the table '{table}' of {file}"
                raise OutSpecError(msg)

    def _check_selection(self, keys: dict[str, set]) -> None:
        """Warn of decoders and keys that the stream lacks.

        Parameters
        ----------
        keys
            those that it has, by decoder.
        """
        for name in self.rb_lib:
            if name not in keys:
                self.report.warn(
                    f"this stream has no decoder '{name}': nothing comes of it"
                )
        self.selects_anything = False
        for name, there in keys.items():
            for rb in self.rb_lib.get(name, ()):
                if self._had_rows(rb) or there.intersection(rb.key_list):
                    self.selects_anything = True
                elif rb.key_list and name not in self._wildcards:
                    self.report.warn(
                        f"{name}: the stream has none of the keys of buffer "
                        f"'{rb.out_name}'"
                    )

    def _had_rows(self, rb: RawBuffer) -> bool:
        """Whether a buffer has, or has had, rows."""
        return bool(rb._used or rb.loc)

    def _set_up(
        self,
        rbs: list[RawBuffer],
        decoder: DataDecoder,
        buffer_size: int,
        columns_of: int | str | None = None,
    ) -> None:
        """Give a decoder's buffers their rows; memory is taken when the first come.

        They have the columns of the key `columns_of`, or of their first key that the
        stream announces.
        """
        keys = Counter(k for keys in decoder.get_key_lists() for k in keys)
        most = decoder.get_max_rows_in_packet()
        described: dict | None = None
        for rb in rbs:
            rb.fill_safety = most
            if most > 1:
                # one row for each key: only those that the buffer takes count
                own = sum(keys[k] for k in set(rb.key_list))
                rb.fill_safety = max(1, min(most, own))
            key = rb.key_list[0] if len(rb.key_list) > 0 else None
            key = next((k for k in rb.key_list if k in keys), key)
            key = key if columns_of is None else columns_of
            if type(decoder).make_lgdo is not DataDecoder.make_lgdo:
                make = partial(decoder.make_lgdo, key=key, size=buffer_size)
                rb._make_later(make, decoder._describe)
                continue
            if decoder._columns_of(key) is not described:
                table = decoder._make_buffer(key, 0)
                described = decoder._columns_of(key)
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

    # ---- what a stream brings later ------------------------------------------------

    def buffers_by_key(
        self, decoder: DataDecoder, buffer_size: int
    ) -> dict[int | str | None, RawBuffer]:
        """Return which buffer takes which key, after the stream has said it anew.

        Where the specification leaves the tables open they are those of a stream that
        begins so: what of them there is already takes more rows.

        Parameters
        ----------
        decoder
            one of the stream's; it may be new.
        buffer_size
            largest number of rows of a new buffer.
        """
        name = type(decoder).__name__
        if name not in self._selected:
            self._select(decoder)
            self._set_up(self.rb_lib.get(name, []), decoder, buffer_size)
        if name not in self.rb_lib:
            return {}
        template = self._wildcards.get(name)
        if template is None:
            keyed = self.rb_lib[name].get_keyed_dict()
            self.offer_keys(decoder, keyed, buffer_size)
            return dict(keyed)
        self._lists[name] = buffers_for(template, name, decoder)
        keyed = {}
        for i, wanted in enumerate(self._lists[name]):
            if names_key(wanted):
                for key in wanted.key_list:
                    rb = for_key(wanted, key)
                    keyed[key] = self._table(decoder, rb, buffer_size)
                continue
            self._lists[name][i] = rb = self._table(decoder, wanted, buffer_size)
            keyed.update(dict.fromkeys(wanted.key_list, rb))
        return keyed

    def buffer_for_key(
        self, decoder: DataDecoder, key: int | str, buffer_size: int
    ) -> RawBuffer | None:
        """Return the buffer for a key that the stream did not announce.

        Parameters
        ----------
        decoder
            the decoder with the key; its ``place_of`` says with which of its lists of
            keys the key may share a table, and what sets a table of its own apart.
        key
            the key.
        buffer_size
            largest number of rows of a new buffer.

        Returns
        -------
        rb
            None if the specification leaves the key out.
        """
        name = type(decoder).__name__
        if name not in self.rb_lib:
            return None
        template = self._wildcards.get(name)
        if template is None:
            keyed = self.rb_lib[name].get_keyed_dict()
            self.offer_keys(decoder, keyed, buffer_size, [key])
            return keyed.get(key)
        number, ending = decoder.place_of(key)
        if number is None:
            rb = buffer_for(template, name, [key], f"_{ending}")
        else:
            rb = self._lists[name][number]
        if names_key(rb):
            rb = for_key(rb, key)
        rb = self._table(decoder, rb, buffer_size)
        if key not in rb.key_list:
            rb.key_list.append(key)
        return rb

    def _table(
        self, decoder: DataDecoder, wanted: RawBuffer, buffer_size: int
    ) -> RawBuffer:
        """Return the buffer for the table that `wanted` is for: the first that was."""
        name = type(decoder).__name__
        rbs = self.rb_lib[name]
        if name not in self._tables:
            self._tables[name] = {place_of(rb): rb for rb in rbs}
        place = place_of(wanted)
        rb = self._tables[name].get(place)
        if rb is not None:
            if not rb.key_list and wanted.key_list and not self._had_rows(rb):
                # columns are those of its keys
                rb.key_list = [*wanted.key_list]
                self._set_up([rb], decoder, buffer_size)
                return rb
            known = set(rb.key_list)
            rb.key_list += [key for key in wanted.key_list if key not in known]
            return rb
        rb = self._tables[name][place] = wanted
        self._give_name(rb)
        rbs.append(rb)
        rbs.keyed_dict = None
        self._plan_for_more()
        self._set_up([rb], decoder, buffer_size)
        return rb

    def _plan_for_more(self) -> None:
        """Share out the memory among one more buffer."""
        self.plan = MemoryPlan(self.memory_limit, self.plan.tables + 1)

    def _give_name(self, rb: RawBuffer) -> None:
        """Have a new buffer write to no table that another one writes to."""
        places = {place_of(other) for _, other in self.rb_lib.buffers()}
        while place_of(rb) in places:
            rb.out_name += "_"

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
                rb._used = True
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

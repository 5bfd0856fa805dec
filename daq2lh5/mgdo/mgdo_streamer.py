"""Streamer of MGDO files."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ..errors import DecodeError
from ..selection.overflow_tables import MAX_OVERFLOW, TOO_MANY_TABLES
from ..streaming.kernel_streamer import KernelStreamer
from ._framing import CLASS_NAMES
from ._kernel import REASONS, MGDOKernel
from .baskets_ahead import BasketsAhead
from .mgdo_digitizer_decoder import DEFAULT_LAYOUT, GETGERDADigitizerDataDecoder
from .mgdo_header_decoder import MGDOHeaderDecoder
from .tree import MGTree, import_uproot, open_tree

if TYPE_CHECKING:
    from ..data_decoder import DataDecoder
    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from ..selection.overflow_tables import OverflowTables
    from .baskets import Basket
    from .mgdo_digitizer_decoder import DigitizerLayout

log = logging.getLogger(__name__)

__all__ = ["MGDOStreamer"]

MAX_NOTES = 8
"""Largest number of channels named in notes."""

MAX_TABLES = 1024
"""Largest number of tables for unannounced channels."""

UNREADABLE = next(c for c, text in REASONS.items() if "basket cannot" in text)

TRAILING = "bytes behind the end of the ROOT file, which are not read"

GERDA_CLASS = next(name for name in CLASS_NAMES if name.startswith("GETGERDA"))


class MGDOStreamer(KernelStreamer):
    """Decode the tree of an MGDO file.

    The report counts entries of the tree, and their decompressed bytes.

    Attributes
    ----------
    header_decoder, digitizer_decoder
        the decoders.
    tree
        the open file.

    Raises
    ------
    ImportError
        (which is a NotImplementedError, too) if uproot is not installed.
    """

    format_name = "MGDO"
    COUNTED = ("decoded", "skipped", "unknown")
    max_overflow = MAX_OVERFLOW
    _overflow: OverflowTables[DigitizerLayout]

    def __init__(self) -> None:
        # fails early without uproot
        import_uproot()
        self.header_decoder = MGDOHeaderDecoder()
        self.digitizer_decoder = GETGERDADigitizerDataDecoder()
        super().__init__()

    def start_anew(self) -> None:
        """Forget the last stream."""
        super().start_anew()
        self._kernel = MGDOKernel()
        self.digitizer_decoder.skipped_channels = {}
        # channels beyond the largest number of tables, and their rows
        self._without_table: set[int] = set()
        self._n_lost = 0
        self.tree: MGTree | None = None
        self._ahead: BasketsAhead | None = None
        self._basket: Basket | None = None
        self._next_basket = 0
        # bytes of the entries in previous baskets
        self._bytes_before = 0
        self._keyed: dict[int, RawBuffer] = {}
        self._first_layout = DEFAULT_LAYOUT
        self._n_new_channels = 0

    def get_decoder_list(self) -> list[DataDecoder]:
        """Return the decoders of all tables."""
        return [self.header_decoder, self.digitizer_decoder]

    # ---- opening -------------------------------------------------------------------

    def open_stream(
        self,
        stream_name: str,
        rb_lib: RawBufferLibrary | None = None,
        buffer_size: int = 8192,
        chunk_mode: str = "any_full",
        out_stream: str = "",
    ) -> list[RawBuffer]:
        """Open an MGDO file, and read up to its first valid entry.

        Parameters are those of :meth:`.DataStreamer.open_stream`.

        Returns
        -------
        header_data
            the buffer of `MGDOHeader`.

        Raises
        ------
        ImportError
            (which is a NotImplementedError, too) if uproot is not installed.
        DecodeError
            without a readable tree of MGTEvent.
        """
        source = self.open_source(stream_name)
        # the tree replaces the source
        self.tree = self.source = open_tree(source)
        self._note_trailing()
        n_channels, layout, digitizer_class = self._look_ahead()
        self._note_missing(self.header_decoder.read(self.tree, digitizer_class))
        decoder = self.digitizer_decoder
        decoder.key_list = list(range(n_channels))
        decoder.set_layout(layout)
        self._first_layout = layout
        self._buffer_size = max(buffer_size, decoder.get_max_rows_in_packet())
        super().open_stream(stream_name, rb_lib, buffer_size, chunk_mode, out_stream)

        rbs = self.rb_lib.get("GETGERDADigitizerDataDecoder")
        if rbs is not None:
            self._keyed = rbs.get_keyed_dict()
        for rb in self._keyed.values():
            self._overflow.settle(rb, layout)
        self._set_buffers()
        self._account()
        return [self._header_buffer(self.header_decoder)]

    def close_stream(self) -> None:
        """Close the input."""
        if self._ahead is not None:
            self._ahead.close()
        super().close_stream()

    def _look_ahead(self) -> tuple[int, DigitizerLayout, str]:
        """Return channels, waveforms and digitizer class of the first valid entry."""
        problem = ""
        n_channels, digitizer_class = 0, ""
        for number in range(self.tree.n_baskets):
            try:
                basket = self.tree.read(number)
            except DecodeError as e:
                problem = problem or str(e)
                continue
            for i in range(len(basket.offsets) - 1):
                data = basket.data[basket.offsets[i] : basket.offsets[i + 1]]
                found = self._kernel.look_at(data)
                if found is None:
                    text = f"entry {basket.first + i}: {self._kernel.describe_damage()}"
                    problem = problem or text
                    continue
                n_channels = n_channels or found[0]
                digitizer_class = digitizer_class or self._kernel.class_name
                if found[1] is not None:
                    return n_channels, found[1:], GERDA_CLASS
            # an entry of another class, or without rows, suffices for the header
            if n_channels:
                break
        if problem and not n_channels:
            msg = f"no entry can be decoded; {problem}"
            advice = "other versions of MGDO's classes are not supported"
            raise DecodeError(msg, self.tree.name, advice=advice)
        return n_channels, DEFAULT_LAYOUT, digitizer_class

    def _note_missing(self, missing: list[str]) -> None:
        for name in missing:
            self.report.warn(f"the file has no object '{name}', or it cannot be read")

    def _note_trailing(self) -> None:
        """Warn of bytes behind the ROOT file, as in joined files."""
        trailing = self.tree.trailing
        if trailing is None:
            return
        rest = f"{trailing.length} bytes follow and are not read"
        if trailing.is_root:
            rest = (
                f"another ROOT file of {trailing.length} bytes follows and is not "
                "read: split the input there, and convert each file"
            )
        self.report.warn(f"the ROOT file ends at byte {trailing.start}; {rest}")

    def _set_buffers(self) -> None:
        self._kernel.set_buffers(self._keyed, self._overflow.shapes)

    # ---- reading -------------------------------------------------------------------

    def _read(self, limit: int) -> bool:
        """Run the kernel until a buffer is full, or `limit` entries are decoded."""
        kernel = self._kernel
        more = True
        done = 0
        full = False
        while more and done < limit and not full:
            if self._basket is None:
                more = self._read_basket()
                continue
            status = self._decode(limit - done)
            done += kernel.n_packets
            full = kernel.any_full
            if status == MGDOKernel.WIDTH:
                full |= self._other_layout()
            elif status == MGDOKernel.KEY:
                self._new_channel(kernel.detail_channel)
            more = kernel.rows_left != 0
        self.any_full |= full
        self.n_bytes_read = self.tree.bytes_read
        return more

    def _read_basket(self) -> bool:
        """Read the next readable basket; False at the end."""
        number = self._next_basket
        if number >= self.tree.n_baskets:
            self.tree.at_end = True
            return False
        self._next_basket += 1
        self._kernel.next_entry = 0
        try:
            if self._ahead is None:
                self._ahead = BasketsAhead(self.tree)
            self._basket = self._ahead.read(number)
            self.tree.bytes_read += self.tree.stored_bytes(number)
        except DecodeError as e:
            first, stop = self.tree.entries_of(number)
            log.warning("%s", e)
            # the lengths of the entries are unknown
            problem = str(e).removeprefix(f"{self.tree.name}: ")
            self.end_damaged(
                *(self._bytes_before, self._bytes_before, "corrupt", problem),
                *(int(UNREADABLE), first),
            )
            self.report.packets["corrupt"] += stop - first - 1
        return True

    def _decode(self, limit: int) -> int:
        """Run the kernel on the current basket."""
        kernel, basket = self._kernel, self._basket
        status = kernel.decode_basket(basket.data, basket.offsets, basket.first, limit)
        if status == MGDOKernel.UNKNOWN:
            self.report.add_unknown(kernel.class_name)
        elif status == MGDOKernel.SKIPPED:
            i = kernel.next_entry - 1
            start, stop = (int(n) for n in basket.offsets[i : i + 2])
            if not 0 <= start <= stop <= len(basket.data):
                start = stop = 0
            self.hold_damaged(memoryview(basket.data)[start:stop])
            problem = f"entry {basket.first + i}: {kernel.describe_damage()}"
            start, stop = (n + self._bytes_before for n in (start, stop))
            # the entry's own number
            code, number = kernel.damage_code, basket.first + i
            self.end_damaged(start, stop, "corrupt", problem, code, number)
        elif status == MGDOKernel.MORE:
            self._bytes_before += len(basket.data)
            self._basket = None
        return status

    def _new_channel(self, channel: int) -> None:
        """React to a channel missing in the first entry's list."""
        decoder = self.digitizer_decoder
        if type(decoder).__name__ not in self.rb_lib or channel in self._without_table:
            return
        rbs = self.rb_lib[type(decoder).__name__]
        if len(rbs) > MAX_TABLES:
            self.report.warn(
                f"more than {MAX_TABLES} new tables: other channels are not decoded"
            )
            self._without_table.add(channel)
            return
        decoder.set_layout(self._first_layout)
        self.offer_keys(decoder, self._keyed, self._buffer_size, [channel])
        rb = self._keyed.get(channel)
        if rb is None:
            # not selected
            return
        self._n_new_channels += 1
        if self._n_new_channels <= MAX_NOTES:
            self.report.note(f"channel {channel} is not in the file's list of channels")
        if not self._kernel.set_channel(channel, rb):
            self._overflow.settle(rb, self._first_layout)
            self._kernel.end()
            self._set_buffers()
            self._kernel.begin()

    # ---- waveforms that differ -----------------------------------------------------

    def _other_layout(self) -> bool:
        """React to a row that does not fit its buffer; True ends the batch."""
        channel = self._kernel.detail_channel
        # implausibly high channels share the buffer of the first of them
        channel = channel if channel in self._keyed else max(self._keyed)
        layout = self._kernel.wanted_layout
        rb = self._keyed[channel]
        if self._overflow.shapes[id(rb)] == layout or not rb.private:
            msg = f"waveforms of {layout} do not fit the buffer '{rb.out_name}'"
            raise ValueError(msg)
        change = partial(self._use_overflow, channel, layout)
        return self._change_buffers(change, wait=rb.loc > 0)

    def _use_overflow(self, channel: int, layout: DigitizerLayout) -> None:
        """Send the rows of a channel to a buffer for other waveforms."""
        first = self._overflow.first(self._keyed[channel])
        rb = self._overflow.find(first, layout)
        if rb is not None:
            self._keyed[channel] = rb
        elif not self._overflow.has_room(first):
            self.report.warn(
                f"more than {MAX_OVERFLOW} kinds of waveforms: others are not decoded"
            )
            self._without_table.add(channel)
            del self._keyed[channel]
        else:
            self._keyed[channel] = self._open_overflow(first, layout)
        self._set_buffers()

    def _open_overflow(self, first: RawBuffer, layout: DigitizerLayout) -> RawBuffer:
        (use_aux, *lengths), dtypes = layout
        parts = [*map(str, lengths[: 1 + use_aux])]
        parts += [t for t in dict.fromkeys(dtypes) if t != "uint16"]
        if not use_aux and self._overflow.shapes[id(first)][0][0]:
            parts.append("waveform")
        decoder = self.digitizer_decoder
        decoder.set_layout(layout)
        rb = self._overflow.open(first, layout, decoder, "_".join(parts))
        self.report.note(f"waveforms of another kind: table {rb.out_name}")
        return rb

    # ---- accounting ----------------------------------------------------------------

    def _account(self) -> None:
        """Update the report from the kernel's counts."""
        super()._account()
        self._account_for_irregular()
        report, kernel = self.report, self._kernel
        report.note("packets are entries of the tree, bytes are decompressed")
        if self.tree.trailing is not None:
            report.irregular[TRAILING] = 1
            report.bytes["unknown"] += self.tree.trailing.length
        skipped = self.digitizer_decoder.skipped_channels
        for key, n in kernel.skipped_channels().items():
            if key in self._without_table:
                self._n_lost += n
            else:
                skipped[key] = skipped.get(key, 0) + n
        if self._n_lost:
            report.irregular[TOO_MANY_TABLES] = self._n_lost
            if not skipped:
                # the specification selects all: skipped entries lack a table
                for counts in (report.packets, report.bytes):
                    counts["unknown"] += counts["skipped"]
                    counts["skipped"] = 0
        self._account_for_channels(self.digitizer_decoder)

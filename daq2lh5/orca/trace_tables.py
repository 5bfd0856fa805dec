"""Tables for traces: one table per trace length."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..selection.overflow_tables import MAX_OVERFLOW
from .flashcam.fcio_packets import FcioPackets
from .orca_digitizers import DigitizerDecoder
from .orca_fcio import FCIODecoder

if TYPE_CHECKING:
    from ..raw_buffer import RawBuffer
    from .orca_base import KernelDecoder, OrcaDecoder

__all__ = ["TraceTables"]

MAX_TABLES = 4096
"""Largest number of overflow tables of a table."""


class TraceTables(FcioPackets):
    """Distributes traces among tables by their length.

    A table has the trace length of the header, or of its first trace. Traces of other
    lengths go to overflow tables. In each run of a file, lengths are determined again.
    """

    _names: list[str]
    max_overflow = MAX_TABLES

    def start_anew(self) -> None:
        """Reset the state for another stream."""
        super().start_anew()
        # by id of a first buffer: the overflow table that the kernel tries first; and
        # ids of first buffers that had rows
        self._heads: dict[int, RawBuffer] = {}
        self._written: set[int] = set()
        # ids of first buffers without rows in the current run
        self._beginning: set[int] = set()

    def _set_buffers(self, decoder: KernelDecoder) -> None:
        """Set the kernel's buffers for the traces of a decoder."""
        name = type(decoder).__name__
        heads = self._heads
        keyed = {key: heads.get(id(rb), rb) for key, rb in self._keyed[name].items()}
        if isinstance(decoder, DigitizerDecoder):
            periods = decoder.periods()
            # a channel that the header lacks stops the kernel at its first event
            keyed = {k: rb for k, rb in keyed.items() if rb is None or k in periods}
            if name not in self.rb_lib:
                keyed[None] = None
        decoder.set_buffers(self._kernel, keyed, self._overflow_of)

    def _overflow_of(self, head: RawBuffer) -> list[RawBuffer]:
        """Return the overflow buffers of a buffer."""
        first = self._overflow.first(head)
        if id(first) in self._beginning:
            # its first trace in this run determines the length
            return []
        return [rb for rb in (first, *self._overflow.beside(first)) if rb is not head]

    def _start_run(self, rbs: list[RawBuffer]) -> None:
        """Begin a run: the next trace of each table determines its length."""
        self._written |= {id(rb) for rb in rbs if self._has_rows(rb)}
        for rb in rbs:
            if id(rb) not in self._written:
                self._overflow.forget(rb)
            elif rb.table is not None and rb not in self._overflow:
                self._overflow.settle(rb, rb.n_samples)
            rb.used = False
        self._heads = {}
        self._beginning = set()

    def _begin_tables(self, decoder: KernelDecoder) -> None:
        """Set the header's trace lengths for tables with rows of earlier runs."""
        keyed = self._keyed[type(decoder).__name__]
        # each buffer with its first key
        tables = {id(rb): (rb, key) for key, rb in reversed(keyed.items())}
        for rb, key in tables.values():
            if rb is not None:
                self._begin_table(rb, decoder, key)

    def _begin_table(self, rb: RawBuffer, decoder: KernelDecoder, key: Any) -> None:
        """Begin a table with the trace length in the header for a key."""
        if rb.table is None or self._has_rows(rb):
            return
        columns = decoder.columns_of(key)
        n_samples = columns.get("waveform", {}).get("wf_len", 0)
        if self._begin_with(rb, decoder, key, n_samples):
            self._beginning.add(id(rb))

    def _begin_with(
        self, first: RawBuffer, decoder: OrcaDecoder, key: Any, n_samples: int
    ) -> bool:
        """Begin a table with traces of `n_samples`; False if no table is left."""
        rb = self._fitting(first, decoder, n_samples, key)
        if rb is None:
            return False
        if not self._has_rows(self._heads.get(id(first), first)):
            self._heads[id(first)] = rb
        return True

    def _other_width(self) -> None:
        """Find a buffer for a trace whose length differs from its buffer's."""
        kernel = self._kernel
        decoder = self.decoders[self._names[kernel.detail_decoder]]
        rb = kernel.detail_buffer
        if rb.table is None:
            msg = (
                f"a trace has {kernel.detail_samples} samples, but the rows of its "
                f"buffer '{rb.out_name}' have {kernel.detail_width}: use another buffer"
            )
            raise ValueError(msg)
        key = kernel.detail_key
        if key not in self._keyed[type(decoder).__name__]:
            # all channels share a table
            key = None
        first = self._overflow.first(rb)
        if not self._has_place(first, kernel.detail_samples):
            kernel.skip_trace()
            return
        change = partial(self._make_room, first, decoder, key, kernel.detail_samples)
        self._change_buffers(change, wait=rb.loc > 0 or kernel.any_full)

    def _make_room(
        self, first: RawBuffer, decoder: KernelDecoder, key: Any, n_samples: int
    ) -> None:
        """Make room for traces of `n_samples`: in the first or an overflow table."""
        self._begin_with(first, decoder, key, n_samples)
        self._beginning.discard(id(first))
        self._set_buffers(decoder)

    @staticmethod
    def _has_rows(rb: RawBuffer) -> bool:
        """Whether a buffer had rows in this run: then its trace length is fixed."""
        return bool(rb.used or rb.loc or rb.exposed)

    def _had_rows(self, rb: RawBuffer) -> bool:
        return super()._had_rows(rb) or id(rb) in self._written

    def _has_place(self, first: RawBuffer, n_samples: int) -> bool:
        """Whether a table for a length exists or can be created."""
        if not self._is_settled(first) or self._overflow.find(first, n_samples):
            return True
        if self._overflow.has_room(first):
            return True
        self.report.warn(
            f"more than {MAX_OVERFLOW} lengths of waveforms: others are not decoded"
        )
        return False

    def _is_settled(self, rb: RawBuffer) -> bool:
        """Whether the length of a buffer's traces is fixed."""
        if rb not in self._overflow and (self._has_rows(rb) or id(rb) in self._written):
            self._overflow.settle(rb, rb.n_samples)
        return rb in self._overflow

    def _fitting(
        self, rb: RawBuffer, decoder: OrcaDecoder, n_samples: int, key: Any
    ) -> RawBuffer | None:
        """Return the buffer for traces of `n_samples`: `rb` or an overflow buffer.

        None if no overflow table is left.
        """
        if rb.table is None:
            # the user owns this buffer
            return rb
        if not self._has_place(rb, n_samples):
            return None
        columns = decoder.columns_of(key)
        columns["waveform"] = columns["waveform"] | {"wf_len": n_samples}
        if not self._is_settled(rb):
            # the first trace overrides the header's length
            if isinstance(decoder, FCIODecoder):
                self._overflow.settle(rb, n_samples)
            self._set_up([rb], decoder, self._buffer_size, key)
            return rb
        found = self._overflow.find(rb, n_samples)
        if found is None:
            self._plan_for_more()
            found = self._overflow.open(
                rb, n_samples, decoder, n_samples, columns_of=key
            )
        return found

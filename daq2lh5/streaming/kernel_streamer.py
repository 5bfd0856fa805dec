"""Base class of streamers whose records are decoded by a kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..data_streamer import DataStreamer
from ..raw_buffer import RawBuffer
from ..selection.overflow_tables import OverflowTables

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._core.kernel import Kernel
    from ..data_decoder import DataDecoder

__all__ = ["KernelStreamer"]


class KernelStreamer(DataStreamer):
    """Pass the bytes of a stream to a kernel, which decodes many records at a time.

    A derived class sets `_kernel` in :meth:`start_anew`, or when a stream is opened,
    assigns buffers to it, and overrides those of the methods below that its format
    needs.
    """

    _kernel: Kernel
    """Decodes the bytes: see :class:`~daq2lh5._core.kernel.Kernel`, the contract."""

    COUNTED: tuple[str, ...] = ("decoded", "skipped")
    """Fates whose records and bytes the kernel counts: the first of its `FATES`."""

    max_overflow: float = math.inf
    """Largest number of overflow tables of a stream."""

    def start_anew(self) -> None:
        """Forget the last stream; called before one is opened again."""
        super().start_anew()
        self._buffer_size = 0
        self._header_bytes = 0
        # whether reading is complete, and rows that are not selected, as last reported
        self._is_over = False
        self._n_unwanted: dict[str, int] = {}
        self._overflow: OverflowTables[Any] = OverflowTables(
            self._open_table, self.max_overflow
        )
        # a change of the buffers that waits until the current batch is handed out
        self._change: Callable[[], None] | None = None

    def close_stream(self) -> None:
        """Close the input."""
        if self.source is not None:
            self.source.close()

    # ---- for derived classes -------------------------------------------------------

    def _look(self, status: int, window: memoryview) -> None:
        """React to a status of the kernel before its bytes are consumed."""

    def _react(self, status: int) -> bool:  # noqa: ARG002
        """React to a status after its bytes are consumed; True ends the batch."""
        return False

    def _kind_of_unknown(self, reason: str) -> str:
        """Return the kind that an unknown range is counted as; empty: not counted."""
        return reason

    # ---- reading -------------------------------------------------------------------

    def read_packet(self) -> bool:
        """Decode one record; False at the end of the stream."""
        return self.read_packets(1)

    def read_packets(self, limit: int) -> bool:
        """Decode up to `limit` records, see :meth:`.DataStreamer.read_packets`."""
        if self._change is not None:
            change, self._change = self._change, None
            change()
        kernel = self._kernel
        kernel.rows_left = -1 if self.rows_left is None else self.rows_left
        kernel.begin()
        try:
            more = self._read(limit)
            self._is_over = not more
            if not more:
                self.account_for_holes()
        finally:
            kernel.end()
            self._account()
        if self.rows_left is not None:
            self.rows_left = kernel.rows_left
        self.packet_id = kernel.packet_id
        return more

    def _read(self, limit: int) -> bool:
        """Run the kernel until a buffer is full, or `limit` records are decoded."""
        kernel = self._kernel
        more = True
        done = 0
        while done < limit:
            status = self._decode(limit - done)
            done += kernel.n_packets
            over = self._react(status)
            if status == kernel.FULL:
                self.any_full = True
                break
            if status == kernel.END or kernel.rows_left == 0:
                more = False
                break
            if over:
                break
        self.n_bytes_read = self.source.offset
        return more

    def _decode(self, limit: int) -> int:
        """Run the kernel over the window; extend the window when the kernel asks."""
        source, kernel = self.source, self._kernel
        window = source.window
        left = None if source.size is None else source.size - source.offset
        status = kernel.decode(window, source.offset, left, source.at_end, limit)
        self._look(status, window)
        if status == kernel.SKIPPED or kernel.scanning:
            self._keep_damaged(window, status == kernel.SKIPPED)
        del window
        source.consume(kernel.consumed)
        if status == kernel.MORE:
            source.fill(kernel.need - kernel.consumed)
        return status

    # ---- buffers -------------------------------------------------------------------

    def _header_buffer(self, decoder: DataDecoder) -> RawBuffer:
        """Return the buffer of a header, with its one row."""
        rbs = self.rb_lib.get(type(decoder).__name__)
        rb = rbs[0] if rbs else RawBuffer()
        if not rbs:
            rb.make_later(decoder.make_lgdo, decoder.describe_lgdo)
        rb.loc = 1
        return rb

    def _open_table(
        self, rb: RawBuffer, decoder: DataDecoder, columns_of: Any = None
    ) -> None:
        """Add the buffer of a new table, for rows of a decoder."""
        self._add_table(type(decoder).__name__, rb)
        self._set_up([rb], decoder, self._buffer_size, columns_of)

    def _change_buffers(self, change: Callable[[], None], wait: bool = False) -> bool:
        """Change the kernel's buffers.

        Parameters
        ----------
        change
            makes the change.
        wait
            whether rows in the buffers must be handed out before the change: the batch
            ends, and the change is made at the beginning of the next one.

        Returns
        -------
        over
            whether the batch ends.
        """
        if wait:
            self._change = change
            self._flush = self.any_full = True
            return True
        self._kernel.end()
        change()
        self._kernel.begin()
        return False

    # ---- accounting ----------------------------------------------------------------

    def _keep_damaged(self, window: memoryview, over: bool) -> None:
        """Keep the bytes of a damaged range; report the range at its end."""
        kernel = self._kernel
        start, end, fate, reason, code = kernel.damaged
        first = max(start - self.source.offset, 0)
        self.hold_damaged(window[first : max(kernel.consumed, first)])
        if not over:
            return
        if fate == "unknown" and (kind := self._kind_of_unknown(reason)):
            self.report.add_unknown(kind)
        self.end_damaged(start, end, fate, reason, code, kernel.packet_id)

    def _account(self) -> None:
        """Bring the report up to date with the kernel's counts."""
        report, kernel = self.report, self._kernel
        for i, fate in enumerate(self.COUNTED):
            report.packets[fate] = kernel.packets[i]
            report.bytes[fate] = kernel.bytes[i]
        report.bytes["decoded"] += self._header_bytes
        self.account_for_source()

    def _account_for_irregular(self) -> None:
        """Report the violations of the format's rules that the kernel accepted."""
        irregular = self.report.irregular
        irregular.update(
            {k: n - irregular[k] for k, n in self._kernel.irregular.items()}
        )

    def _account_for_channels(self, decoder: DataDecoder) -> None:
        """Report rows of channels that are not selected."""
        if not decoder.skipped_channels:
            return
        name = type(decoder).__name__
        n = sum(decoder.skipped_channels.values())
        # not the whole list each time: there may be many channels, and many batches
        if not self._is_over and n < self._n_unwanted.get(name, 0) * 5 // 4:
            return
        self._n_unwanted[name] = n
        counts = {str(key): n for key, n in decoder.skipped_channels.items()}
        self.report.skipped_channels[name] = counts

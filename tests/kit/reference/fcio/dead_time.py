"""Dead time of each trace (FCIO format, 4.4)."""

from __future__ import annotations

from collections import deque

from kit.reference.fcio.framing import NotWellFormedError

SECOND = 1_000_000_000
TICK = 4
"""Nanoseconds in a tick (format 2.1)."""


MAX_PENDING = 2048
"""Dead intervals that may wait per trace (format 1.4)."""


class DeadTimeTracker:
    """Run time and dead time of each trace since the last Config (format 4.4)."""

    def __init__(self, n_traces: int) -> None:
        self.n_traces = n_traces
        self.pending: list[deque[tuple[int, int]]] = [deque() for _ in range(n_traces)]
        self.newest_end = [0] * n_traces
        self.enabled_at = [-1] * n_traces
        self.dead_time = [0] * n_traces
        self.dead_interval = [0] * n_traces
        self.run_time = [0] * n_traces

    def update(
        self, event_type: int, now: int, region: list[int], offset: list[int]
    ) -> None:
        """Take the dead region of an event into account.

        Parameters
        ----------
        now
            the event's time on the FPGA's clock, ns.
        region, offset
            the integers of deadregion and timeoffset.
        """
        # Step 1, with the clamp of format 9.
        first = min(max(region[5], 0), self.n_traces)
        block = range(first, first + min(max(region[6], 0), self.n_traces - first))
        # Step 2.
        affected = block if event_type == 11 else range(self.n_traces)
        # Step 3.
        start = SECOND * region[0] + TICK * region[1]
        end = SECOND * region[2] + TICK * region[3]

        # Step 4.
        if any(self.enabled_at[i] == -1 for i in affected):
            enabled_at = None
            if start == 0 and end > 0:
                enabled_at = end
            elif start == 0 and end == 0:
                enabled_at = SECOND * offset[5] + 1000 * offset[6]
            if enabled_at is not None:
                for i in affected:
                    self.enabled_at[i] = enabled_at

        # Step 5.
        if start > 0:
            for i in block:
                if len(self.pending[i]) == MAX_PENDING:
                    raise NotWellFormedError(f"too many dead intervals of trace {i}")
                if end > self.newest_end[i]:
                    self.pending[i].append((start, end))
                    self.newest_end[i] = end

        # Step 6.
        for i in affected:
            self.dead_interval[i] = 0

        # Step 7.
        while self._is_due(block, now):
            ended = [self._pop(i) for i in block]
            targets = block
            if region[6] == 1 and ended:
                # Behaviour A broadcasts a lone duration. Other numbers than that of
                # the affected traces make it fail: then only the block counts, as
                # recommended.
                targets = affected
                ended = ended * len(affected)
            for i, duration in zip(targets, ended, strict=True):
                self.dead_interval[i] = duration
                self.dead_time[i] += duration

        # Step 8.
        self.run_time = [now - enabled_at for enabled_at in self.enabled_at]

    def _is_due(self, block: range, now: int) -> bool:
        for i in block:
            if not self.pending[i]:
                return False
            if now - self.pending[i][0][1] > -4:
                return True
        return False

    def _pop(self, i: int) -> int:
        if not self.pending[i]:
            raise NotWellFormedError(f"trace {i} lacks the dead interval of its block")
        start, end = self.pending[i].popleft()
        return end - start

"""Base classes of decoders of digitizers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from ..orca_base import KernelDecoder, get_card, get_ccc, get_crate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...buffers.declaration import Table
    from ...raw_buffer import RawBuffer
    from .._kernel import OrcaKernel
    from ..orca_header import OrcaHeader

__all__ = ["DigitizerDecoder", "OneTableDecoder", "mask_of", "number"]


MAX_NOTES = 16
"""Largest number of channels or cards named in notes."""

MAX_SAMPLES = 1 << 25
"""Samples that the longest packet could have."""


def number(settings: Any, name: str | int, default: int = 0) -> int:
    """Return a count from the settings of a card, or from a list in them."""
    try:
        value = settings[name]
    except (KeyError, IndexError, TypeError):
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and value >= 0 else default


def mask_of(flags: Any) -> int:
    """Return a list of truth values as a number: bit 0 for the first."""
    if not isinstance(flags, list):
        return 0
    return sum(1 << c for c, each in enumerate(flags) if each)


class DigitizerDecoder(KernelDecoder):
    """Base class of decoders of digitizers.

    Attributes
    ----------
    decoded_values
        columns of the tables by key, see :func:`.get_ccc`: one for each channel in use.
    skipped_channels
        number of unselected traces by key.
    """

    card_class: ClassVar[str]
    n_channels: ClassVar[int]
    table: ClassVar[Table]
    optional: ClassVar[tuple[str, ...]] = ()
    """Columns of `table` that legend-daq2lh5 lacks; written on request."""
    extras: ClassVar[tuple[str, ...]] = ()
    """Optional columns to write always; set on the class before opening a stream."""
    period: ClassVar[float]
    """Sampling period in ns, if the header lacks it; NaN: unknown.

    For cards with another clock set it on the class before opening a stream.
    """
    clock: ClassVar[str] = "clockSource"
    """Setting that determines the sampling period, for some cards."""

    def __init__(
        self,
        header: OrcaHeader | None = None,
        *,
        extra_columns: bool = False,
        **kwargs: Any,
    ) -> None:
        unwanted = set() if extra_columns else {*self.optional} - {*self.extras}
        self.decoded_values_template = {
            name: value
            for name, value in self.table.decoded_values().items()
            if name not in unwanted
        }
        self.decoded_values_template["waveform"] |= {"dt": self.period}
        self.decoded_values: dict[int | None, dict[str, Any]] = {}
        self.skipped_channels: dict[int, int] = {}
        self._others: dict[int | None, dict[str, Any]] = {}
        super().__init__(header=header, extra_columns=extra_columns, **kwargs)

    def set_header(self, header: OrcaHeader) -> None:
        """Set the channels in use and their trace lengths from a header."""
        super().set_header(header)
        self.decoded_values = {}
        self._others: dict[int | None, dict[str, Any]] = {}
        self._cards: dict[int | None, tuple[dict[str, Any], int]] = {}
        self._without_period: dict[str, None] = {}
        for key, settings, channel, in_use in self._channels(header):
            self._cards[key] = settings, channel
            if in_use:
                self.decoded_values[key] = self._values(key)

    def _channels(
        self, header: OrcaHeader
    ) -> Iterator[tuple[int | None, dict[str, Any], int, bool]]:
        """Iterate over the channels of the header's cards.

        Yields
        ------
        key
            key of the channel.
        settings
            settings of its card.
        channel
            number of the channel.
        in_use
            whether the header lists the channel as in use.
        """
        for crate, cards in header.get_object_info(self.card_class).items():
            for slot, card in cards.items():
                mask = self._mask(card)
                for channel in range(self.n_channels):
                    key = get_ccc(int(crate), int(slot), channel)
                    yield key, card, channel, bool(mask >> channel & 1)

    def _values(self, key: int | None) -> dict[str, Any]:
        """Return the columns of a channel."""
        # deep copies for hundreds of channels would take milliseconds
        values = {name: dict(v) for name, v in self.decoded_values_template.items()}
        settings, channel = self._cards.get(key, ({}, 0))
        n_samples, period = self._trace(settings, channel)
        if n_samples > MAX_SAMPLES:
            # too long for any packet: the first trace determines the length
            n_samples = 0
        values["waveform"] |= {"wf_len": n_samples, "dt": period}
        if math.isnan(period):
            self._without_period[self._why_no_period(key, settings)] = None
        return values

    def _mask(self, card: dict[str, Any]) -> int:
        """Return the channels in use of a card: bit 0 for channel 0."""
        raise NotImplementedError

    def _trace(
        self,
        card: dict[str, Any],  # noqa: ARG002  (unused by most)
        channel: int,  # noqa: ARG002
    ) -> tuple[int, float]:
        """Return the samples of a channel's traces and their period in ns.

        If the first trace determines the number of samples, it is 0. An unknown period
        is NaN. The settings are empty for a card that the header lacks.
        """
        return 0, self.period

    def _why_no_period(self, key: int | None, card: dict[str, Any]) -> str:
        """Return why the sampling period of a channel is unknown."""
        place = f"crate {get_crate(key)}, card {get_card(key)}"
        if not card:
            return f"{place}: the header has no such card"
        return f"{place}: {self.clock} {card.get(self.clock)!r} has no known period"

    def period_notes(self) -> list[str]:
        """Return notes about unknown or assumed sampling periods."""
        notes = [
            f"sampling period unknown, dt is NaN ({why})"
            for why in self._without_period
        ]
        if len(notes) > MAX_NOTES:
            n = len(notes) - MAX_NOTES
            notes[MAX_NOTES:] = [f"sampling periods of {n} more cards are unknown"]
        return notes

    def place_of(self, key: int | str) -> tuple[int | None, str]:  # noqa: D102
        return None, str(key)

    def take_on(self, key: int, n_samples: int = 0) -> None:  # noqa: D102
        values = self._others[key] = self._values(key)
        values["waveform"]["wf_len"] = values["waveform"]["wf_len"] or n_samples

    def period_of(self, key: int | None) -> float:
        """Return the sampling period of a channel in ns."""
        return self.columns_of(key)["waveform"]["dt"]

    def periods(self) -> dict[int | None, float]:
        """Return the sampling periods in ns by key."""
        return {
            key: values["waveform"]["dt"]
            for key, values in (self.decoded_values | self._others).items()
        }

    def set_buffers(  # noqa: D102
        self,
        kernel: OrcaKernel,
        keyed: dict,
        overflow_of: Callable[[RawBuffer], Sequence[RawBuffer]],
    ) -> None:
        kernel.set_channel_buffers(self.kind, keyed, overflow_of, self.periods())

    def get_key_lists(self) -> list[list[int | None]]:
        """Return the keys of the channels in use, each in a list of its own."""
        return [[key] for key in self.decoded_values]

    def get_decoded_values(self, key: int | None = None) -> dict[str, Any]:
        """Return the columns of the table for a key.

        Raises
        ------
        KeyError
            if the channel is not in use, and no event has its key.
        """
        if key is None:
            return next(
                iter(self.decoded_values.values()), self.decoded_values_template
            )
        if key in self.decoded_values:
            return self.decoded_values[key]
        return self._others[key]

    def assert_nsamples(self, nsamples: int, key: int | None) -> None:
        """Set another number of samples for the traces of a channel.

        Parameters
        ----------
        nsamples
            number of samples.
        key
            key of the channel.
        """
        self.get_decoded_values(key)["waveform"]["wf_len"] = nsamples

    def get_max_rows_in_packet(self) -> int:
        """Return 1: the buffer grows for packets of several events."""
        return 1


class OneTableDecoder(DigitizerDecoder):
    """Base class of decoders of cards whose channels the header does not list.

    All channels share one table, whose only key is None. The first trace determines the
    number of samples of a row.
    """

    def _channels(
        self,
        header: OrcaHeader,  # noqa: ARG002  (it lacks the channels)
    ) -> Iterator[tuple[int | None, dict[str, Any], int, bool]]:
        yield None, {}, 0, True

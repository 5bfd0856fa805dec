"""What the decoders of digitizers share."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from .orca_base import KernelDecoder, get_ccc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..columns import Table
    from .orca_header import OrcaHeader

__all__ = ["DigitizerDecoder", "OneTableDecoder", "mask_of", "number"]


MAX_SAMPLES = 1 << 25
"""Samples that the longest packet could have."""


def number(settings: Any, name: str | int, default: int = 0) -> int:
    """Return a count among the settings of a card, or in a list there."""
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
    """What the decoders of digitizers share.

    Attributes
    ----------
    decoded_values_template
        columns of the tables, before a header says how long the traces are.
    decoded_values
        columns of the tables by key, see :func:`.get_ccc`: one for each channel in use.
    skipped_channels
        number of traces, by key, that no buffer asked for.
    """

    card_class: ClassVar[str]
    n_channels: ClassVar[int]
    table: ClassVar[Table]
    optional: ClassVar[tuple[str, ...]] = ()
    """Columns of `table` that legend-daq2lh5 lacks: written on request."""
    extras: ClassVar[tuple[str, ...]] = ()
    """Those that are always written; set it on the class before a stream is opened."""
    period: ClassVar[float]
    """Sampling period in ns, where the header does not tell it.

    For cards with another clock set it on the class before a stream is opened.
    """

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
        super().__init__(header=header, extra_columns=extra_columns, **kwargs)

    def set_header(self, header: OrcaHeader) -> None:
        """Take the channels in use and the lengths of their traces from a header."""
        super().set_header(header)
        self.decoded_values = {}
        self._cards: dict[int | None, dict[str, Any]] = {}
        for key, settings, channel in self._channels(header):
            self.decoded_values[key] = self._values(settings, channel)
            self._cards[key] = settings

    def _channels(
        self, header: OrcaHeader
    ) -> Iterator[tuple[int | None, dict[str, Any], int]]:
        """Go through the channels in use: key, settings of the card, channel."""
        for crate, cards in header.get_object_info(self.card_class).items():
            for slot, card in cards.items():
                mask = self._mask(card)
                for channel in range(self.n_channels):
                    if mask >> channel & 1:
                        yield get_ccc(int(crate), int(slot), channel), card, channel

    def _values(self, card: dict[str, Any], channel: int) -> dict[str, Any]:
        """Return the columns of a channel."""
        values = copy.deepcopy(self.decoded_values_template)
        n_samples, period = self._trace(card, channel)
        if n_samples > MAX_SAMPLES:
            # no packet can have them: the first trace tells
            n_samples = 0
        values["waveform"] |= {"wf_len": n_samples, "dt": period}
        return values

    def _mask(self, card: dict[str, Any]) -> int:
        """Return the channels in use of a card: bit 0 for channel 0."""
        raise NotImplementedError

    def _trace(
        self,
        card: dict[str, Any],  # noqa: ARG002  (most do not tell)
        channel: int,  # noqa: ARG002
    ) -> tuple[int, float]:
        """Return the samples of a channel's traces and their period in ns.

        Where the header gives no number of samples, it is 0: the first trace tells.
        """
        return 0, self.period

    def get_key_lists(self) -> list[list[int | None]]:
        """Return the keys of the channels in use, each in a list of its own."""
        return [[key] for key in self.decoded_values]

    def get_decoded_values(self, key: int | None = None) -> dict[str, Any]:
        """Return the columns of the table for a key.

        Raises
        ------
        KeyError
            if the channel with that key is not in use.
        """
        if key is None:
            return next(
                iter(self.decoded_values.values()), self.decoded_values_template
            )
        return self.decoded_values[key]

    def assert_nsamples(self, nsamples: int, key: int | None) -> None:
        """Use another number of samples for the traces of a channel.

        Parameters
        ----------
        nsamples
            the number.
        key
            key of the channel.
        """
        self.decoded_values[key]["waveform"]["wf_len"] = nsamples

    def get_max_rows_in_packet(self) -> int:
        """Return 1: for a packet of more events the buffer is made larger."""
        return 1


class OneTableDecoder(DigitizerDecoder):
    """A decoder of cards of which the header does not tell the channels in use.

    All channels have one table, and its only key is None. How many samples a row has
    is told by the first trace.
    """

    def _channels(
        self,
        header: OrcaHeader,  # noqa: ARG002  (it does not tell)
    ) -> Iterator[tuple[int | None, dict[str, Any], int]]:
        yield None, {}, 0

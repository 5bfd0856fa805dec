"""Decoders of Struck digitizers: SIS3302, SIS3316, SIS3305 and SIS3320."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .columns import SIS3302, SIS3305, SIS3316, SIS3320
from .decoder import DigitizerDecoder, OneTableDecoder, number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...raw_buffer import RawBuffer
    from .._kernel import OrcaKernel
    from ..orca_header import OrcaHeader

__all__ = [
    "ORSIS3302DecoderForEnergy",
    "ORSIS3305DecoderForWaveform",
    "ORSIS3316WaveformDecoder",
    "ORSIS3320WaveformDecoder",
]

SIS3302_PERIODS = {0: 10, 1: 20, 2: 40, 3: 100, 4: 1000, 7: 10}
SIS3320_PERIODS = {0: 5, 1: 10, 2: 20, 7: 4}
"""Sampling periods in ns by ``clockSource``; other values are external clocks."""


class ORSIS3302DecoderForEnergy(DigitizerDecoder):
    """Decode traces of SIS3302 cards (ORCA format, 4.5): one row each.

    A packet is :ref:`wire-sis3302`, :ref:`wire-sis3302_ring` if the samples form a
    ring, the samples, two per word, the trace of the energy filter, one value per word,
    and :ref:`wire-sis3302_end`.

    Columns ``flags`` and ``energy_waveform`` are only written if `extras` names them.
    """

    kind = "sis3302"
    card_class = "ORSIS3302Model"
    n_channels = 8
    table = SIS3302
    period = math.nan
    optional = ("flags", "energy_waveform")

    def _mask(self, card: dict[str, Any]) -> int:
        internal = number(card, "internalTriggerEnabledMask")
        return internal | number(card, "externalTriggerEnabledMask")

    def _trace(self, card: dict[str, Any], channel: int) -> tuple[int, float]:
        # one length per two channels
        n_samples = number(card.get("sampleLengths"), channel // 2)
        clock = number(card, self.clock, -1)
        return n_samples, SIS3302_PERIODS.get(clock, self.period)


class ORSIS3316WaveformDecoder(DigitizerDecoder):
    """Decode events of SIS3316 cards (ORCA format, 4.6): one row each.

    A packet is :ref:`wire-sis3316` and the events, which have the layout of llamaDAQ's
    (llamaDAQ format, 2). A value whose format bit is not set is 0xFFFFFFFF.

    Attributes
    ----------
    maw_words
        words of the moving average by key. In events that are marked to have one, it
        follows the samples.
    """

    kind = "sis3316"
    card_class = "ORSIS3316Model"
    n_channels = 16
    table = SIS3316
    # cards of 125 MHz; the header does not have the rate
    period = 8

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        self.maw_words: dict[int, int] = {}
        super().__init__(header=header, **kwargs)

    def set_header(self, header: OrcaHeader) -> None:
        """Set channels and lengths of traces and moving averages from a header."""
        super().set_header(header)
        self.maw_words = {}
        for key, (card, channel) in self._cards.items():
            # one length per four channels
            length = number(card.get("mawBufferLength"), channel // 4)
            self.maw_words[key] = length & 0xFFE

    def set_buffers(  # noqa: D102
        self,
        kernel: OrcaKernel,
        keyed: dict,
        overflow_of: Callable[[RawBuffer], Sequence[RawBuffer]],
    ) -> None:
        super().set_buffers(kernel, keyed, overflow_of)
        kernel.channels.set_averages(self.maw_words)

    def _mask(self, card: dict[str, Any]) -> int:
        return number(card, "enabledMask")

    def _trace(
        self,
        card: dict[str, Any],
        channel: int,  # noqa: ARG002  (equal for all channels)
    ) -> tuple[int, float]:
        return number(card, "rawDataBufferLen"), self.period

    def period_notes(self) -> list[str]:  # noqa: D102
        return [f"sampling period of {self.period} ns assumed: the header has none"]


class ORSIS3305DecoderForWaveform(OneTableDecoder):
    """Decode events of SIS3305 cards (ORCA format, 5.3): one row each.

    A packet is :ref:`wire-sis3305` and the events: :ref:`wire-sis3305_event` and the
    samples, three per word.

    The rate in the packet determines the sampling period. Packets whose samples form a
    ring, or have an unknown layout, are counted and passed over.
    """

    kind = "sis3305"
    card_class = "ORSIS3305Model"
    table = SIS3305
    period = 0.8


class ORSIS3320WaveformDecoder(DigitizerDecoder):
    """Decode events of SIS3320 cards (ORCA format, 5.4): one row each.

    A packet is :ref:`wire-sis3320` and the events: :ref:`wire-sis3320_event` and the
    samples, two per word. An event without samples has a row of zeros.
    """

    kind = "sis3320"
    card_class = "ORSIS3320Model"
    n_channels = 8
    table = SIS3320
    period = math.nan

    def _mask(self, card: dict[str, Any]) -> int:
        return number(card, "onlineMask")

    def _trace(
        self,
        card: dict[str, Any],
        channel: int,  # noqa: ARG002  (equal for all channels)
    ) -> tuple[int, float]:
        clock = number(card, self.clock, -1)
        return 0, SIS3320_PERIODS.get(clock, self.period)

"""Decoders of Gretina digitizers: Gretina4M and Gretina4A."""

from __future__ import annotations

import math
from typing import Any

from .columns import GRETINA4A, GRETINA4M
from .decoder import DigitizerDecoder, mask_of, number

__all__ = ["ORGretina4AWaveformDecoder", "ORGretina4MWaveformDecoder"]

DOWN_SAMPLING = (1, 2, 4, 8, 16)
"""Clock cycles for each sample of a Gretina4M, by its setting ``Down Sample``."""

GRETINA4M_SAMPLES = 2018


class ORGretina4MWaveformDecoder(DigitizerDecoder):
    """Decode events of Gretina4M cards (ORCA format, 5.1): one row each.

    A packet is :ref:`wire-gretina` and the events: :ref:`wire-gretina4m` and 2018
    samples, two per word.
    """

    kind = "gretina4m"
    card_class = "ORGretina4MModel"
    n_channels = 10
    table = GRETINA4M
    period = 10
    clock = "Down Sample"

    def _mask(self, card: dict[str, Any]) -> int:
        return mask_of(card.get("Enabled"))

    def _trace(
        self,
        card: dict[str, Any],
        channel: int,  # noqa: ARG002  (equal for all channels)
    ) -> tuple[int, float]:
        setting = number(card, self.clock, -1)
        if setting not in range(len(DOWN_SAMPLING)):
            return GRETINA4M_SAMPLES, math.nan
        return GRETINA4M_SAMPLES, self.period * DOWN_SAMPLING[setting]


class ORGretina4AWaveformDecoder(DigitizerDecoder):
    """Decode events of Gretina4A cards (ORCA format, 5.2): one row each.

    A packet is :ref:`wire-gretina` and the events: :ref:`wire-gretina4a` and the
    samples, two per word. The lowest 14 bits of each are the sample; the two highest
    bits go to the column ``waveform_flags``, which is only written if `extras` names
    it.
    """

    kind = "gretina4a"
    card_class = "ORGretina4AModel"
    n_channels = 10
    table = GRETINA4A
    period = 10
    clock = "decimationFactor"
    optional = ("waveform_flags",)

    def _mask(self, card: dict[str, Any]) -> int:
        return mask_of(card.get("enabled"))

    def _trace(self, card: dict[str, Any], channel: int) -> tuple[int, float]:
        # each step halves the rate; there are at most 16 steps
        steps = number(card.get(self.clock), channel, -1)
        return 0, self.period * 2**steps if 0 <= steps <= 16 else math.nan

"""Decoders of CAEN digitizers: in VME crates, and on the desktop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .columns import CAEN, CAEN_8_BITS, CAEN_USB
from .decoder import DigitizerDecoder, OneTableDecoder, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..orca_header import OrcaHeader

__all__ = [
    "ORCV1721WaveformDecoder",
    "ORCV1730WaveformDecoder",
    "ORCaen1720WaveformDecoder",
    "ORCaen1724WaveformDecoder",
    "ORDT5720Decoder",
    "ORDT5725Decoder",
]


class ORCV1730WaveformDecoder(OneTableDecoder):
    """Decode events of V1730 cards (ORCA format, 5.5): one row per channel.

    An event is :ref:`wire-caen_event` and the samples, two per word, one channel after
    the other.

    ORCA does not write the lowest bit of the crate's number.
    """

    kind = "v1730"
    card_class = "ORCV1730Model"
    table = CAEN
    period = 2


class ORCaen1724WaveformDecoder(OneTableDecoder):
    """Decode events of V1724 cards, as :class:`ORCV1730WaveformDecoder` does.

    Events with zero-length encoding are counted and passed over.
    """

    kind = "v1724"
    card_class = "ORCaen1724Model"
    table = CAEN
    period = 10


class ORCaen1720WaveformDecoder(OneTableDecoder):
    """Decode events of V1720 cards, as :class:`ORCaen1724WaveformDecoder` does."""

    kind = "v1720"
    card_class = "ORCaen1720Model"
    table = CAEN
    period = 4


class ORCV1721WaveformDecoder(OneTableDecoder):
    """Decode events of V1721 cards: four samples per word.

    Otherwise as :class:`ORCV1730WaveformDecoder`, but with all bits of the crate's
    number.
    """

    kind = "v1721"
    card_class = "ORCV1721Model"
    table = CAEN_8_BITS
    period = 2


class ORDT5725Decoder(DigitizerDecoder):
    """Decode events of DT5725 units (ORCA format, 5.6): one row per channel.

    A packet is :ref:`wire-caen_usb` and one event, see
    :class:`ORCV1730WaveformDecoder`. Keys are ``100 * unit + channel``.
    """

    kind = "dt5725"
    card_class = "ORDT5725Model"
    n_channels = 8
    table = CAEN_USB
    period = 4

    def _channels(
        self, header: OrcaHeader
    ) -> Iterator[tuple[int | None, dict[str, Any], int, bool]]:
        for unit, settings in header.get_usb_info(self.card_class).items():
            mask = number(settings, "enabledMask")
            for channel in range(self.n_channels):
                # packets have four bits for the unit's number
                key = 100 * (unit & 0xF) + channel
                yield key, settings, channel, bool(mask >> channel & 1)


class ORDT5720Decoder(ORDT5725Decoder):
    """Decode events of DT5720 units, as :class:`ORDT5725Decoder` does.

    Samples may be packed, five in two words. Events with zero-length
    encoding are counted and passed over.
    """

    kind = "dt5720"
    card_class = "ORDT5720Model"
    n_channels = 4

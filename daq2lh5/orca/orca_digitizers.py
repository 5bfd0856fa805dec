"""Decoders of VME digitizers: SIS3302, SIS3316 and Gretina4M.

What the cards were set to is in the header, the traces are in packets of one card (and
of one channel, but for Gretina4M). The kernel decodes them.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from .columns import GRETINA4M, SIS3302, SIS3316
from .orca_base import OrcaDecoder, get_ccc, get_channel

if TYPE_CHECKING:
    from ..columns import Table
    from ..raw_buffer import RawBufferList
    from .orca_header import OrcaHeader
    from .orca_packet import OrcaPacket

__all__ = [
    "DigitizerDecoder",
    "ORGretina4MWaveformDecoder",
    "ORSIS3302DecoderForEnergy",
    "ORSIS3316WaveformDecoder",
]

DOWN_SAMPLING = (1, 2, 4, 8, 16)
"""Clock cycles for each sample of a Gretina4M, by its setting ``Down Sample``."""

GRETINA4M_SAMPLES = 2018


def _number(settings: Any, name: str | int, default: int = 0) -> int:
    """Return a count among the settings of a card, or in a list there."""
    try:
        value = settings[name]
    except (KeyError, IndexError, TypeError):
        return default
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and value >= 0 else default


class DigitizerDecoder(OrcaDecoder):
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

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        self.decoded_values_template = self.table.decoded_values()
        self.decoded_values: dict[int, dict[str, Any]] = {}
        self.skipped_channels: dict[int, int] = {}
        super().__init__(header=header, **kwargs)

    def set_header(self, header: OrcaHeader) -> None:
        """Take the channels in use and the lengths of their traces from a header."""
        super().set_header(header)
        self.decoded_values = {}
        self._cards: dict[int, dict[str, Any]] = {}
        for crate, cards in header.get_object_info(self.card_class).items():
            for slot, card in cards.items():
                mask = self._mask(card)
                for channel in range(self.n_channels):
                    if mask >> channel & 1:
                        key = get_ccc(int(crate), int(slot), channel)
                        self.decoded_values[key] = self._values(card, channel)
                        self._cards[key] = card

    def _values(self, card: dict[str, Any], channel: int) -> dict[str, Any]:
        """Return the columns of a channel."""
        values = copy.deepcopy(self.decoded_values_template)
        n_samples, period = self._trace(card, channel)
        values["waveform"] |= {"wf_len": n_samples, "dt": period}
        return values

    def _mask(self, card: dict[str, Any]) -> int:
        """Return the channels in use of a card: bit 0 for channel 0."""
        raise NotImplementedError

    def _trace(self, card: dict[str, Any], channel: int) -> tuple[int, int]:
        """Return the samples of a channel's traces and their period in ns."""
        raise NotImplementedError

    def get_key_lists(self) -> list[list[int]]:
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

    def assert_nsamples(self, nsamples: int, key: int) -> None:
        """Use another number of samples for the traces of a channel."""
        self.decoded_values[key]["waveform"]["wf_len"] = nsamples

    def get_max_rows_in_packet(self) -> int:
        """Return 1: for a packet of more events the buffer is made larger."""
        return 1

    def decode_packet(
        self, packet: OrcaPacket, packet_id: int, rbl: RawBufferList
    ) -> bool:
        """Decode one packet.

        Parameters
        ----------
        packet
            its words.
        packet_id
            number of the packet.
        rbl
            the buffers.

        Returns
        -------
        any_full
            whether a buffer is full.
        """
        from ._kernel import OrcaStream  # noqa: PLC0415  (the streamer loads it first)

        return OrcaStream.decode_one(self, packet, packet_id, rbl)


class ORSIS3302DecoderForEnergy(DigitizerDecoder):
    """Decode traces of SIS3302 cards (ORCA, section 4.5): one row each.

    ::

        word 1     crate, card and channel; bit 0: the samples are a ring
        word 2-3   lengths of the trace and of the energy filter's trace
        word 4-5   time stamp and channel, as the card says
        word 6-7   length and start of the ring, if they are one
        then       samples, two a word; the energy filter's trace, one a word
        last 4     highest energy, first energy, flags, 0xDEADBEEF
    """

    kind = "sis3302"
    card_class = "ORSIS3302Model"
    n_channels = 8
    table = SIS3302

    def _mask(self, card: dict[str, Any]) -> int:
        internal = _number(card, "internalTriggerEnabledMask")
        return internal | _number(card, "externalTriggerEnabledMask")

    def _trace(self, card: dict[str, Any], channel: int) -> tuple[int, int]:
        # a length for each two channels
        return _number(card.get("sampleLengths"), channel // 2), 10


class ORSIS3316WaveformDecoder(DigitizerDecoder):
    """Decode events of SIS3316 cards (ORCA, section 4.6): one row each.

    ::

        word 1     crate, card and channel
        word 2     number of events
        word 3-9   what was planned
        word 10-   events: time stamp, what the format bits say, samples

    A value that the format bits leave out is 0xFFFFFFFF.

    Attributes
    ----------
    maw_words
        words of the moving average by key: so many follow the samples of an event that
        says it has one, and the next event only then.
    """

    kind = "sis3316"
    card_class = "ORSIS3316Model"
    n_channels = 16
    table = SIS3316

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        self.maw_words: dict[int, int] = {}
        super().__init__(header=header, **kwargs)

    def set_header(self, header: OrcaHeader) -> None:
        """Take channels and lengths of traces and moving averages from a header."""
        super().set_header(header)
        self.maw_words = {}
        for key, card in self._cards.items():
            # a length for each four channels
            length = _number(card.get("mawBufferLength"), get_channel(key) // 4)
            self.maw_words[key] = length & 0xFFE

    def _mask(self, card: dict[str, Any]) -> int:
        return _number(card, "enabledMask")

    def _trace(
        self,
        card: dict[str, Any],
        channel: int,  # noqa: ARG002  (all channels have the same)
    ) -> tuple[int, int]:
        # cards of 125 MHz; the header does not tell them from others
        return _number(card, "rawDataBufferLen"), 8


class ORGretina4MWaveformDecoder(DigitizerDecoder):
    """Decode events of Gretina4M cards (ORCA, section 5.1): one row each.

    ::

        word 1     crate, card, serial number of the board, state of the FIFO
        word 2-    events of 1024 words: 15 of header, then 2018 samples, two a word
    """

    kind = "gretina4m"
    card_class = "ORGretina4MModel"
    n_channels = 10
    table = GRETINA4M

    def _mask(self, card: dict[str, Any]) -> int:
        enabled = card.get("Enabled")
        if not isinstance(enabled, list):
            return 0
        return sum(1 << c for c, each in enumerate(enabled) if each)

    def _trace(
        self,
        card: dict[str, Any],
        channel: int,  # noqa: ARG002  (all channels have the same)
    ) -> tuple[int, int]:
        factor = _number(DOWN_SAMPLING, _number(card, "Down Sample"), 1)
        return GRETINA4M_SAMPLES, 10 * factor

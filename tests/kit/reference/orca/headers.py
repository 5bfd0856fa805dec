"""Headers and what is looked up in them (ORCA format, 1.2, 1.5, 2 and 7.9)."""

from __future__ import annotations

import base64
import datetime as dt
import json
import plistlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


Plist = dict[str, Any]


def parse_plist(text: bytes) -> Plist:
    """Parse the text of a header, and if need be what is left of it (format 7.9)."""
    # The parser raises whatever comes up for bad text.
    try:
        return plistlib.loads(text)
    except Exception:
        kept = bytes(byte for byte in text if byte >= 0x20 or byte in b"\t\r\n")
        try:
            return plistlib.loads(kept)
        except Exception:
            return plistlib.loads(kept.decode("latin-1").encode())


def _as_json(value: Any) -> str:
    if isinstance(value, dt.datetime):
        return f"{value.isoformat()}Z"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value))


@dataclass
class Listener:
    """A FlashCam listener that is read out (format 4.3)."""

    fcid: int
    cards: list[tuple[int, int, Plist]]
    """Crate, slot and settings of each ADC card, in the order of readout."""
    samples: int
    fsp: bool

    def keys(self) -> list[int]:
        """List the keys of all inputs in use (format 4.3)."""
        return [
            channel_key(self.fcid, card["CardAddress"], i)
            for _, _, card in self.cards
            for i, enabled in enumerate(card["Enabled"])
            if enabled
        ]


def channel_key(fcid: int, board_id: int, fc_input: int) -> int:
    """Compute the key of a FlashCam input (format 2.1)."""
    return fcid * 1_000_000 + board_id * 100 + fc_input


def ccc(crate: int, card: int, channel: int) -> int:
    """Compute the key of a channel of a card in a crate (format 2.1)."""
    return (crate << 9) + ((card & 0x1F) << 4) + (channel & 0xF)


class Header:
    """Look-ups in a header (format 2)."""

    def __init__(self, plist: Plist) -> None:
        self.plist = plist

    def json(self) -> str:
        """Give the text of the OrcaHeader (format 4.1)."""
        return json.dumps(self.plist, default=_as_json)

    def decoders(self) -> dict[int, tuple[str, str, str]]:
        """Map unshifted data ids to object, record and decoder (format 1.5)."""
        return {
            entry["dataId"] & 0xFFFFFFFF: (of, name, entry["decoder"])
            for of, records in self.plist.get("dataDescription", {}).items()
            if isinstance(records, dict)
            for name, entry in records.items()
            # 0 is the header's own
            if isinstance(entry, dict) and entry.get("dataId")
        }

    def object_info(self) -> Plist:
        return self.plist.get("ObjectInfo", {})

    def run_control(self) -> Plist:
        """Tell the settings of the run: anywhere in the list (format 2)."""
        for entry in self.object_info().get("DataChain", []):
            if "Run Control" in entry:
                return entry["Run Control"]
        return {}

    def continues(self, before: Header) -> bool:
        """Tell whether this is the header of a sub-run (format 1.2)."""
        old, new = before.run_control(), self.run_control()
        return self.plist == before.plist or (
            "RunNumber" in new
            and new["RunNumber"] == old.get("RunNumber")
            and new.get("SubRunNumber", 0) > 0
        )

    def cards(self, class_name: str | None = None) -> list[tuple[int, int, Plist]]:
        """List crate, slot and settings of the cards of a class (format 2)."""
        return [
            (crate["CrateNumber"], card["Card"], card)
            for crate in self.object_info().get("Crates", [])
            for card in crate.get("Cards", [])
            if "CrateNumber" in crate
            and "Card" in card
            and class_name in (None, card.get("Class Name"))
        ]

    def card(self, class_name: str, crate: int, card: int) -> Plist | None:
        """Tell the settings of one card."""
        for of_crate, slot, settings in self.cards(class_name):
            if (of_crate, slot) == (crate, card):
                return settings
        return None

    def aux_hw(self, class_name: str) -> list[Plist]:
        """List auxiliary hardware of a class, nested one level or not."""
        found = []
        for entry in self.object_info().get("AuxHw", []):
            nested = [value for value in entry.values() if isinstance(value, dict)]
            for settings in (entry, *nested):
                if settings.get("Class Name") == class_name:
                    found.append(settings)
        return found

    def _readouts(self, entries: Iterable[Plist]) -> Iterator[Plist]:
        for entry in entries:
            yield entry
            yield from self._readouts(entry.get("children", []))

    def listeners(self) -> list[Listener]:
        """List the FlashCam listeners that are read out (format 4.3)."""
        found = []
        for entry in self._readouts(self.plist.get("ReadoutDescription", [])):
            number = entry.get("uniqueID", 0)
            if entry.get("name") != "ORFlashCamListenerModel" or number < 1:
                continue
            settings: Plist = {}
            for candidate in self.aux_hw("ORFlashCamListenerModel"):
                if candidate.get("uniqueID") == number:
                    settings = candidate
            cards = []
            for child in entry.get("children", []):
                for crate, slot, card in self.cards():
                    if (crate, slot) == (child.get("crate"), child.get("station")) and (
                        card.get("Class Name")
                        in ("ORFlashCamADCModel", "ORFlashCamADCStdModel")
                    ):
                        cards.append((crate, slot, card))
            samples = settings.get("eventSamples", 0)
            fsp = bool(settings.get("fspEnabled", False))
            found.append(Listener(number, cards, samples, fsp))
        return found

    def channels(self, decoder: str) -> list[int]:
        """List the keys of the channels in use, of decoders with a list for each.

        In the order of the header.
        """
        masks: dict[str, tuple[str, Callable[[Plist], int], int]] = {
            "ORSIS3302DecoderForEnergy": (
                "ORSIS3302Model",
                lambda card: (
                    card.get("internalTriggerEnabledMask", 0)
                    | card.get("externalTriggerEnabledMask", 0)
                ),
                8,
            ),
            "ORSIS3316WaveformDecoder": (
                "ORSIS3316Model",
                lambda card: card.get("enabledMask", 0),
                16,
            ),
            "ORSIS3320WaveformDecoder": (
                "ORSIS3320Model",
                lambda card: card.get("onlineMask", 0),
                8,
            ),
            "ORGretina4MWaveformDecoder": (
                "ORGretina4MModel",
                lambda card: as_mask(card.get("Enabled", ())),
                10,
            ),
            "ORGretina4AWaveformDecoder": (
                "ORGretina4AModel",
                lambda card: as_mask(card.get("enabled", ())),
                10,
            ),
        }
        class_name, mask_of, n_channels = masks[decoder]
        return [
            ccc(crate, slot, channel)
            for crate, slot, card in self.cards(class_name)
            for channel in range(n_channels)
            if mask_of(card) >> channel & 1
        ]


def as_mask(enabled: Iterable[bool]) -> int:
    return sum(1 << i for i, each in enumerate(enabled) if each)

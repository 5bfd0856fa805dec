"""Reference reader of ORCA files, in plain Python.

Written from the ORCA format alone, sentence by sentence, to be compared
with: clarity counts, speed does not. "Format N" means its section N, "FCIO format, N"
one of FCIO. Where a section says that another reader is wrong, this one does what the
section calls right.

Records of the FCIO format inside ORCA are read by the reference reader of FCIO, one
for each stream.

What a row holds where the description leaves a choice:

- a trace shorter than its channel's is filled up with zeros, a longer one is whole
  (format 7.15);
- samples are as many as the data have where the header says nothing; a trace without
  samples is as long as the first one of its channel, and zero;
- no packet is left out because the header does not announce its channel or card; a
  sampling period that nothing tells is NaN;
- tables have the names that they would have if the file began with the header in force;
- a header that is no sub-run's, and not the same once more, begins another run: what
  listeners and streams have sent before does not count any more;
- dates in the header become text as in the property list, with a "Z" at the end.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import plistlib
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kit.reference import fcio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Plist = dict[str, Any]
Key = int | str | None


class NotOrcaError(ValueError):
    """The data do not start with a header packet."""


# --- output tables ----------------------------------------------------------------

_WAVEFORM = {"waveform/t0": "float32", "waveform/dt": "float32"}


def _waveform(dtype: str) -> dict[str, str]:
    return {"waveform/values": f"{dtype}[]", **_WAVEFORM}


def _columns(dtype: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), dtype)


_PLACE = _columns("uint8", "crate card channel")

RUN = {
    "subrun_number": "uint16",
    **_columns(
        "bool",
        "runstartorstop quickstartrun remotecontrolrun heartbeatrecord"
        " endsubrunrecord startsubrunrecord",
    ),
    "run_number": "int32",
    "time": "int32",
}

_CONFIG_NAMES = (
    *("streamid", "nadcs", "ntriggers", "nsamples", "adcbits", "sumlength"),
    *("blprecision", "mastercards", "triggercards", "adccards", "gps"),
)

LISTENER_CONFIG = {
    **_columns("uint32", "packet_id packet_len"),
    **_columns("uint16", "readout_id fcid"),
    **dict.fromkeys(_CONFIG_NAMES, "int32"),
    **_columns("uint16[]", "ch_board_id ch_inputnum"),
    "board_rev": "uint8[]",
    "board_uid": "uint64[]",
}

LISTENER_STATUS = {
    "packet_id": "uint32",
    **_columns("uint16", "readout_id fcid"),
    "status": "int32",
    **_columns("float64", "statustime cputime startoffset"),
    **_columns("int32", "n_cards card_data_size"),
    **_columns(
        "uint32[]",
        "card_id card_status card_eventnumber card_pps_count card_clock_tick_count"
        " card_max_clock_ticks card_n_env_vals card_n_cti_links card_n_link_states"
        " card_n_errors_tot card_n_env_errors card_n_cti_errors card_n_link_errors"
        " card_n_other_errors card_cti_links card_link_states",
    ),
    **_columns(
        "int32[]",
        "card_temps card_voltages card_main_current card_humidity card_adc_temps",
    ),
}

_OFFSET_NAMES = (
    *("mu_offset_sec", "mu_offset_usec", "to_master_sec", "delta_mu_usec"),
    *("abs_delta_mu_usec", "to_start_sec", "to_start_usec"),
)
_REGION_NAMES = (
    *("dr_start_pps", "dr_start_ticks", "dr_stop_pps", "dr_stop_ticks"),
    "dr_maxticks",
)
_STAMP_NAMES = ("eventnumber", "ts_pps", "ts_ticks", "ts_maxticks")

FLASHCAM_WAVEFORM = {
    "packet_id": "uint32",
    **_columns("uint8", "event_type fcid crate slot fc_input"),
    **_columns("uint16", "board_id channel"),
    "numtraces": "int32",
    **dict.fromkeys((*_OFFSET_NAMES, *_REGION_NAMES, *_STAMP_NAMES), "int32"),
    **_columns("uint16", "baseline daqenergy dr_ch_idx dr_ch_len"),
    **_columns("float64", "runtime timestamp deadtime lifetime"),
    "deadinterval_nsec": "int64",
    **_waveform("uint16"),
}

SIS3302 = {
    **_columns("uint32", "packet_id energy energy_first flags"),
    "timestamp": "uint64",
    **_PLACE,
    "energy_waveform": "uint32[]",
    **_waveform("uint16"),
}

_GATES = [f"accSum{i}" for i in range(1, 9)]

SIS3316 = {
    **_columns("uint32", "packet_id energy energy_first information"),
    **_columns("uint32", "peakHighValue peakHighIndex"),
    **dict.fromkeys(_GATES, "uint32"),
    **_columns("uint32", "mawMax mawBefore mawAfter startEnergy maxEnergy"),
    "timestamp": "uint64",
    **_PLACE,
    **_waveform("uint16"),
}

GRETINA4M = {
    **_columns("uint32", "packet_id energy"),
    "timestamp": "uint64",
    **_PLACE,
    **_columns("uint16", "board_id serial_number"),
    "fifo_state": "uint8",
    **_waveform("int16"),
}

GRETINA4A = {
    "packet_id": "uint32",
    **_columns("uint64", "timestamp prev_timestamp"),
    "energy": "int32",
    **_columns("uint32", "pre_rise_sum post_rise_sum baseline"),
    "flags": "uint16",
    **_columns("uint8", "event_type header_type"),
    **_columns("uint16", "peak_time trigger_time"),
    **_PLACE,
    "board_id": "uint16",
    "waveform_flags": "uint8[]",
    **_waveform("uint16"),
}

SIS3305 = {
    "packet_id": "uint32",
    "timestamp": "uint64",
    **_columns("uint8", "event_id group channel_mode rate saving_mode"),
    **_PLACE,
    **_waveform("uint16"),
}

SIS3320 = {
    "packet_id": "uint32",
    "timestamp": "uint64",
    **dict.fromkeys(_GATES, "uint32"),
    **_PLACE,
    **_waveform("uint16"),
}

_CAEN_COMMON = {
    **_columns("uint32", "packet_id eventnumber"),
    "timestamp": "uint64",
    "timestamp_rollover": "bool",
    "board_id": "uint8",
    "pattern": "uint16",
    "board_fail": "bool",
}
CAEN = {**_CAEN_COMMON, **_PLACE, **_waveform("uint16")}
CAEN_8_BITS = {**_CAEN_COMMON, **_PLACE, **_waveform("uint8")}
CAEN_USB = {
    **_CAEN_COMMON,
    **_columns("uint8", "unit channel"),
    **_waveform("uint16"),
}

_TIMED = {"packet_id": "uint32", "time": "uint32"}
_DEVICE = {**_TIMED, "id": "uint16"}
_DEVICE_TIMES = {"packet_id": "uint32", "time": "uint32[]", "id": "uint16"}

_HV_STATUS = {
    **_DEVICE,
    **_columns("uint32[]", "status1 status2"),
    **_columns("float32[]", "voltage current"),
}

SIMPLE = {
    "ORScriptDecoderForState": {**_DEVICE, "script_type": "uint8", "started": "bool"},
    "ORScriptDecoderForRecord": {
        **_DEVICE,
        "script_type": "uint8",
        "tag": "uint32",
        "text": "uint8[]",
    },
    "OR1DHistoDecoder": {
        "packet_id": "uint32",
        "name": "uint8[]",
        "counts": "uint32[]",
    },
    "ORMJDPreAmpDecoderForAdc": {**_DEVICE, "enabled": "uint16", "adc": "float32[]"},
    "ORiSegHVCardDecoderForHV": {
        **_TIMED,
        **_columns("uint8", "crate card"),
        "polarity": "bool",
        "on_mask": "uint32",
        **_columns("float32[]", "voltage current"),
    },
    "ORLakeShore210DecoderForTemperature": {
        **_DEVICE_TIMES,
        "kelvin": "bool",
        "temperature": "float32[]",
    },
    "ORMksPdr2000DecoderForPressure": {
        **_DEVICE_TIMES,
        "units": "uint8",
        "pressure": "float32[]",
    },
    "ORAmi286DecoderForLevel": {
        **_DEVICE_TIMES,
        "fill_state": "uint8[]",
        "level": "float32[]",
    },
    "ORLabJackDecoderForIOData": {
        **_DEVICE,
        "differential": "uint8",
        "adc": "float32[]",
        **_columns("uint32", "counter direction output input"),
    },
    "ORLabJackUE9DecoderForIOData": {
        **_DEVICE,
        "adc": "float32[]",
        **_columns("uint32[]", "counter timer"),
        **_columns("uint32", "direction output input"),
    },
    "ORXYCom564Decoder": {
        **_TIMED,
        "time_usec": "uint32",
        **_columns("uint8", "crate card"),
        "channel": "uint8[]",
        "adc": "uint16[]",
    },
    "ORIP320DecoderForAdc": {
        **_TIMED,
        **_columns("uint8", "crate card ip_slot"),
        "channel": "uint8[]",
        "adc": "uint16[]",
    },
    "ORIP320DecoderForValue": {
        **_TIMED,
        **_columns("uint8", "crate card ip_slot"),
        "channel": "uint32[]",
        "value": "float32[]",
    },
    "ORMCA927SpectraDecoder": {
        "packet_id": "uint32",
        "id": "uint16",
        "channel": "uint8",
        "zdt": "bool",
        **_columns("uint32", "live_time real_time zdt_mode"),
        "counts": "uint32[]",
    },
    "ORShaperDecoderForShaper": {
        "packet_id": "uint32",
        **_PLACE,
        "adc": "uint16",
        **_columns("uint32", "time time_usec"),
    },
    "ORPollingTimeStampDecoder": {**_TIMED, "time_usec": "uint32"},
    "ORVHQ224LDecoderForHVStatus": _HV_STATUS,
    "ORNHQ226LDecoderForHVStatus": _HV_STATUS,
    **{
        decoder: {**_DEVICE, column: "float32"}
        for decoder, column in (
            ("ORCTITempDecoderForTemperature", "temperature"),
            ("ORKeithley6487DecoderForCurrent", "current"),
            ("ORKJL2200IonGaugeDecoderForPressure", "pressure"),
        )
    },
    "ORTPG256ADecoderForPressure": {**_DEVICE_TIMES, "pressure": "float32[]"},
    "ORBocTIC3DecoderForPressure": {**_DEVICE_TIMES, "pressure": "float32[]"},
    "ORPacDecoderForAdc": {**_DEVICE_TIMES, "adc": "uint32[]"},
    "ORPacFPDecoderForAdc": {**_DEVICE_TIMES, "adc": "uint32[]"},
    "ORHVcRIODecoderForAdc": {**_DEVICE, "index": "uint32", "value": "float64"},
    "ORADEIControlDecoderForAdc": {**_DEVICE, "index": "uint32", "value": "float64"},
}
"""Columns of the simple records (format 5.7)."""

SCHEMAS: dict[str, dict[str, str]] = {
    "ORRunDecoderForRun": RUN,
    "ORFlashCamListenerConfigDecoder": LISTENER_CONFIG,
    "ORFlashCamListenerStatusDecoder": LISTENER_STATUS,
    "ORFlashCamADCWaveformDecoder": FLASHCAM_WAVEFORM,
    "ORFlashCamWaveformDecoder": FLASHCAM_WAVEFORM,
    "FCConfig": fcio.FCCONFIG,
    "FCEvent": fcio.FCEVENT,
    "FCEventHeader": fcio.FCEVENTHEADER,
    "FCStatus": fcio.FCSTATUS,
    # A table in this path, with a packet id (FCIO format, 6.4).
    "FSPConfig": {"packet_id": "uint32", **fcio.FSPCONFIG},
    "FSPEvent": fcio.FSPEVENT,
    "FSPStatus": fcio.FSPSTATUS,
    "ORSIS3302DecoderForEnergy": SIS3302,
    "ORSIS3316WaveformDecoder": SIS3316,
    "ORGretina4MWaveformDecoder": GRETINA4M,
    "ORGretina4AWaveformDecoder": GRETINA4A,
    "ORSIS3305DecoderForWaveform": SIS3305,
    "ORSIS3320WaveformDecoder": SIS3320,
    "ORCV1730WaveformDecoder": CAEN,
    "ORCaen1724WaveformDecoder": CAEN,
    "ORCaen1720WaveformDecoder": CAEN,
    "ORCV1721WaveformDecoder": CAEN_8_BITS,
    "ORDT5725Decoder": CAEN_USB,
    "ORDT5720Decoder": CAEN_USB,
    **SIMPLE,
}
"""Columns of the rows of each decoder; ``[]`` marks a list in every row.

Decoders of FCIO make rows of several kinds, which go by their names there.
"""


def _as_declared(value: Any, dtype: str) -> Any:
    """Give a value its fixed width; one that does not fit is an error of ours."""
    if dtype.endswith("[]"):
        return np.array(value, dtype=dtype.removesuffix("[]"))
    return np.dtype(dtype).type(value)


# --- header (format 1.2, 1.5, 2 and 7.9) ----------------------------------------


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
                lambda card: _as_mask(card.get("Enabled", ())),
                10,
            ),
            "ORGretina4AWaveformDecoder": (
                "ORGretina4AModel",
                lambda card: _as_mask(card.get("enabled", ())),
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


def _as_mask(enabled: Iterable[bool]) -> int:
    return sum(1 << i for i, each in enumerate(enabled) if each)


# --- framing (format 1) ----------------------------------------------------------


@dataclass
class Packet:
    """A packet as it stands in the file (format 1.1).

    ``length`` counts words, ``start`` is the word where the content starts: 0 of a
    short packet, 1 of a long one, 2 of an extended one. ``data`` are the bytes,
    little-endian but for text (format 1.3).
    """

    index: int
    offset: int
    length: int
    data_id: int
    start: int
    data: bytes
    decoder: str | None
    """Name in the header; None of a header packet."""

    def content(self) -> bytes:
        """Give the bytes as those of a long packet: content from word 1 on.

        In this form the words of an extended packet count as those of a long one.
        """
        return self.data[:4] + self.data[8:] if self.start == 2 else self.data

    def words(self) -> tuple[int, ...]:
        content = self.content()
        return struct.unpack(f"<{len(content) // 4}I", content)

    def signed(self, word: int) -> int:
        return struct.unpack_from("<i", self.content(), 4 * word)[0]

    def floats(self, word: int, n: int, step: int = 1) -> list[float]:
        """Read n words as float32, every ``step``-th one."""
        content = self.content()
        return [
            struct.unpack_from("<f", content, 4 * (word + i * step))[0]
            for i in range(n)
        ]


@dataclass
class Framing:
    """Packets of a file, and what is no packet.

    Parameters
    ----------
    packets
        all complete packets, header packets among them.
    headers
        for each packet the header in force; a header packet's is its own.
    zeros
        start and end of each block of zero words (format 7.4).
    damaged
        start and end of what was skipped (format 1.7).
    truncated
        where the last packet starts if it is cut off (format 1.6).
    big_endian
        whether the words of the file are swapped (format 1.3).
    """

    packets: list[Packet] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    zeros: list[tuple[int, int]] = field(default_factory=list)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    truncated: int | None = None
    big_endian: bool = False

    def counts(self) -> dict[str, int]:
        """Count the packets by decoder; "header" stands for header packets."""
        return dict(Counter(packet.decoder or "header" for packet in self.packets))


def _header_length(data: bytes, offset: int, order: str) -> int | None:
    """Tell the words of a header packet, or None if there is none (format 1.2)."""
    if len(data) - offset < 13 or data[offset + 8 : offset + 13] != b"<?xml":
        return None
    word, n_bytes = struct.unpack_from(f"{order}2I", data, offset)
    if word >> 18 or not word:
        return None
    by_text = 2 + n_bytes // 4 + 1
    if by_text & 0x3FFFF == word & 0x3FFFF:
        return by_text
    return word if n_bytes <= 4 * word - 8 else None


class _Invalid(Exception):  # noqa: N818
    """No packet can start here."""


class _Cut(Exception):  # noqa: N818
    """The data end before the packet does."""


MAX_CHAIN = 8
"""Packets in a row that prove each other (format 1.7)."""

MAX_EXTENDED = 2**24
"""Longest extended packet in words that a search believes in (format 1.7)."""


class _Scanner:
    """Finds packets; knows the data ids of the header in force."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data = data
        self.order = order
        self.ids: dict[int, tuple[str, str, str]] = {}
        self.streams: set[int] = set()

    def word(self, offset: int) -> int:
        if len(self.data) - offset < 4:
            raise _Cut
        return struct.unpack_from(f"{self.order}I", self.data, offset)[0]

    def at(self, offset: int) -> tuple[int, int, int]:
        """Tell data id, length and start of content of a packet (format 1.1)."""
        word = self.word(offset)
        if word >> 31:
            data_id, length, start = word & 0xFC000000, 1, 0
        else:
            data_id, length, start = word & 0xFFFC0000, word & 0x3FFFF, 1
        if data_id == 0:
            if not length:
                raise _Invalid
            of_header = _header_length(self.data, offset, self.order)
            if of_header is None:
                raise _Invalid
            length = of_header
        elif data_id not in self.ids:
            raise _Invalid
        elif not length:
            length, start = self.word(offset + 4), 2
            if length < 2:
                raise _Invalid
        if 4 * length > len(self.data) - offset:
            raise _Cut
        return data_id, length, start

    def chains(self, offset: int) -> bool:
        """Tell whether packets in a row prove that one starts here (format 1.7)."""
        n = 0
        structure = True
        while n < MAX_CHAIN and offset < len(self.data):
            try:
                data_id, length, start = self.at(offset)
            except (_Invalid, _Cut):
                return n >= 3 and structure
            packet = self.packet(offset, data_id, length, start)
            structure = structure and self.is_sound(packet) is True
            offset += 4 * length
            n += 1
        return n > 0

    def goes_on(self, offset: int) -> bool:
        """Tell whether packets follow up to a sound one, or to the end."""
        for _ in range(MAX_CHAIN):
            if offset == len(self.data):
                return True
            try:
                data_id, length, start = self.at(offset)
            except (_Invalid, _Cut):
                return False
            if self.is_sound(self.packet(offset, data_id, length, start)) is True:
                return True
            offset += 4 * length
        return True

    def packet(self, offset: int, data_id: int, length: int, start: int) -> Packet:
        """Take a packet out of the data, its words little-endian (format 1.3)."""
        decoder = self.ids[data_id][2] if data_id else None
        content = self.data[offset : offset + 4 * length]
        if self.order == ">":
            content = _little_endian(content, decoder)
        return Packet(-1, offset, length, data_id, start, content, decoder)

    def is_sound(self, packet: Packet) -> bool | None:
        """Tell whether a packet is as its decoder wants it; None if no one knows."""
        decoder = packet.decoder
        if decoder is None:
            return True
        w = packet.words()
        if decoder == "ORRunDecoderForRun":
            return packet.length == 4
        if decoder.startswith("ORFCIO"):
            if len(w) < 3 or not (
                w[1] in self.streams or decoder == "ORFCIOConfigDecoder"
            ):
                return False
            tag = -struct.unpack_from("<i", packet.content(), 8)[0]
            return tag in (*range(1, 11), 1_000_000_001) and _frames_fit(
                packet.content()[8:]
            )
        if decoder in ("ORFlashCamADCWaveformDecoder", "ORFlashCamWaveformDecoder"):
            if len(w) < 20:
                return False
            expected = (w[1] >> 28) + (w[1] >> 22 & 0x3F) + (w[1] >> 6 & 0xFFFF) // 2
            return len(w) == expected or w[1] >> 28 == 0 or w[1] >> 6 & 0xFFFF == 0
        if decoder == "ORFlashCamListenerConfigDecoder":
            if len(w) < 13:
                return False
            n, n_cards = w[3], w[11]
            return len(w) in (2413, 13 + n + -(-n_cards // 4) + 2 * n_cards)
        if decoder == "ORFlashCamListenerStatusDecoder":
            return len(w) >= 15 and len(w) >= 15 + 39 * w[13]
        if decoder == "ORSIS3302DecoderForEnergy":
            return len(w) >= 10 and w[-1] == 0xDEADBEEF
        return None

    def next_packet(self, offset: int, stop: int | None = None) -> int | None:
        """Search for a packet after damage (format 1.7)."""
        end = len(self.data) - 3
        for candidate in range(offset + 1, end if stop is None else min(end, stop)):
            word = self.word(candidate)
            if word >> 31:
                continue
            try:
                _, length, start = self.at(candidate)
            except (_Invalid, _Cut):
                continue
            if start == 2 and length > MAX_EXTENDED:
                continue
            if self.chains(candidate):
                return candidate
        return None


def _frames_fit(payload: bytes) -> bool:
    """Tell whether FCIO records fill a packet (format 4.4)."""
    position = 0
    while len(payload) - position >= 4:
        (word,) = struct.unpack_from("<i", payload, position)
        if word < -1_000_000_001:
            return False
        position += 68 if word == -1_000_000_001 else 4 + max(word, 0)
    return position <= len(payload)


def _swapped(data: bytes, first: int, last: int) -> bytes:
    """Swap the words outside of some bytes of text (format 1.3)."""

    def swap(part: bytes) -> bytes:
        return b"".join(part[i : i + 4][::-1] for i in range(0, len(part), 4))

    return swap(data[:first]) + data[first:last] + swap(data[last:])


def _little_endian(data: bytes, decoder: str | None) -> bytes:
    if decoder is None:
        return _swapped(data, 8, len(data))
    if decoder == "ORScriptDecoderForRecord":
        return _swapped(data, 20, len(data))
    if decoder == "OR1DHistoDecoder":
        n = int.from_bytes(data[4:8], "big")
        return _swapped(data, 8, 8 + 4 * n)
    return _swapped(data, 0, 0)


def read_packets(data: bytes) -> Framing:
    """Split a file into packets (format 1).

    Blocks of zeros and damage are skipped, and a cut packet at the end is left out
    (format 1.6, 1.7 and 7.4).
    """
    if _header_length(data, 0, "<") is not None:
        order = "<"
    elif _header_length(data, 0, ">") is not None:
        order = ">"
    else:
        raise NotOrcaError("the data do not start with a header packet")
    framing = Framing(big_endian=order == ">")
    scanner = _Scanner(data, order)
    header: Header | None = None
    offset = 0
    while offset < len(data):
        zeros = offset
        while data[zeros : zeros + 8] == bytes(8):
            zeros += 4
        if zeros > offset or data[offset:] == bytes(4):
            # The block ends with a word that another one does not follow.
            zeros += 4
            framing.zeros.append((offset, zeros))
            offset = zeros
            continue
        try:
            data_id, length, start = scanner.at(offset)
            packet = scanner.packet(offset, data_id, length, start)
            if framing.packets and not scanner.goes_on(offset):
                # What may be no packet says nothing of the one before.
                last = framing.packets[-1]
                if last.offset + 4 * last.length == offset and (
                    scanner.next_packet(last.offset, offset) is not None
                ):
                    raise _Invalid
        except (_Invalid, _Cut) as error:
            # A packet followed by none has a wrong length if it is unsound, or if
            # others begin inside of it.
            last = framing.packets[-1] if framing.packets else None
            was_cut = isinstance(error, _Cut)
            after = offset
            if framing.zeros and framing.zeros[-1][1] == offset:
                after = framing.zeros[-1][0]
            if (
                last is not None
                and last.offset + 4 * last.length == after
                and (
                    scanner.is_sound(last) is False
                    or scanner.next_packet(last.offset, offset) is not None
                )
            ):
                framing.packets.pop()
                framing.headers.pop()
                if after < offset:
                    framing.zeros.pop()
                offset = last.offset
                was_cut = False
            found = scanner.next_packet(offset)
            if found is None:
                # Less than two words left are no packet (format 7.1).
                if was_cut or len(data) - offset < 8:
                    framing.truncated = offset
                else:
                    framing.damaged.append((offset, len(data)))
                break
            framing.damaged.append((offset, found))
            offset = found
            continue
        packet.index = len(framing.packets)
        decoder, content = packet.decoder, packet.data
        if decoder is None:
            (n_bytes,) = struct.unpack_from("<I", content, 4)
            try:
                header = Header(parse_plist(content[8 : 8 + n_bytes]))
            except Exception:
                if header is None:
                    raise
                # In mid-file the header in force holds on.
                framing.damaged.append((offset, offset + 4 * length))
                offset += 4 * length
                continue
            scanner.ids = header.decoders()
        elif decoder == "ORFCIOConfigDecoder" and len(packet.content()) >= 8:
            scanner.streams.add(packet.words()[1])
        framing.packets.append(packet)
        assert header is not None
        framing.headers.append(header)
        offset += 4 * length
    return framing


# --- table names (format 3) ------------------------------------------------------


def table_names(decoder: str, lists: list[list[Key]]) -> list[str]:
    """Name the tables of a decoder's key lists (format 3)."""
    name = decoder.removesuffix("Decoder")
    if len(lists) < 2:
        return [name] * len(lists)
    return [
        f"{name}_{keys[0]}" if len(keys) == 1 else f"{name}_{i}"
        for i, keys in enumerate(lists)
    ]


def key_lists(decoder: str, header: Header) -> list[list[Key]] | None:
    """List the keys that a header offers for a decoder (format 4 and 5).

    None of decoders that have no keys, or none that the header tells: they have one
    table.
    """
    listeners = header.listeners()
    fsp = [each for each in listeners if each.fsp]
    if decoder in ("ORFlashCamADCWaveformDecoder", "ORFlashCamWaveformDecoder"):
        return [[*each.keys()] for each in listeners]
    if decoder in ("ORFCIOConfigDecoder", "ORFCIOEventHeaderDecoder"):
        part = "config" if decoder == "ORFCIOConfigDecoder" else "evt_hdr"
        return [
            [f"fcid_{each.fcid}/{part}" for each in listeners],
            [f"swtid_{each.fcid}/{part}" for each in fsp],
        ]
    if decoder == "ORFCIOEventDecoder":
        lists: list[list[Key]] = []
        for each in listeners:
            lists.append([*each.keys()])
            if each.fsp:
                lists.append([f"swtid_{each.fcid}/event"])
        return lists
    if decoder == "ORFCIOStatusDecoder":
        lists = []
        for each in listeners:
            cards = (0, *(0x2000 + i for i in range(len(each.cards))))
            lists.append([f"fcid_{each.fcid}/status/card{card}" for card in cards])
            if each.fsp:
                lists.append([f"swtid_{each.fcid}/status"])
        return lists
    if decoder in (
        "ORSIS3302DecoderForEnergy",
        "ORSIS3316WaveformDecoder",
        "ORSIS3320WaveformDecoder",
        "ORGretina4MWaveformDecoder",
        "ORGretina4AWaveformDecoder",
    ):
        return [[key] for key in header.channels(decoder)]
    if decoder in ("ORDT5725Decoder", "ORDT5720Decoder"):
        return [
            [unit * 100 + channel]
            for unit, settings in _usb_units(header, decoder)
            for channel in range(8 if decoder == "ORDT5725Decoder" else 4)
            if settings.get("enabledMask", 0) >> channel & 1
        ]
    return None


def table_name(decoder: str, key: Key, schema: str, header: Header) -> str:
    """Name the table of a row.

    A key that the header does not announce has its rows with those of its listener,
    unless the name of that table is another key's; or else in a table of its own.
    """
    short = decoder.removesuffix("Decoder")
    lists = key_lists(decoder, header)
    if lists is None:
        return short
    names = table_names(decoder, lists)
    for name, keys in zip(names, lists, strict=True):
        if key in keys:
            return name
    fcid, kind = None, ""
    if decoder.startswith("ORFlashCam") or schema == "FCEvent":
        assert isinstance(key, int)
        fcid = key // 1_000_000
        kind = "" if decoder.startswith("ORFlashCam") else "/event"
    elif schema == "FCStatus":
        fcid = int(str(key).partition("_")[2].partition("/")[0])
        kind = "/status"
    elif isinstance(key, str) and decoder in (
        *("ORFCIOConfigDecoder", "ORFCIOEventHeaderDecoder"),
    ):
        number = int(key.startswith("swtid"))
        return names[number] if len(lists[number]) > 1 else f"{short}_{key}"
    if fcid is None:
        return f"{short}_{key}"
    of_listener = [
        i
        for each in header.listeners()
        for i in ((each.fcid, None) if each.fsp and kind else (each.fcid,))
    ]
    if fcid not in of_listener:
        return f"{short}_fcid_{fcid}{kind}"
    number = of_listener.index(fcid)
    if len(lists) > 1 and len(lists[number]) == 1:
        return f"{short}_{key}"
    return names[number]


def _usb_units(header: Header, decoder: str) -> list[tuple[int, Plist]]:
    """List the desktop digitizers of a kind by number (format 5.6)."""
    class_name = decoder.replace("Decoder", "Model")
    return [
        (int(name.rpartition(" ")[2]), settings)
        for entry in header.object_info().get("USB", [])
        for name, settings in entry.items()
        if isinstance(settings, dict) and settings.get("Class Name") == class_name
    ]


# --- rows -------------------------------------------------------------------------


class Row(NamedTuple):
    """A row that a packet gives; ``schema`` is a name in `SCHEMAS`."""

    schema: str
    key: Key
    values: dict[str, Any]
    header: Header
    """The current header."""


@dataclass
class Reading:
    """All that comes out of a file.

    Parameters
    ----------
    framing
        the packets.
    header
        the first header, whose text is the OrcaHeader.
    rows
        for each decoder its rows, in the order of the file.
    dropped
        what could not be decoded: how often, by decoder and reason.
    """

    framing: Framing
    header: Header
    rows: dict[str, list[Row]]
    dropped: Counter[tuple[str, str]]

    def columns(self, decoder: str, schema: str | None = None) -> dict[str, list[Any]]:
        """Arrange all rows of a decoder, whatever their keys, by column.

        Parameters
        ----------
        schema
            the kind of rows, for decoders of FCIO, which have several.
        """
        schema = schema or decoder
        rows = [row for row in self.rows.get(decoder, []) if row.schema == schema]
        return _by_column(schema, rows)

    def keys(self, decoder: str, schema: str | None = None) -> list[Key]:
        """List the keys of the rows that `columns` arranges."""
        schema = schema or decoder
        return [row.key for row in self.rows.get(decoder, []) if row.schema == schema]

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """Arrange all rows as the tables of the output (format 3)."""
        found: dict[str, tuple[str, list[Row]]] = {}
        for decoder, rows in self.rows.items():
            for row in rows:
                name = table_name(decoder, row.key, row.schema, row.header)
                found.setdefault(name, (row.schema, []))[1].append(row)
        return {
            name: _by_column(schema, rows) for name, (schema, rows) in found.items()
        }


def _by_column(schema: str, rows: list[Row]) -> dict[str, list[Any]]:
    return {
        column: [_as_declared(row.values[column], dtype) for row in rows]
        for column, dtype in SCHEMAS[schema].items()
    }


class _DropError(Exception):
    """A packet, or what is left of it, cannot be decoded; says why."""


def _check(is_good: object, reason: str) -> None:
    if not is_good:
        raise _DropError(reason)


# --- FlashCam, first generation (format 4.3) -------------------------------------


@dataclass
class _ListenerConfig:
    """What waveforms need of the last configuration of a listener."""

    gps: int
    nsamples: int
    adcbits: int
    trace_map: list[tuple[int, int]]


def _location_split(word: int, *, wide: bool) -> tuple[int, int]:
    """Split input and trace index (format 4.3.3): 4 and 10 bits, or 5 and 9."""
    if wide:
        return word >> 9 & 0x1F, word & 0x1FF
    return word >> 10 & 0xF, word & 0x3FF


def _address_fits(byte: int, address: int) -> bool:
    """Tell whether an address is behind either form of its 8 bits."""
    return byte in (address & 0xFF, (address & 0xFF0) >> 4)


# --- FCIO inside ORCA (format 4.4) -----------------------------------------------


class _Stream(fcio._Reader):
    """State of one stream; its rows have the packet ids of ORCA."""

    def __init__(self) -> None:
        super().__init__()
        self.orca_index = 0
        self.found: list[tuple[str, str | int, dict[str, Any]]] = []
        self.history: list[tuple[int, list[tuple[int, list[bytes]]]]] = []

    def take_packet(
        self, index: int, records: list[tuple[int, list[bytes]]]
    ) -> list[tuple[str, str | int, dict[str, Any]]]:
        """Read the records of a packet and return their rows."""
        self.orca_index = index
        self.found = []
        # Records of the software trigger describe what follows in the same packet.
        self.previous_tag = None
        for tag, frames in records:
            self.take(tag, frames)
        self.history.append((index, records))
        return self.found

    def _add_row(self, table: str, key: int | str, row: dict[str, Any]) -> None:
        # The configuration of the software trigger: see below.
        if table != "FSPConfig":
            self.found.append((table, key, {**row, "packet_id": self.orca_index}))

    def _take_config(self, frames: list[bytes]) -> None:
        super()._take_config(frames)
        config = self.config
        assert config is not None
        (row,) = self.rows["FCConfig"]
        self.rows["FCConfig"].clear()
        row["packet_id"] = self.orca_index
        self.found.append(("FCConfig", f"fcid_{config.fcid}/config", row))
        if self.previous_tag == 8:
            row = {"packet_id": self.orca_index, **self.fsp_config}
            for name in ("wps", "hwm", "ct"):
                column = f"dsp_{name}_tracemap_label"
                # Empty past the mapped ones (FCIO format, 6.4).
                row[column] = row[column] + [b""] * (2400 - len(row[column]))
            self.found.append(("FSPConfig", f"swtid_{config.fcid}/config", row))


_FCIO_DECODERS = {
    1: "ORFCIOConfigDecoder",
    3: "ORFCIOEventDecoder",
    4: "ORFCIOStatusDecoder",
    6: "ORFCIOEventDecoder",
    7: "ORFCIOEventHeaderDecoder",
}


# --- all decoders -----------------------------------------------------------------


class _Reader:
    """State from packet to packet, and the rows so far."""

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.header = framing.headers[0]
        self.rows: dict[str, list[Row]] = {}
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.listener_configs: dict[int, _ListenerConfig] = {}
        self.streams: dict[int, _Stream] = {}
        self.other_split = self._find_other_split()
        # samples of the first traces of SIS3320 cards, by key
        self.lengths: dict[int, int] = {}
        self.decoders: dict[str, Callable[[Packet], None]] = {
            "ORRunDecoderForRun": self._run,
            "ORFlashCamListenerConfigDecoder": self._listener_config,
            "ORFlashCamListenerStatusDecoder": self._listener_status,
            "ORFlashCamADCWaveformDecoder": self._flashcam_waveform,
            "ORFlashCamWaveformDecoder": self._flashcam_waveform,
            **dict.fromkeys(
                ("ORFCIODecoder", *_FCIO_DECODERS.values()), self._fcio_packet
            ),
            "ORSIS3302DecoderForEnergy": self._sis3302,
            "ORSIS3316WaveformDecoder": self._sis3316,
            "ORGretina4MWaveformDecoder": self._gretina4m,
            "ORGretina4AWaveformDecoder": self._gretina4a,
            "ORSIS3305DecoderForWaveform": self._sis3305,
            "ORSIS3320WaveformDecoder": self._sis3320,
            "ORCV1730WaveformDecoder": self._caen,
            "ORCaen1724WaveformDecoder": self._caen,
            "ORCaen1720WaveformDecoder": self._caen,
            "ORCV1721WaveformDecoder": self._caen,
            "ORDT5725Decoder": self._caen_usb,
            "ORDT5720Decoder": self._caen_usb,
            **dict.fromkeys(SIMPLE, self._simple),
        }

    def read(self) -> Reading:
        for packet, header in zip(
            self.framing.packets, self.framing.headers, strict=True
        ):
            if packet.decoder is None and not header.continues(self.header):
                self.listener_configs = {}
                self.streams = {}
                self.lengths = {}
            self.header = header
            if packet.decoder is None:
                continue
            take = self.decoders.get(packet.decoder)
            if take is None:
                self.dropped[packet.decoder, "no decoder"] += 1
                continue
            try:
                take(packet)
            except _DropError as reason:
                self.dropped[packet.decoder, str(reason)] += 1
            except (struct.error, IndexError):
                self.dropped[packet.decoder, "too short"] += 1
        return Reading(self.framing, self.framing.headers[0], self.rows, self.dropped)

    def _add(
        self,
        packet: Packet,
        key: Key,
        values: dict[str, Any],
        *,
        decoder: str | None = None,
        schema: str | None = None,
    ) -> None:
        decoder = decoder or packet.decoder
        assert decoder is not None
        schema = schema or decoder
        if "packet_id" in SCHEMAS[schema]:
            values = {"packet_id": packet.index, **values}
        assert values.keys() == SCHEMAS[schema].keys(), values.keys()
        self.rows.setdefault(decoder, []).append(Row(schema, key, values, self.header))

    def _drop(self, packet: Packet, reason: str) -> None:
        assert packet.decoder is not None
        self.dropped[packet.decoder, reason] += 1

    # runs (format 4.2)

    def _run(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 4, "too short")
        word = w[1]
        flags = (
            *("runstartorstop", "quickstartrun", "remotecontrolrun"),
            *("heartbeatrecord", "endsubrunrecord", "startsubrunrecord"),
        )
        row = {
            "subrun_number": word >> 16,
            **{name: bool(word >> bit & 1) for bit, name in enumerate(flags)},
            "run_number": packet.signed(2),
            "time": packet.signed(3),
        }
        self._add(packet, None, row)

    # FlashCam, first generation (format 4.3)

    def _listener_config(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 13, "too short")
        row: dict[str, Any] = {
            "packet_len": packet.length,
            "readout_id": w[1] >> 16,
            "fcid": w[1] & 0xFFFF,
            **{name: packet.signed(2 + i) for i, name in enumerate(_CONFIG_NAMES)},
        }
        n, n_cards = row["nadcs"], row["adccards"]
        _check(0 <= n <= 2400 and len(w) >= 13 + n, "number of traces")
        _check(0 <= n_cards <= 256, "number of cards")
        trace_map = [(word >> 16, word & 0xFFFF) for word in w[13 : 13 + n]]
        revisions, unique_ids = [0] * n_cards, [0] * n_cards
        revision_words = -(-n_cards // 4)
        if len(w) == 13 + n + revision_words + 2 * n_cards:
            first = 13 + n
            for i in range(n_cards):
                revisions[i] = w[first + i // 4] >> 8 * (i % 4) & 0xFF
                high, low = w[first + revision_words + 2 * i :][:2]
                unique_ids[i] = high << 32 | low
        row |= {
            "ch_board_id": [board for board, _ in trace_map],
            "ch_inputnum": [fc_input for _, fc_input in trace_map],
            "board_rev": revisions,
            "board_uid": unique_ids,
        }
        self._add(packet, None, row)
        self.listener_configs[row["fcid"]] = _ListenerConfig(
            row["gps"], row["nsamples"], row["adcbits"], trace_map
        )

    def _listener_status(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 15, "too short")
        n = w[13]
        _check(1 <= n <= 256 and len(w) >= 15 + 39 * n, "number of cards")

        def is_card_id(word: int) -> bool:
            return word == 0 or word & 0xFFFFF000 in (0x1000, 0x2000, 0x4000)

        stride = 39
        if n > 1 and not is_card_id(w[15 + 39]):
            other = 15 + 39 + n
            if (
                other < len(w)
                and is_card_id(w[other])
                and len(w) >= 15 + (n - 1) * (39 + n) + 39
            ):
                stride = 39 + n
        cards = [w[15 + stride * i :][:39] for i in range(n)]
        environment = [
            struct.unpack_from("<16i", packet.content(), 4 * (15 + stride * i + 19))
            for i in range(n)
        ]
        links = 15 + stride * (n - 1) + 39

        def seconds(word: int) -> float:
            return w[word] + 1e-6 * w[word + 1]

        def each(k: int) -> list[int]:
            return [card[k] for card in cards]

        def some(first: int, last: int) -> list[int]:
            return [word for card in cards for word in card[first:last]]

        def sensors(first: int, last: int) -> list[int]:
            return [value for values in environment for value in values[first:last]]

        row = {
            "readout_id": w[1] >> 16,
            "fcid": w[1] & 0xFFFF,
            "status": packet.signed(2),
            "statustime": seconds(3),
            "cputime": seconds(5),
            "startoffset": seconds(8),
            "n_cards": n,
            "card_data_size": packet.signed(14),
            "card_id": each(0),
            "card_status": each(1),
            "card_eventnumber": each(2),
            "card_pps_count": each(3),
            "card_clock_tick_count": each(4),
            "card_max_clock_ticks": each(5),
            "card_n_env_vals": each(6),
            "card_n_cti_links": each(7),
            "card_n_link_states": each(8),
            "card_n_errors_tot": each(10),
            "card_n_env_errors": each(11),
            "card_n_cti_errors": each(12),
            "card_n_link_errors": each(13),
            "card_n_other_errors": some(14, 19),
            "card_cti_links": some(35, 39),
            "card_link_states": list(w[links : links + n]),
            "card_temps": sensors(0, 5),
            "card_voltages": sensors(5, 11),
            "card_main_current": sensors(11, 12),
            "card_humidity": sensors(12, 13),
            "card_adc_temps": sensors(13, 15),
        }
        self._add(packet, None, row)

    def _find_other_split(self) -> set[tuple[str, int]]:
        """Find decoder and listener whose packets have the other split of word 2.

        The declared split fails for all of them, and the other never (format 4.3.3).
        """
        outcomes: dict[tuple[str, int], list[tuple[bool, bool]]] = {}
        maps: dict[int, list[tuple[int, int]]] = {}
        for packet, header in zip(
            self.framing.packets, self.framing.headers, strict=True
        ):
            name = packet.decoder
            w = packet.words()
            if len(w) < 3:
                continue
            if name == "ORFlashCamListenerConfigDecoder" and len(w) >= 13:
                words = w[13 : 13 + min(w[3], 2400)]
                maps[w[1] & 0xFFFF] = [(word >> 16, word & 0xFFFF) for word in words]
            if name not in (
                "ORFlashCamADCWaveformDecoder",
                "ORFlashCamWaveformDecoder",
            ):
                continue
            listener, _ = _find_card(header, w[2] >> 27, w[2] >> 22 & 0x1F)
            if listener is None or listener.fcid not in maps:
                continue
            trace_map = maps[listener.fcid]
            declared = name == "ORFlashCamWaveformDecoder"
            fits = []
            for wide in (declared, not declared):
                fc_input, channel = _location_split(w[2], wide=wide)
                fits.append(
                    channel < len(trace_map)
                    and trace_map[channel][1] == fc_input
                    and _address_fits(w[2] >> 14 & 0xFF, trace_map[channel][0])
                )
            outcomes.setdefault((name, listener.fcid), []).append((fits[0], fits[1]))
        return {
            source
            for source, fits in outcomes.items()
            if all(other and not declared for declared, other in fits)
        }

    def _flashcam_waveform(self, packet: Packet) -> None:
        assert packet.decoder is not None
        w = packet.words()
        _check(len(w) >= 3, "too short")
        orca_words, flashcam_words = w[1] >> 28, w[1] >> 22 & 0x3F
        n_samples = w[1] >> 6 & 0xFFFF
        if orca_words == 0:
            # As written for some days in March 2023.
            orca_words, flashcam_words = 3, 17
            n_samples = 2 * (len(w) - 20)
        n_offsets = flashcam_words - 10
        _check(orca_words >= 3 and n_offsets >= 5, "header words")
        first = orca_words + flashcam_words
        _check(
            n_samples >= 0 and n_samples % 2 == 0 and first + n_samples // 2 <= len(w),
            "length",
        )

        crate, slot = w[2] >> 27, w[2] >> 22 & 0x1F
        listener, card = _find_card(self.header, crate, slot)
        wide = packet.decoder == "ORFlashCamWaveformDecoder"
        byte = w[2] >> 14 & 0xFF
        if listener is None or card is None:
            listener, card = self._find_elsewhere(
                byte, *_location_split(w[2], wide=wide)
            )
        fcid = listener.fcid
        if (packet.decoder, fcid) in self.other_split:
            wide = not wide
        fc_input, channel = _location_split(w[2], wide=wide)
        board_id = card["CardAddress"]
        if not _address_fits(byte, board_id):
            board_id = byte << 4
        config = self.listener_configs.get(fcid)
        if config is not None:
            _check(channel < len(config.trace_map), "trace index")
            board_id, fc_input = config.trace_map[channel]
        key = channel_key(fcid, board_id, fc_input)
        offered = listener.keys()

        values = [packet.signed(orca_words + i) for i in range(flashcam_words - 1)]
        offsets = [*values[:n_offsets], 0, 0][:7]
        region = values[n_offsets : n_offsets + 5]
        stamp = values[n_offsets + 5 : n_offsets + 9]
        _check(stamp[3] != -1, "maximal ticks")
        run_time = (stamp[1] % 2**32) + (stamp[2] % 2**32) / (stamp[3] + 1)
        if config is None or config.gps == 0:
            timestamp = run_time + offsets[0] + 1e-6 * offsets[1]
        else:
            timestamp = run_time + offsets[2]
        dead_time = math.nan
        if region[4]:
            dead_time = region[2] - region[0] + (region[3] - region[1]) / region[4]
        if config is not None:
            length = config.nsamples
            bits = config.adcbits
        else:
            length = listener.samples
            bits = {"ORFlashCamADCStdModel": 12, "ORFlashCamADCModel": 16}.get(
                card.get("Class Name", "")
            )
        row = {
            "event_type": w[1] & 0x1F,
            "fcid": fcid,
            "crate": crate,
            "slot": slot,
            "fc_input": fc_input,
            "board_id": board_id,
            "channel": channel,
            "numtraces": 1,
            **dict(zip(_OFFSET_NAMES, offsets, strict=True)),
            **dict(zip(_REGION_NAMES, region, strict=True)),
            **dict(zip(_STAMP_NAMES, stamp, strict=True)),
            "baseline": w[first - 1] & 0xFFFF,
            "daqenergy": w[first - 1] >> 16,
            "dr_ch_idx": 0,
            "dr_ch_len": len(offered),
            "runtime": run_time,
            "timestamp": timestamp,
            "deadtime": dead_time,
            "lifetime": 0,
            "deadinterval_nsec": 0,
            **_trace(
                _halves(w[first : first + n_samples // 2]),
                math.nan if bits is None else 4 if bits == 12 else 16,
                length,
            ),
        }
        self._add(packet, key, row)

    def _find_elsewhere(
        self, byte: int, fc_input: int, channel: int
    ) -> tuple[Listener, Plist]:
        """Find the listener of a card that the header lacks, or has elsewhere.

        By what the listeners say of their traces, or else by its address.
        """
        listeners = {each.fcid: each for each in self.header.listeners()}
        for fcid, config in self.listener_configs.items():
            if channel < len(config.trace_map):
                board_id, of_input = config.trace_map[channel]
                if of_input == fc_input and _address_fits(byte, board_id):
                    listener = listeners.get(fcid, Listener(fcid, [], 0, fsp=False))
                    return listener, {"CardAddress": board_id}
        _check(not self.listener_configs, "card not in the header")
        for each in listeners.values():
            for _, _, card in each.cards:
                if _address_fits(byte, card["CardAddress"]):
                    return each, card
        if len(listeners) == 1:
            (listener,) = listeners.values()
        else:
            listener = Listener(0, [], 0, fsp=False)
        return listener, {"CardAddress": byte << 4}

    # FCIO (format 4.4)

    def _fcio_packet(self, packet: Packet) -> None:
        assert packet.decoder is not None
        content = packet.content()
        _check(len(content) >= 8, "too short")
        (streamid,) = struct.unpack_from("<I", content, 4)
        payload = content[8:]
        # The protocol is in packets with a configuration only, where there may be
        # two in a row: harmless.
        start = b"\xff\x35\x65\xc4" + b"FlashCamV1".ljust(64, b"\0")
        try:
            records = [*fcio.read_records(start + payload)]
        except fcio.NotWellFormedError as error:
            raise _DropError("damaged FCIO record") from error
        wanted = [tag for tag, name in _FCIO_DECODERS.items() if name == packet.decoder]
        if packet.decoder == "ORFCIODecoder":
            wanted = [*_FCIO_DECODERS]
        kept = []
        for tag, frames in records:
            if tag in (8, 9, 10) or tag in wanted:
                kept.append((tag, frames))
            if tag in wanted:
                break
        _check(kept and kept[-1][0] in wanted, "no such record")

        stream = self.streams.get(streamid)
        if stream is None:
            _check(kept[-1][0] == 1, "no configuration")
            stream = self.streams[streamid] = _Stream()
        try:
            rows = stream.take_packet(packet.index, kept)
            config = stream.config
            assert config is not None
            if config.fcid != streamid & 0xFFFF:
                raise fcio.NotWellFormedError("another stream's record")
        except (fcio.NotWellFormedError, struct.error) as error:
            self._forget(streamid, packet.index)
            raise _DropError("damaged FCIO record") from error
        self._add_fcio_rows(packet, rows)

    def _forget(self, streamid: int, index: int) -> None:
        """Put a stream back to where it was before a bad packet."""
        history = self.streams.pop(streamid).history
        if any(of < index for of, _ in history):
            again = self.streams[streamid] = _Stream()
            for of, records in history:
                if of < index:
                    again.take_packet(of, records)

    def _add_fcio_rows(
        self,
        packet: Packet,
        rows: list[tuple[str, str | int, dict[str, Any]]],
    ) -> None:
        names = {
            "FCConfig": "ORFCIOConfigDecoder",
            "FSPConfig": "ORFCIOConfigDecoder",
            "FCEvent": "ORFCIOEventDecoder",
            "FCEventHeader": "ORFCIOEventHeaderDecoder",
            "FCStatus": "ORFCIOStatusDecoder",
            "FSPStatus": "ORFCIOStatusDecoder",
        }
        for schema, key, values in rows:
            decoder = names.get(schema)
            if decoder is None:
                part = str(key).rpartition("/")[2]
                decoder = (
                    "ORFCIOEventDecoder"
                    if part == "event"
                    else "ORFCIOEventHeaderDecoder"
                )
            self._add(packet, key, values, decoder=decoder, schema=schema)

    # Struck (format 4.5, 4.6, 5.3 and 5.4)

    def _sis3302(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 10, "too short")
        crate, card, channel = _place(w[1])
        n_raw, n_energy = w[2], w[3]
        wrapped = bool(w[1] & 1)
        header_words = 4 if wrapped else 2
        _check(w[-1] == 0xDEADBEEF, "trailer")
        if 8 + header_words + n_raw + n_energy != len(w):
            # The energy trace may have half as many words as declared.
            n_energy = len(w) - 8 - header_words - n_raw
            _check(n_energy >= 0, "length")
        _check(w[4] & 7 == channel, "channel")
        key = ccc(crate, card, channel)
        settings = self.header.card("ORSIS3302Model", crate, card) or {}
        period = {0: 10, 1: 20, 2: 40, 3: 100, 4: 1000, 7: 10}.get(
            settings.get("clockSource", -1), math.nan
        )
        lengths = settings.get("sampleLengths", (0, 0, 0, 0))
        first = 4 + header_words
        samples = _halves(w[first : first + n_raw])
        if wrapped:
            n, start = w[6], w[7]
            _check(0 < n <= len(samples), "wrap")
            # From one after the start: format B12.
            samples = [samples[(start + 1 + i) % n] for i in range(n)]
        row = {
            "energy": w[-4],
            "energy_first": w[-3],
            "flags": w[-2],
            "timestamp": w[5] | w[4] >> 16 << 32,
            **_place_columns(crate, card, channel),
            "energy_waveform": w[first + n_raw : first + n_raw + n_energy],
            **_trace(samples, period, lengths[channel // 2]),
        }
        self._add(packet, key, row)

    def _sis3316(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 10, "too short")
        crate, card, channel = _place(w[1])
        key = ccc(crate, card, channel)
        settings = self.header.card("ORSIS3316Model", crate, card) or {}
        n_events = w[2]
        _check(n_events >= 1, "no events")
        maw_lengths = settings.get("mawBufferLength", (0, 0, 0, 0))
        position = 10
        for _ in range(n_events):
            position = self._sis3316_event(
                packet,
                position,
                key,
                _place_columns(crate, card, channel),
                settings.get("rawDataBufferLen", 0),
                maw_lengths[channel // 4] & 0xFFE,
            )

    def _sis3316_event(
        self,
        packet: Packet,
        position: int,
        key: int,
        place: dict[str, int],
        length: int,
        maw_length: int,
    ) -> int:
        w = packet.words()
        h = w[position:]
        _check(len(h) >= 3, "event cut off")
        bits = h[0] & 0xF
        absent = 0xFFFFFFFF
        row: dict[str, Any] = dict.fromkeys(SIS3316, absent)
        del row["packet_id"], row["waveform/values"]
        row |= {
            "timestamp": h[1] | h[0] >> 16 << 32,
            **place,
        }
        i = 2
        if bits & 1:
            _check(len(h) >= i + 7, "event cut off")
            row |= {
                "peakHighValue": h[i] & 0xFFFF,
                "peakHighIndex": h[i] >> 16,
                "accSum1": h[i + 1] & 0xFFFFFF,
                "information": h[i + 1] >> 24,
                **{f"accSum{k}": h[i + k] for k in range(2, 7)},
            }
            i += 7
        if bits & 2:
            _check(len(h) >= i + 2, "event cut off")
            row |= {"accSum7": h[i], "accSum8": h[i + 1]}
            i += 2
        if bits & 4:
            _check(len(h) >= i + 3, "event cut off")
            row |= {"mawMax": h[i], "mawBefore": h[i + 1], "mawAfter": h[i + 2]}
            i += 3
        if bits & 8:
            _check(len(h) >= i + 2, "event cut off")
            row |= {
                "startEnergy": h[i],
                "maxEnergy": h[i + 1],
                "energy_first": h[i],
                "energy": h[i + 1],
            }
            i += 2
        _check(len(h) > i, "event cut off")
        check = h[i]
        i += 1
        _check(check >> 28 in (0xE, 0xA), "check nibble")
        n_raw = check & 0x3FFFFFF
        n_averaged = 0
        if check >> 28 == 0xA:
            _check(len(h) > i, "event cut off")
            n_averaged = h[i] & 0xFFFF
            i += 1
        samples = _halves(h[i : i + n_raw])
        i += n_raw + n_averaged
        if check >> 27 & 1:
            i += maw_length
        _check(i <= len(h), "event cut off")
        row |= _trace(samples, 8, length)
        self._add(packet, key, row)
        return position + i

    def _sis3305(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 4, "too short")
        crate, card = w[1] >> 28, w[1] >> 20 & 0x1F
        mode, group, rate = w[1] >> 16 & 0xF, w[1] >> 12 & 0xF, w[1] >> 8 & 0xF
        saving = w[1] >> 4 & 0xF
        _check(not w[1] & 1, "wrap mode")
        event_words, n_events = w[2], w[3] & 0xFFFF
        _check(event_words >= 4, "length")
        block = {4: 4, 1: 8, 0: 16}.get(saving)
        _check(block is not None and not (saving == 0 and rate != 2), "saving mode")
        assert block is not None
        for k in range(min(n_events, (len(w) - 4) // event_words)):
            h = w[4 + k * event_words :][:event_words]
            n_data = block * (h[3] & 0xFFFF)
            _check(event_words == 4 + n_data, "length")
            event_id = h[0] >> 28
            channel = group * 4 + (0 if saving == 0 else event_id)
            row = {
                "timestamp": h[1] | (h[0] & 0xFFFF) << 32,
                "event_id": event_id,
                "group": group,
                "channel_mode": mode,
                "rate": rate,
                "saving_mode": saving,
                **_place_columns(crate, card, channel),
                **_trace(_sis3305_samples(h[4:], saving), (0.8, 0.4, 0.2)[rate]),
            }
            self._add(packet, ccc(crate, card, channel), row)

    def _sis3320(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 2, "too short")
        crate, card, channel = _place(w[1])
        key = ccc(crate, card, channel)
        settings = self.header.card("ORSIS3320Model", crate, card) or {}
        period = {0: 5, 1: 10, 2: 20, 7: 4}.get(
            settings.get("clockSource", -1), math.nan
        )
        position = 2
        while position < len(w):
            h = w[position:]
            _check(len(h) >= 10, "event cut off")
            check, n = h[9] >> 16, h[9] & 0xFFFF
            _check(check in (0xDADA, 0xEDED), "check half-word")
            if check == 0xEDED:
                n = 0
            n_words = (n + 1) // 2
            _check(len(h) >= 10 + n_words, "event cut off")
            gates = (
                *(word & 0xFFFFF for word in h[2:6]),
                *(h[6] & 0xFFFF, h[6] >> 16, h[7] & 0xFFFF, h[7] >> 16),
            )
            self.lengths.setdefault(key, n)
            row = {
                "timestamp": h[1] | h[0] >> 16 << 32,
                **dict(zip(_GATES, gates, strict=True)),
                **_place_columns(crate, card, channel),
                **_trace(
                    _halves(h[10 : 10 + n_words])[:n], period, n or self.lengths[key]
                ),
            }
            self._add(packet, key, row)
            position += 10 + n_words

    # Gretina (format 5.1 and 5.2)

    def _gretina4m(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 2 and (len(w) - 2) % 1024 == 0, "length")
        crate, card, _ = _place(w[1])
        settings = self.header.card("ORGretina4MModel", crate, card) or {}
        factor = dict(enumerate((1, 2, 4, 8, 16))).get(
            settings.get("Down Sample", -1), math.nan
        )
        for position in range(2, len(w), 1024):
            h = w[position : position + 1024]
            channel = h[1] & 0xF
            key = ccc(crate, card, channel)
            if h[0] != 0xAAAAAAAA:
                self._drop(packet, "separator")
                continue
            if channel > 9:
                self._drop(packet, "channel")
                continue
            energy = h[3] >> 16 | (h[4] & 0x1FF) << 16
            if energy >> 24 & 1:
                energy = (~energy & 0x1FFFFFF) + 1
            samples = [
                half - 0x10000 if half & 0x8000 else half for half in _halves(h[15:])
            ]
            row = {
                "energy": energy,
                "timestamp": h[2] | (h[3] & 0xFFFF) << 32,
                **_place_columns(crate, card, channel),
                "board_id": h[1] >> 4 & 0xFFF,
                "serial_number": w[1] & 0xFFFF,
                "fifo_state": w[1] >> 30,
                **_trace(samples, 10 * factor),
            }
            self._add(packet, key, row)

    def _gretina4a(self, packet: Packet) -> None:
        w = packet.words()
        _check(len(w) >= 2, "too short")
        crate, card, _ = _place(w[1])
        settings = self.header.card("ORGretina4AModel", crate, card) or {}
        decimation = dict(enumerate(settings.get("decimationFactor", ())))
        position = 2
        while position < len(w):
            h = w[position:]
            _check(h[0] == 0xAAAAAAAA, "separator")
            _check(len(h) >= 14, "event cut off")
            n_words = (h[1] >> 16 & 0x7FF) + 1
            _check(n_words <= len(h), "event cut off")
            header_words = (h[3] >> 26) // 2
            _check(14 <= header_words <= n_words, "header words")
            position += n_words
            channel = h[1] & 0xF
            key = ccc(crate, card, channel)
            pre = h[8] & 0xFFFFFF
            post = h[8] >> 24 | (h[9] & 0xFFFF) << 8
            halves = _halves(h[header_words:n_words])
            row = {
                "timestamp": h[2] | (h[3] & 0xFFFF) << 32,
                "prev_timestamp": h[4] >> 16 | h[5] << 16,
                "energy": post - pre,
                "pre_rise_sum": pre,
                "post_rise_sum": post,
                "baseline": h[6] & 0xFFFFFF,
                "flags": h[4] & 0xFFFF,
                "event_type": h[3] >> 23 & 7,
                "header_type": h[3] >> 16 & 0xF,
                "peak_time": h[9] >> 16,
                "trigger_time": h[10] >> 16,
                **_place_columns(crate, card, channel),
                "board_id": h[1] >> 4 & 0xFFF,
                "waveform_flags": [half >> 14 for half in halves],
                **_trace(
                    [half & 0x3FFF for half in halves],
                    10 * 2 ** decimation.get(channel, math.nan),
                ),
            }
            self._add(packet, key, row)

    # CAEN (format 5.5 and 5.6)

    def _caen(self, packet: Packet) -> None:
        assert packet.decoder is not None
        w = packet.words()
        _check(len(w) >= 2, "too short")
        crate, card, _ = _place(w[1])
        n_channels, mask, period = {
            "ORCV1730WaveformDecoder": (16, 0x3FFF, 2),
            "ORCaen1724WaveformDecoder": (8, 0x3FFF, 10),
            "ORCaen1720WaveformDecoder": (8, 0xFFF, 4),
            "ORCV1721WaveformDecoder": (8, 0xFF, 2),
        }[packet.decoder]
        position = 2
        while len(w) - position >= 4:
            h = w[position:]
            if h[0] == 0:
                break
            _check(h[0] >> 28 == 0xA, "event header")
            size = h[0] & 0xFFFFFFF
            _check(4 <= size <= len(h), "event cut off")
            position += size
            channels = h[1] & 0xFF
            if n_channels == 16:
                channels |= h[2] >> 24 << 8
            # Zero-length encoding is of the x720 and x724 only.
            encoded = packet.decoder in (
                "ORCaen1724WaveformDecoder",
                "ORCaen1720WaveformDecoder",
            ) and bool(h[1] >> 24 & 1)
            common = _caen_common(h)
            for channel, words in self._caen_traces(
                packet, h[4:size], channels, encoded=encoded
            ):
                if mask == 0xFF:
                    samples = [word >> 8 * i & 0xFF for word in words for i in range(4)]
                else:
                    samples = [half & mask for half in _halves(words)]
                row = {
                    **common,
                    **_place_columns(crate, card, channel),
                    **_trace(samples, period),
                }
                self._add(packet, ccc(crate, card, channel), row)

    def _caen_traces(
        self, packet: Packet, data: tuple[int, ...], mask: int, *, encoded: bool
    ) -> Iterator[tuple[int, tuple[int, ...]]]:
        channels = [i for i in range(16) if mask >> i & 1]
        if not channels:
            return
        if encoded:
            self._drop(packet, "zero-length encoding")
            return
        if len(data) % len(channels):
            self._drop(packet, "length")
            return
        n = len(data) // len(channels)
        for i, channel in enumerate(channels):
            yield channel, data[i * n : (i + 1) * n]

    def _caen_usb(self, packet: Packet) -> None:
        assert packet.decoder is not None
        w = packet.words()
        _check(len(w) >= 6, "too short")
        unit = w[1] >> 16 & 0xF
        h = w[2:]
        _check(h[0] >> 28 == 0xA, "event header")
        size = h[0] & 0xFFFFFFF
        _check(4 <= size <= len(h), "event cut off")
        is_5720 = packet.decoder == "ORDT5720Decoder"
        channels = h[1] & (0xF if is_5720 else 0xFF)
        encoded = is_5720 and bool(h[1] >> 24 & 1)
        mask = 0xFFF if is_5720 else 0x3FFF
        for channel, words in self._caen_traces(
            packet, h[4:size], channels, encoded=encoded
        ):
            if is_5720 and w[1] & 1:
                samples = _unpack_25(words)
            else:
                samples = [half & mask for half in _halves(words)]
            row = {
                **_caen_common(h),
                "unit": unit,
                "channel": channel,
                **_trace(samples, 4),
            }
            self._add(packet, unit * 100 + channel, row)

    # simple records (format 5.7)

    def _simple(self, packet: Packet) -> None:
        assert packet.decoder is not None
        w = packet.words()
        floats = packet.floats

        def timed(n: int) -> dict[str, Any]:
            """Read n pairs of value and time."""
            return {"id": w[1] & 0xFFFF, "time": [w[3 + 2 * i] for i in range(n)]}

        name = packet.decoder
        row: dict[str, Any]
        if name in ("ORScriptDecoderForState", "ORScriptDecoderForRecord"):
            row = {
                "script_type": w[1] >> 24 & 0xF,
                "id": w[1] & 0xFFFF,
                "time": w[2],
            }
            if name == "ORScriptDecoderForState":
                row["started"] = w[3] != 0
            else:
                text = packet.content()[20 : 20 + w[4]]
                _check(len(text) == w[4], "length")
                row |= {"tag": w[3], "text": [*text]}
        elif name == "OR1DHistoDecoder":
            n_key = w[1]
            bins = w[3 + n_key :]
            _check(len(bins) >= w[2 + n_key], "length")
            key = packet.content()[8 : 8 + 4 * n_key].rstrip(b"\0")
            row = {"name": [*key], "counts": bins[: w[2 + n_key]]}
        elif name == "ORMJDPreAmpDecoderForAdc":
            row = {
                "id": w[1] & 0xFFF,
                "time": w[2],
                "enabled": w[3] & 0xFFFF,
                "adc": floats(4, 16),
            }
        elif name == "ORiSegHVCardDecoderForHV":
            n = w[1] >> 4 & 0x1F
            row = {
                "crate": w[1] >> 20 & 0xF,
                "card": w[1] >> 16 & 0xF,
                "polarity": bool(w[1] & 1),
                "on_mask": w[2],
                "time": w[4],
                "voltage": floats(5, n, 2),
                "current": floats(6, n, 2),
            }
        elif name in ("ORVHQ224LDecoderForHVStatus", "ORNHQ226LDecoderForHVStatus"):
            row = {
                "id": w[1] & 0xFFFF,
                "time": w[2],
                "status1": [w[3], w[7]],
                "status2": [w[4], w[8]],
                "voltage": floats(5, 2, 4),
                "current": floats(6, 2, 4),
            }
        elif name == "ORLakeShore210DecoderForTemperature":
            row = {
                **timed(8),
                "kelvin": bool(w[1] >> 16 & 1),
                "temperature": floats(2, 8, 2),
            }
        elif name in (
            "ORCTITempDecoderForTemperature",
            "ORKeithley6487DecoderForCurrent",
            "ORKJL2200IonGaugeDecoderForPressure",
        ):
            column = name.rpartition("For")[2].lower()
            row = {"id": w[1] & 0xFFFF, "time": w[3], column: floats(2, 1)[0]}
        elif name == "ORMksPdr2000DecoderForPressure":
            row = {**timed(2), "units": w[1] >> 16 & 0xF, "pressure": floats(2, 2, 2)}
        elif name == "ORTPG256ADecoderForPressure":
            row = {**timed(6), "pressure": floats(2, 6, 2)}
        elif name == "ORBocTIC3DecoderForPressure":
            row = {**timed(3), "pressure": floats(2, 3, 2)}
        elif name == "ORAmi286DecoderForLevel":
            row = {
                **timed(4),
                "fill_state": [w[1] >> 16 + 4 * i & 0xF for i in range(4)],
                "level": floats(2, 4, 2),
            }
        elif name in ("ORPacDecoderForAdc", "ORPacFPDecoderForAdc"):
            row = {
                "id": w[1] & 0xFFFF,
                "time": [w[2 + 2 * i] for i in range(8)],
                "adc": [w[3 + 2 * i] for i in range(8)],
            }
        elif name == "ORLabJackDecoderForIOData":
            row = {
                "id": w[1] & 0xFFFF,
                "differential": w[1] >> 16 & 0xF,
                "adc": floats(2, 8),
                "counter": w[10],
                **dict(zip(("direction", "output", "input"), w[11:14], strict=True)),
                "time": w[14],
            }
        elif name == "ORLabJackUE9DecoderForIOData":
            row = {
                "id": w[1] & 0xFFFF,
                "time": w[2],
                "adc": floats(3, 84),
                "counter": w[87:89],
                "timer": w[89:95],
                **dict(zip(("direction", "output", "input"), w[95:98], strict=True)),
            }
        elif name == "ORXYCom564Decoder":
            row = {
                "crate": w[1] >> 21 & 0xF,
                "card": w[1] >> 16 & 0x1F,
                "time": w[2],
                "time_usec": w[3],
                "channel": [word >> 16 & 0xFF for word in w[4:]],
                "adc": [word & 0xFFFF for word in w[4:]],
            }
        elif name in ("ORIP320DecoderForAdc", "ORIP320DecoderForValue"):
            row = {
                "crate": w[1] >> 21 & 0xF,
                "card": w[1] >> 16 & 0x1F,
                "ip_slot": w[1] & 0xF,
                "time": w[2],
            }
            if name == "ORIP320DecoderForAdc":
                row["channel"] = [word >> 16 & 0xFF for word in w[3:]]
                row["adc"] = [word & 0xFFF for word in w[3:]]
            else:
                n = (len(w) - 3) // 2
                row["channel"] = [w[3 + 2 * i] for i in range(n)]
                row["value"] = floats(4, n, 2)
        elif name in ("ORHVcRIODecoderForAdc", "ORADEIControlDecoderForAdc"):
            (value,) = struct.unpack_from("<d", packet.content(), 16)
            row = {"id": w[1] & 0xFFFF, "time": w[2], "index": w[3], "value": value}
        elif name == "ORMCA927SpectraDecoder":
            row = {
                "id": w[1] & 0xFFF,
                "channel": w[1] >> 12 & 1,
                "zdt": bool(w[1] >> 13 & 1),
                "live_time": w[2],
                "real_time": w[3],
                "zdt_mode": w[4],
                "counts": w[10:],
            }
        elif name == "ORShaperDecoderForShaper":
            word = w[0] if packet.start == 0 else w[1]
            row = {
                "crate": word >> 21 & 0xF,
                "card": word >> 16 & 0x1F,
                "channel": word >> 12 & 0xF,
                "adc": word & 0xFFF,
                "time": w[2] if len(w) > 3 else 0,
                "time_usec": w[3] if len(w) > 3 else 0,
            }
        else:
            row = {"time": w[1], "time_usec": w[2]}
        self._add(packet, None, row)


def _find_card(
    header: Header, crate: int, slot: int
) -> tuple[Listener | None, Plist | None]:
    """Find the listener that reads a card, and the card."""
    for listener in header.listeners():
        for of_crate, of_slot, card in listener.cards:
            if (of_crate, of_slot) == (crate, slot):
                return listener, card
    return None, None


def _place(word: int) -> tuple[int, int, int]:
    """Read crate, card and channel where most cards have them."""
    return word >> 21 & 0xF, word >> 16 & 0x1F, word >> 8 & 0xFF


def _place_columns(crate: int, card: int, channel: int) -> dict[str, int]:
    return {"crate": crate, "card": card, "channel": channel}


def _halves(words: Iterable[int]) -> list[int]:
    """Split words into half-words, low one first."""
    return [half for word in words for half in (word & 0xFFFF, word >> 16)]


def _trace(samples: list[int], period: float, length: int = 0) -> dict[str, Any]:
    """Make the columns of a waveform; see the choices at the top."""
    return {
        "waveform/values": samples + [0] * (length - len(samples)),
        "waveform/t0": 0,
        "waveform/dt": period,
    }


def _caen_common(h: tuple[int, ...]) -> dict[str, Any]:
    return {
        "eventnumber": h[2] & 0xFFFFFF,
        "timestamp": h[3] & 0x7FFFFFFF,
        "timestamp_rollover": bool(h[3] >> 31),
        "board_id": h[1] >> 27,
        "pattern": h[1] >> 8 & 0xFFFF,
        "board_fail": bool(h[1] >> 26 & 1),
    }


def _unpack_25(words: tuple[int, ...]) -> list[int]:
    """Unpack 5 samples from each 2 words (format 5.6)."""
    samples = []
    for a, b in zip(words[::2], words[1::2], strict=False):
        samples += (
            a & 0xFFF,
            a >> 12 & 0xFFF,
            a >> 24 & 0x3F | (b & 0x3F) << 6,
            b >> 6 & 0xFFF,
            b >> 18 & 0xFFF,
        )
    return samples


def _sis3305_samples(words: tuple[int, ...], saving: int) -> list[int]:
    """Unpack samples of 10 bits (format 5.3)."""
    samples = []
    if saving == 4:
        for word in words:
            samples += (word >> 20, word >> 10, word)
    elif saving == 1:
        for first in range(0, len(words), 8):
            for k in range(4):
                a, b = words[first + k], words[first + 4 + k]
                samples += (a >> 20, b >> 20, a >> 10, b >> 10, a, b)
    else:
        for first in range(0, len(words), 16):
            for k in range(4):
                for shift in (20, 10, 0):
                    samples += (words[first + i + k] >> shift for i in (0, 8, 4, 12))
    return [sample & 0x3FF for sample in samples]


def read(data: bytes) -> Reading:
    """Read a file: packets, rows, and what was dropped."""
    return _Reader(read_packets(data)).read()


def read_tables(data: bytes) -> dict[str, dict[str, list[Any]]]:
    """Read the output tables of a file; see `Reading.tables`."""
    return read(data).tables()

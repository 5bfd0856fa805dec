"""Writer of synthetic ORCA files.

Made from the ORCA format alone, so that it shares no mistake with a decoder;
"format N" means its section N, and "FCIO format, N" one of
the FCIO format, whose records `writers.fcio` writes.

There are four levels:

- framing: `short_packet`, `long_packet`, `extended_packet`, `assemble`, `swapped`;
- the property list of the header, from parts: `flashcam_adc`, `vme_card`, `crate`,
  `listener`, `readout`, `data_description`, `header`, and `header_packet` for the
  packet;
- one function per kind of record, which returns a packet: `run`, `flashcam_config`,
  `flashcam_waveform`, `fcio_packet`, `sis3302`, and so on. They check nothing, since
  tests of bad input are written with them as well;
- `Run`, with `make_stream`, `make_indexed_stream` and `write_stream`: whole runs.

Examples
--------
>>> data, index = make_indexed_stream(kinds=("flashcam", "sis3316"), n_events=3)
>>> index[0].kind, index[1].kind
('header', 'ORRunDecoderForRun')
"""

from __future__ import annotations

import copy
import plistlib
import re
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from kit.writers import fcio

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

Plist: TypeAlias = dict[str, Any]
Part: TypeAlias = "int | float | bytes | Sequence[int] | NDArray[Any]"
"""Part of a packet: a word, a float32, the very bytes, or several words."""

HEADER = "header"
"""Kind of a header packet in an index; all others go by their decoder's name."""

MAX_LONG = 0x3FFFF
"""Words in the longest long packet (format 1.1)."""


class Packet(NamedTuple):
    """Where a packet stands in a file: offset and length in bytes, and its kind.

    The kind is the name of the decoder in the header, `HEADER`, or for whatever a
    test puts between packets "other".
    """

    offset: int
    length: int
    kind: str


# --- data ids (format 1.5) -------------------------------------------------------


class Record(NamedTuple):
    """An entry of the header's ``dataDescription`` (format 1.5).

    ``length`` and ``variable`` are what the header declares, right or wrong.
    """

    object_name: str
    name: str
    decoder: str
    length: int = -1
    is_short: bool = False


RECORDS = (
    Record("ORRunModel", "Run", "ORRunDecoderForRun", 4),
    Record("ORCAScript", "State", "ORScriptDecoderForState", 4),
    Record("ORCAScript", "Record", "ORScriptDecoderForRecord"),
    Record("1DHisto", "Histograms", "OR1DHistoDecoder"),
    # FlashCam, first generation (format 4.3): the declared length is wrong.
    Record(
        "ORFlashCamListenerModel",
        "FlashCamConfig",
        "ORFlashCamListenerConfigDecoder",
        9646,
    ),
    Record(
        "ORFlashCamListenerModel", "FlashCamStatus", "ORFlashCamListenerStatusDecoder"
    ),
    Record("ORFlashCamADCModel", "FlashCamADC", "ORFlashCamADCWaveformDecoder"),
    Record("ORFlashCamADCStdModel", "FlashCamADCStd", "ORFlashCamWaveformDecoder"),
    # FlashCam, FCIO (format 4.4).
    Record("ORFlashCamListenerModel", "FlashCamConfig", "ORFCIOConfigDecoder"),
    Record("ORFlashCamListenerModel", "FlashCamStatus", "ORFCIOStatusDecoder"),
    Record("ORFlashCamListenerModel", "FlashCamEvent", "ORFCIOEventDecoder"),
    Record(
        "ORFlashCamListenerModel", "FlashCamEventHeader", "ORFCIOEventHeaderDecoder"
    ),
    Record("ORFlashCamListenerModel", "FlashCamFCIO", "ORFCIODecoder"),
    # Struck (format 4.5, 4.6, 5.3, 5.4).
    Record("ORSIS3302", "Energy", "ORSIS3302DecoderForEnergy"),
    Record("ORSIS3302", "LostData", "ORSIS3302DecoderForLostData", 3),
    Record("ORSIS3302", "MCA", "ORSIS3302DecoderForMca"),
    Record("ORSIS3302Generic", "Waveform", "ORSIS3302GenericDecoderForWaveform"),
    Record("ORSIS3316Model", "Waveform", "ORSIS3316WaveformDecoder"),
    Record("ORSIS3316Model", "Histogram", "ORSIS3316HistogramDecoder"),
    Record("ORSIS3316Model", "Statistics", "ORSIS3316StatisticsDecoder"),
    Record("ORSIS3305", "Waveform", "ORSIS3305DecoderForWaveform"),
    Record("ORSIS3320Model", "Waveform", "ORSIS3320WaveformDecoder"),
    # Gretina (format 5.1 and 5.2).
    Record("ORGretina4M", "Gretina4M", "ORGretina4MWaveformDecoder"),
    Record("ORGretina4A", "Gretina4A", "ORGretina4AWaveformDecoder"),
    # CAEN (format 5.5 and 5.6).
    Record("ORCV1730Model", "CAEN1720", "ORCV1730WaveformDecoder"),
    Record("ORCaen1724Model", "CAEN", "ORCaen1724WaveformDecoder"),
    Record("ORCaen1720Model", "CAEN1720", "ORCaen1720WaveformDecoder"),
    Record("ORCV1721Model", "CAEN1721", "ORCV1721WaveformDecoder"),
    Record("ORDT5725Model", "waveform", "ORDT5725Decoder"),
    Record("ORDT5720Model", "waveform", "ORDT5720Decoder"),
    # Simple records (format 5.7).
    Record("ORMJDPreAmpModel", "Adc", "ORMJDPreAmpDecoderForAdc", 20),
    Record("ORiSegHVCard", "HV", "ORiSegHVCardDecoderForHV"),
    Record("ORVHQ224LModel", "HVStatus", "ORVHQ224LDecoderForHVStatus", 11),
    Record("ORNHQ226LModel", "HVStatus", "ORNHQ226LDecoderForHVStatus", 11),
    Record(
        "ORLakeShore210Model",
        "Temperatures",
        "ORLakeShore210DecoderForTemperature",
        18,
    ),
    Record("ORCTITempModel", "Temperature", "ORCTITempDecoderForTemperature", 4),
    Record("ORKeithley6487Model", "Current", "ORKeithley6487DecoderForCurrent", 4),
    Record(
        "ORKJL2200IonGaugeModel", "Pressure", "ORKJL2200IonGaugeDecoderForPressure", 4
    ),
    # Declares 8 words and ships 6 (format 1.1).
    Record("ORMksPdr2000Model", "Pressure", "ORMksPdr2000DecoderForPressure", 8),
    Record("ORTPG256AModel", "Pressure", "ORTPG256ADecoderForPressure", 14),
    Record("ORBocTIC3Model", "Pressure", "ORBocTIC3DecoderForPressure", 8),
    Record("ORAmi286Model", "Level", "ORAmi286DecoderForLevel", 10),
    Record("ORPacModel", "Adc", "ORPacDecoderForAdc", 18),
    Record("ORPacFPModel", "Adc", "ORPacFPDecoderForAdc", 18),
    Record("ORLabJackModel", "IOData", "ORLabJackDecoderForIOData", 17),
    Record("ORLabJackUE9Model", "IOData", "ORLabJackUE9DecoderForIOData", 100),
    Record("ORXYCom564Model", "Adc", "ORXYCom564Decoder"),
    Record("ORIP320Model", "Adc", "ORIP320DecoderForAdc"),
    Record("ORIP320Model", "Value", "ORIP320DecoderForValue"),
    Record("ORHVcRIOModel", "Adc", "ORHVcRIODecoderForAdc", 9),
    Record("ORADEIControlModel", "Adc", "ORADEIControlDecoderForAdc", 9),
    Record("ORMCA927Model", "Spectra", "ORMCA927SpectraDecoder"),
    Record("ORShaperModel", "Shaper", "ORShaperDecoderForShaper", 1, is_short=True),
    Record("ORPollingTimeStamp", "Times", "ORPollingTimeStampDecoder", 3),
    # Records of no known decoder (format 1.5).
    Record("ORUnheardOfModel", "Long", "ORUnheardOfDecoderForLong"),
    Record("ORUnheardOfModel", "Short", "ORUnheardOfDecoderForShort", 1, is_short=True),
)
"""Every record that the format description names."""


def _assign_ids() -> dict[str, int]:
    """Number the records as ORCA does: from 1, and short ones from 33 of their own."""
    ids = {}
    number, short_number = 1, 33
    for entry in RECORDS:
        if entry.is_short:
            ids[entry.decoder] = short_number << 26
            short_number += 1
        else:
            ids[entry.decoder] = number << 18
            number += 1
    return ids


DATA_IDS = _assign_ids()
"""Unshifted data id of each decoder, unless a header says otherwise."""

FIRST_GENERATION = tuple(
    entry.decoder for entry in RECORDS if "FCIO" not in entry.decoder
)
"""Decoders of a set-up before FCIO was inside ORCA."""

SECOND_GENERATION = tuple(
    entry.decoder
    for entry in RECORDS
    if not entry.decoder.startswith(
        ("ORFlashCamListener", "ORFlashCamADC", "ORFCIODecoder")
    )
)
"""Decoders of a set-up with FCIO inside ORCA."""


# --- framing (format 1) ----------------------------------------------------------


def _encode(*parts: Part) -> bytes:
    """Encode parts of a packet as little-endian words; see `Part`."""
    encoded = []
    for part in parts:
        if isinstance(part, bytes):
            encoded.append(part)
        elif isinstance(part, (float, np.floating)):
            encoded.append(struct.pack("<f", part))
        elif isinstance(part, (int, np.integer)):
            encoded.append(struct.pack("<I", int(part) & 0xFFFFFFFF))
        else:
            words = [int(word) & 0xFFFFFFFF for word in part]
            encoded.append(np.array(words, dtype="<u4").tobytes())
    data = b"".join(encoded)
    return data + bytes(-len(data) % 4)


def _floats(values: Iterable[float]) -> bytes:
    return np.array([*values], dtype="<f4").tobytes()


def _samples(values: ArrayLike, dtype: str = "<u2") -> bytes:
    """Pack samples into words, first one in the low bits, zeros up to the word."""
    data = np.asarray(values).astype(dtype).tobytes()
    return data + bytes(-len(data) % 4)


def short_packet(data_id: int, payload: int = 0) -> bytes:
    """Write a packet of one word with 26 bits of content (format 1.1)."""
    return _encode(data_id & 0xFC000000 | payload & 0x3FFFFFF)


def long_packet(data_id: int, *parts: Part, length: int | None = None) -> bytes:
    """Write a packet whose length is in its first word (format 1.1).

    Parameters
    ----------
    parts
        words from the second on.
    length
        the number of words that the packet claims to have; if not given, the right
        one.
    """
    body = _encode(*parts)
    if length is None:
        length = 1 + len(body) // 4
    return _encode(data_id & 0xFFFC0000 | length & MAX_LONG) + body


def extended_packet(data_id: int, *parts: Part, length: int | None = None) -> bytes:
    """Write a packet whose length is in its second word (format 1.1)."""
    body = _encode(*parts)
    if length is None:
        length = 2 + len(body) // 4
    return _encode(data_id & 0xFFFC0000, length) + body


def packet(
    data_id: int, *parts: Part, length: int | None = None, extended: bool = False
) -> bytes:
    """Write a long packet, or an extended one if it is asked for or has to be."""
    body = _encode(*parts)
    if extended or 1 + len(body) // 4 > MAX_LONG:
        return extended_packet(data_id, body, length=length)
    return long_packet(data_id, body, length=length)


def kind_of(data: bytes, ids: Mapping[str, int] = DATA_IDS) -> str:
    """Tell the kind of a packet from its first word; see `Packet`."""
    if len(data) < 4:
        return "other"
    (word,) = struct.unpack_from("<I", data)
    mask = 0xFC000000 if word >> 31 else 0xFFFC0000
    if word & mask == 0:
        return HEADER if word else "other"
    names = {data_id: name for name, data_id in ids.items()}
    return names.get(word & mask, "other")


def assemble(
    packets: Iterable[bytes], ids: Mapping[str, int] = DATA_IDS
) -> tuple[bytes, list[Packet]]:
    """Join packets to a file, and tell where each of them is."""
    parts = [*packets]
    return b"".join(parts), _index(parts, ids)


def _index(parts: Iterable[bytes], ids: Mapping[str, int] = DATA_IDS) -> list[Packet]:
    index = []
    offset = 0
    for part in parts:
        if part:
            index.append(Packet(offset, len(part), kind_of(part, ids)))
        offset += len(part)
    return index


def swapped(packets: Iterable[bytes], ids: Mapping[str, int] = DATA_IDS) -> list[bytes]:
    """Turn packets into those of a big-endian machine (format 1.3).

    Words are swapped one by one, but text is not: that of a header from word 2, that
    of a script record from word 5, and the key words of a histogram.
    """
    turned = []
    for data in packets:
        kind = kind_of(data, ids)
        first, last = len(data), len(data)
        if kind == HEADER:
            first = 8
        elif kind == "ORScriptDecoderForRecord":
            first = 20
        elif kind == "OR1DHistoDecoder":
            first = 8
            last = first + 4 * struct.unpack_from("<I", data, 4)[0]
        words = [
            data[:first],
            data[last:],
        ]
        before, after = (
            np.frombuffer(part, dtype="<u4").astype(">u4").tobytes() for part in words
        )
        turned.append(before + data[first:last] + after)
    return turned


# --- header: parts of the property list (format 2) -------------------------------


def crate(
    number: int, cards: Sequence[Plist] | None, class_name: str = "ORVme64CrateModel"
) -> Plist:
    """Describe a crate; ``cards`` None leaves the key out (format 2)."""
    described: Plist = {
        "ClassName": class_name,
        "CrateNumber": number,
        "FirstSlot": 0,
    }
    if cards is not None:
        described["Cards"] = [*cards]
    return described


def flashcam_adc(
    card: int,
    address: int,
    *,
    enabled: Sequence[bool] | None = None,
    std: bool = False,
    **settings: Any,
) -> Plist:
    """Describe a FlashCam ADC card (format 4.3).

    Parameters
    ----------
    card
        the slot, "station" in the description of the readout.
    address
        ``CardAddress``, which is the board id.
    enabled
        the inputs in use, all of them if not given.
    std
        24 inputs of 12 bits in place of 6 of 16.
    """
    n_inputs = 24 if std else 6
    return {
        "ADCGain": [0] * n_inputs,
        "BaseBias": 0,
        "Baseline": [500] * n_inputs,
        "Card": card,
        "CardAddress": address,
        "Class Name": "ORFlashCamADCStdModel" if std else "ORFlashCamADCModel",
        "Enabled": [True] * n_inputs if enabled is None else [*enabled],
        "FilterType": [1] * n_inputs,
        "FlatTopTime": [2048.0] * n_inputs,
        "MajorityLevel": 1,
        "MajorityWidth": 1,
        "PoleZeroTime": [393216.0] * n_inputs,
        "ShapeTime": [40000] * n_inputs,
        "Threshold": [5000] * n_inputs,
        "TrigOutEnable": False,
        **settings,
    }


def flashcam_trigger(card: int, address: int, *, is_global: bool = False) -> Plist:
    """Describe a FlashCam trigger card, which has no inputs of its own."""
    kind = "GlobalTrigger" if is_global else "Trigger"
    return {
        "Card": card,
        "CardAddress": address,
        "Class Name": f"ORFlashCam{kind}Model",
        "MajorityLevel": 1,
        "MajorityWidth": 1,
    }


def vme_card(class_name: str, card: int, **settings: Any) -> Plist:
    """Describe a VME card: class, slot, base address and ``settings``."""
    return {
        "Class Name": class_name,
        "Card": card,
        "baseAddress": 0x1000000 * card,
        **settings,
    }


def sis3302_card(
    card: int,
    *,
    internal_mask: int = 0xFF,
    external_mask: int = 0,
    sample_lengths: Sequence[int] = (1024,) * 4,
    wrap_mask: int = 0,
    energy_samples: int = 0,
    **settings: Any,
) -> Plist:
    """Describe an SIS3302 (format 4.5); each length holds for two channels."""
    return vme_card(
        "ORSIS3302Model",
        card,
        internalTriggerEnabledMask=internal_mask,
        externalTriggerEnabledMask=external_mask,
        sampleLengths=[*sample_lengths],
        bufferWrapEnabledMask=wrap_mask,
        energySampleLength=energy_samples,
        clockSource=0,
        runMode=1,
        **settings,
    )


def sis3316_card(
    card: int,
    *,
    enabled_mask: int = 0xFFFF,
    samples: int = 512,
    format_mask: int = 0xF,
    maw_lengths: Sequence[int] = (0,) * 4,
    **settings: Any,
) -> Plist:
    """Describe an SIS3316 (format 4.6); each MAW length holds for four channels."""
    return vme_card(
        "ORSIS3316Model",
        card,
        enabledMask=enabled_mask,
        rawDataBufferLen=samples,
        formatMask=format_mask,
        mawBufferLength=[*maw_lengths],
        clockSource=0,
        **settings,
    )


def gretina4m_card(
    card: int,
    *,
    enabled: Sequence[bool] = (True,) * 10,
    down_sample: int = 0,
    **settings: Any,
) -> Plist:
    """Describe a Gretina4M (format 5.1)."""
    return vme_card(
        "ORGretina4MModel",
        card,
        **{
            "Enabled": [*enabled],
            "FtCnt": [0] * 10,
            "Prerecnt": [499] * 10,
            "Postrecnt": [530] * 10,
            "Mrpsrt": [0] * 10,
            "Mrpsdv": [0] * 10,
            "Chpsrt": [0] * 10,
            "Chpsdv": [0] * 10,
            "PreSum Enabled": [False] * 10,
            "Integration Time": 450,
            "Down Sample": down_sample,
            "Hist E Multiplier": 1,
            "Serial Number": "0",
            **settings,
        },
    )


def gretina4a_card(
    card: int,
    *,
    enabled: Sequence[bool] = (True,) * 10,
    decimation: Sequence[int] = (0,) * 10,
    samples: int = 1000,
    **settings: Any,
) -> Plist:
    """Describe a Gretina4A (format 5.2)."""
    return vme_card(
        "ORGretina4AModel",
        card,
        enabled=[*enabled],
        decimationFactor=[*decimation],
        rawDataLength=samples,
        rawDataWindow=samples + 28,
        **settings,
    )


def listener(
    number: int = 1,
    *,
    samples: int = 4096,
    fsp: bool | None = None,
    **settings: Any,
) -> Plist:
    """Describe a FlashCam listener for ``AuxHw`` (format 4.3 and 4.4).

    Parameters
    ----------
    samples
        ``eventSamples``, which need not be what the data hold.
    fsp
        ``fspEnabled``; None leaves the key out.
    """
    described: Plist = {
        "Class Name": "ORFlashCamListenerModel",
        "baselineSlew": 1,
        "eventBuffer": 1024,
        "eventSamples": samples,
        "gpsMode": 0,
        "interface": "lo0",
        "logTime": 1.0,
        "port": 3999 + number,
        "timeout": 5000,
        "trigAllEnable": True,
        "uniqueID": number,
        **settings,
    }
    if fsp is not None:
        described["fspEnabled"] = fsp
    return described


def readout(
    number: int, children: Iterable[tuple[int, int]], class_name: str = "ADC"
) -> Plist:
    """Describe what a listener reads: crate and slot of each card (format 2)."""
    return {
        "children": [
            {"crate": of, "name": f"ORFlashCam{class_name}Model", "station": card}
            for of, card in children
        ],
        "name": "ORFlashCamListenerModel",
        "uniqueID": number,
    }


def data_description(
    decoders: Iterable[str] = FIRST_GENERATION, ids: Mapping[str, int] = DATA_IDS
) -> Plist:
    """Describe the records of some decoders (format 1.5).

    Two records that have one name get different ones, so that a file may hold both
    generations of FlashCam. An entry without a data id is always among them.
    """
    wanted = {*decoders}
    description: Plist = {"ORRemote": {"Response": {"decoder": "ResponsePacket"}}}
    for entry in RECORDS:
        if entry.decoder not in wanted:
            continue
        of_object = description.setdefault(entry.object_name, {})
        name = entry.name
        while name in of_object:
            name += "2"
        of_object[name] = {
            "dataId": ids[entry.decoder],
            "decoder": entry.decoder,
            "length": entry.length,
            "variable": entry.length < 0,
        }
    return description


def header(
    *,
    crates: Sequence[Plist] | None = None,
    aux_hw: Sequence[Plist] = (),
    readouts: Sequence[Plist] = (),
    decoders: Iterable[str] = FIRST_GENERATION,
    ids: Mapping[str, int] = DATA_IDS,
    run_number: int = 1280,
    subrun_number: int = 0,
    start_time: int = 1_700_000_000,
    objects: Mapping[str, Any] | None = None,
) -> Plist:
    """Make the property list of a header (format 2).

    Parameters
    ----------
    crates, aux_hw, readouts
        what `crate`, `listener` and `readout` describe; without crates there is no
        such key.
    decoders, ids
        records to describe, and their data ids.
    objects
        more entries of ``ObjectInfo``, such as ``USB``.
    """
    control = {
        "Class Name": "ORRunModel",
        "RunNumber": run_number,
        "SubRunNumber": subrun_number,
        "quickStart": False,
        "refTime": 674679424.0,
        "remoteControl": False,
        "runType": 3,
        "startTime": start_time,
    }
    folder = {"CopyEnabled": 0, "DeleteWhenCopied": 0, "DirectoryName": "/data"}
    info: Plist = {
        "AuxHw": [*aux_hw],
        # Run Control need not come first (format 2).
        "DataChain": [
            {"Data File": {"DataFolder": folder, "SaveConfiguration": 1}},
            {"Run Control": control},
        ],
        **(objects or {}),
    }
    if crates is not None:
        info["Crates"] = [*crates]
    return {
        "Document Info": {
            "OrcaVersion": "12.0h",
            "dataVersion": 3,
            "date": "11/14/23 22:13:20",
            "documentName": "/data/config/synthetic.Orca",
            "macAddress": "02:00:00:00:00:01",
            "svnModVersion": "1029",
        },
        "Header Length": 0,
        "ObjectInfo": info,
        "ReadoutDescription": [
            {"children": [], "name": "ORFlashCamReadoutModel", "uniqueID": 1},
            *readouts,
        ],
        "dataDescription": data_description(decoders, ids),
    }


def _text(plist: Plist, *, sort_keys: bool) -> bytes:
    """Write a property list as ORCA does.

    Reals have 17 digits at most in real files, and only zero has a needless point.
    """

    def real(match: re.Match[bytes]) -> bytes:
        value = float(match[1])
        return b"<real>%.17g</real>" % value if value else match[0]

    text = plistlib.dumps(plist, sort_keys=sort_keys)
    return re.sub(rb"<real>([-+0-9.e]+)</real>", real, text)


def header_packet(
    plist: Plist | bytes,
    *,
    sort_keys: bool = True,
    length: int | None = None,
    text_length: int | None = None,
) -> bytes:
    """Write a header packet (format 1.2) with 1 to 4 zero bytes after the text.

    Parameters
    ----------
    plist
        the property list, or the bytes of the text. ``Header Length``, if there is
        such an entry, is set to the size of the packet.
    length, text_length
        words of the packet and bytes of the text that it claims to have.
    """
    if isinstance(plist, bytes):
        text = plist
    else:
        plist = copy.deepcopy(plist)
        text = _text(plist, sort_keys=sort_keys)
        # The size depends on how many digits it has.
        while "Header Length" in plist:
            size = 4 * (2 + len(text) // 4 + 1)
            if plist["Header Length"] == size:
                break
            plist["Header Length"] = size
            text = _text(plist, sort_keys=sort_keys)
    words = 2 + len(text) // 4 + 1
    if length is None:
        length = words
    if text_length is None:
        text_length = len(text)
    start = _encode(length & MAX_LONG, text_length)
    return (start + text).ljust(4 * words, b"\0")


# --- run records (format 4.2) ----------------------------------------------------


def run(
    flags: int = 0x21,
    *,
    number: int = 1280,
    time: int = 1_700_000_000,
    subrun: int = 0,
    data_id: int = DATA_IDS["ORRunDecoderForRun"],
) -> bytes:
    """Write a run record (format 4.2).

    Parameters
    ----------
    flags
        bits 0 to 5 of word 1: start or stop, quick start, remote control, heartbeat,
        end and start of a sub-run.
    number
        run number, or seconds to the next heartbeat.
    """
    return long_packet(data_id, subrun << 16 | flags, number, time)


def heartbeat(time: int = 1_700_000_000, *, seconds: int = 30) -> bytes:
    """Write a heartbeat (format 4.2)."""
    return run(0x08, number=seconds, time=time)


# --- FlashCam, first generation (format 4.3) -------------------------------------


def flashcam_config(
    trace_map: Sequence[int] = tuple(0x1200000 + i for i in range(6)),
    *,
    readout_id: int = 1,
    fcid: int = 1,
    streamid: int = 0,
    nadcs: int | None = None,
    ntriggers: int = 0,
    nsamples: int = 1000,
    adcbits: int = 16,
    sumlength: int = 1,
    blprecision: int = 1,
    mastercards: int = 0,
    triggercards: int = 0,
    adccards: int = 1,
    gps: int = 0,
    boards: Sequence[tuple[int, int]] | None = None,
    data_id: int = DATA_IDS["ORFlashCamListenerConfigDecoder"],
) -> bytes:
    """Write a listener's configuration (format 4.3.1).

    Parameters
    ----------
    trace_map
        a word ``board_id << 16 | input`` for each trace.
    boards
        revision (8 bits) and unique id (64 bits) of each card, as since 2023-03.
        None writes the older form, whose map has always 2400 entries.
    """
    if nadcs is None:
        nadcs = len(trace_map)
    parts: list[Part] = [
        readout_id << 16 | fcid,
        *(streamid, nadcs, ntriggers, nsamples, adcbits, sumlength, blprecision),
        *(mastercards, triggercards, adccards, gps),
    ]
    if boards is None:
        parts.append([*trace_map, *(0,) * (2400 - len(trace_map))])
    else:
        revisions = bytes(revision for revision, _ in boards)
        parts.append([*trace_map])
        parts.append(revisions + bytes(-len(revisions) % 4))
        for _, unique_id in boards:
            parts += (unique_id >> 32, unique_id)
    return long_packet(data_id, *parts)


def flashcam_status(
    cards: Sequence[fcio.StatusCard] = (
        fcio.StatusCard(),
        fcio.StatusCard(reqid=0x2000),
    ),
    *,
    readout_id: int = 1,
    fcid: int = 1,
    status: int = 1,
    time: tuple[int, int] = (1, 0),
    cpu_time: tuple[int, int] = (1_700_000_001, 0),
    start_time: tuple[int, int] = (0, 380_000),
    n_cards: int | None = None,
    card_size: int = 1180,
    link_states: Sequence[int] = (),
    stride: int = 39,
    data_id: int = DATA_IDS["ORFlashCamListenerStatusDecoder"],
) -> bytes:
    """Write a listener's status (format 4.3.2).

    Parameters
    ----------
    cards
        what each card reports; their ``linkstates`` are not written.
    link_states
        those of every card, as many as there are cards.
    stride
        words from card to card: 39, or to write what a reader of this record takes
        for granted, 39 and one for each card.
    """
    n = len(cards)
    words = np.zeros(n * (39 + n), dtype="<u4")
    for i, card in enumerate(cards):
        # A later card overwrites the link states of this one, or part of them.
        end = i * stride + 39
        words[end - 39 : end] = np.frombuffer(card.pack(), dtype="<u4")[:39]
        words[end : end + len(link_states)] = link_states
    return long_packet(
        data_id,
        readout_id << 16 | fcid,
        *(status, *time, *cpu_time, 0, *start_time, 0, 0, 0),
        *(n if n_cards is None else n_cards, card_size),
        words,
    )


TIME_OFFSETS = (1_700_000_000, 600, 1_700_000_000, -3, 3, 0, 380_000)
DEAD_REGION = (0, 1000, 0, 2000, 249_999_999)


def flashcam_waveform(
    samples: ArrayLike,
    *,
    crate: int = 0,
    slot: int = 0,
    address: int = 0x120,
    fc_input: int = 0,
    channel: int = 0,
    event_type: int = 1,
    offsets: Sequence[int] = TIME_OFFSETS,
    dead_region: Sequence[int] = DEAD_REGION,
    timestamp: Sequence[int] = (0, 0, 100_000_000, 249_999_999),
    baseline: int = 15_000,
    energy: int = 0,
    orca_words: int = 3,
    flashcam_words: int | None = None,
    n_samples: int | None = None,
    word1: int | None = None,
    high_address: bool = False,
    wide_input: bool = False,
    data_id: int = DATA_IDS["ORFlashCamADCWaveformDecoder"],
) -> bytes:
    """Write a trace (format 4.3.3).

    Parameters
    ----------
    address
        card address, of which the record has the lower 8 bits, or with
        ``high_address`` (since 2023-02) the 8 bits above the lowest 4.
    channel
        index of the trace in the configuration.
    offsets
        seven integers, or five as until 2021-12.
    dead_region, timestamp
        five integers, and four: event number, pps, ticks, maximal ticks.
    orca_words, flashcam_words, n_samples
        what word 1 says; right if not given.
    word1
        word 1 as it is, such as ``1 | event_type`` in 2023-03.
    wide_input
        5 bits for the input and 9 for the trace index in place of 4 and 10: what
        ORFlashCamWaveformDecoder declares.
    """
    samples = np.asarray(samples)
    if flashcam_words is None:
        flashcam_words = len(offsets) + 10
    if n_samples is None:
        n_samples = len(samples)
    if word1 is None:
        word1 = orca_words << 28 | flashcam_words << 22 | n_samples << 6 | event_type
    byte = (address & 0xFF0) >> 4 if high_address else address & 0xFF
    location = crate << 27 | slot << 22 | byte << 14
    location |= fc_input << (9 if wide_input else 10) | channel
    return long_packet(
        data_id,
        *(word1, location),
        # Other numbers of ORCA words have not been seen.
        *(0,) * (orca_words - 3),
        *(*offsets, *dead_region, *timestamp),
        energy << 16 | baseline,
        _samples(samples),
    )


# --- FCIO inside ORCA (format 4.4) -----------------------------------------------

_FCIO_DECODERS = {
    fcio.TAG_CONFIG: "ORFCIOConfigDecoder",
    fcio.TAG_EVENT: "ORFCIOEventDecoder",
    fcio.TAG_SPARSE_EVENT: "ORFCIOEventDecoder",
    fcio.TAG_EVENT_HEADER: "ORFCIOEventHeaderDecoder",
    fcio.TAG_STATUS: "ORFCIOStatusDecoder",
}


def _tag(record: bytes) -> int:
    return -int.from_bytes(record[:4], "little", signed=True)


def fcio_packet(
    *records: bytes,
    streamid: int = 0x10001,
    padding: int = 0,
    data_id: int | None = None,
) -> bytes:
    """Write an extended packet with FCIO records (format 4.4).

    Parameters
    ----------
    records
        whole records; in front of a Config belongs `fcio.handshake`.
    streamid
        ``readout_id << 16 | fcid``.
    padding
        zero words at the end, as of a writer that reserved too much.
    data_id
        the one that belongs to the last record if not given.
    """
    if data_id is None:
        data_id = DATA_IDS[_FCIO_DECODERS[_tag(records[-1])]]
    return extended_packet(
        data_id, _encode(streamid, b"".join(records)) + bytes(4 * padding)
    )


def fcio_packets(
    records: Iterable[bytes], *, streamid: int = 0x10001, data_id: int | None = None
) -> Iterator[bytes]:
    """Put the records of an FCIO stream into packets.

    A record of the software trigger goes in front of the next one, and a handshake
    in front of each Config (format 4.4).
    """
    waiting: list[bytes] = []
    for record in records:
        waiting.append(record)
        if _tag(record) in (fcio.TAG_FSP_CONFIG, fcio.TAG_FSP_EVENT, 10):
            continue
        if _tag(record) == fcio.TAG_CONFIG:
            waiting.insert(0, fcio.handshake())
        yield fcio_packet(*waiting, streamid=streamid, data_id=data_id)
        waiting = []


# --- Struck (format 4.5, 4.6, 5.3, 5.4) -----------------------------------------


def _location(crate: int, card: int, rest: int = 0) -> int:
    return crate << 21 | card << 16 | rest


def sis3302(
    samples: ArrayLike,
    *,
    crate: int = 0,
    card: int = 4,
    channel: int = 0,
    timestamp: int = 0x1234_89AB_CDEF,
    energy: int = 1000,
    energy_first: int = 10,
    energy_trace: Sequence[int] = (),
    flags: int = 1,
    wrap: tuple[int, int] | None = None,
    lost: int = 0,
    module_id: int = 5,
    adc_channel: int | None = None,
    n_samples_words: int | None = None,
    n_energy_words: int | None = None,
    trailer: int = 0xDEADBEEF,
    data_id: int = DATA_IDS["ORSIS3302DecoderForEnergy"],
) -> bytes:
    """Write an SIS3302 event (format 4.5).

    Parameters
    ----------
    samples
        the ring as it is in memory, if ``wrap`` is given.
    wrap
        number of samples in the ring, and where it starts.
    lost
        14 bits of lost records, in old files.
    adc_channel
        channel in the card's own header, if it is another one.
    n_samples_words, n_energy_words
        lengths in words that the record claims to have.
    """
    raw = _samples(samples)
    if adc_channel is None:
        adc_channel = channel
    lost_bits = (lost >> 7 & 0x7F) << 25 | (lost & 0x7F) << 1
    return long_packet(
        data_id,
        _location(crate, card, channel << 8) | lost_bits | (wrap is not None),
        len(raw) // 4 if n_samples_words is None else n_samples_words,
        len(energy_trace) if n_energy_words is None else n_energy_words,
        (timestamp >> 32) << 16 | module_id << 3 | adc_channel & 7,
        timestamp,
        [*wrap] if wrap is not None else b"",
        raw,
        [*energy_trace],
        *(energy, energy_first, flags, trailer),
    )


def sis3302_lost_data(
    *, crate: int = 0, card: int = 4, channel: int = 0, reset: bool = False, value: int
) -> bytes:
    """Write how many records were lost, or a reset's channel mask (format 4.5)."""
    where = _location(crate, card, channel << 8) | reset
    data_id = DATA_IDS["ORSIS3302DecoderForLostData"]
    return long_packet(data_id, where, value << 16 if reset else value)


def sis3302_mca(
    spectrum: Sequence[int], *, crate: int = 0, card: int = 4, channel: int = 0
) -> bytes:
    """Write a spectrum of an SIS3302 (format 4.5)."""
    where = _location(crate, card, channel << 8)
    return long_packet(DATA_IDS["ORSIS3302DecoderForMca"], where, [*spectrum])


def sis3302_pieces(
    words: Sequence[int],
    piece: int,
    *,
    crate: int = 0,
    card: int = 4,
    channel: int = 0,
    tag: int = 1,
) -> list[bytes]:
    """Write a long trace in pieces of some words each (format 4.5)."""
    return [
        long_packet(
            DATA_IDS["ORSIS3302GenericDecoderForWaveform"],
            *(_location(crate, card, channel << 8), tag, len(words)),
            [*words[start : start + piece]],
        )
        for start in range(0, len(words), piece)
    ]


@dataclass
class SIS3316Event:
    """An event of an SIS3316 (format 4.6).

    ``format_bits`` tells which of the values are written. ``maw_data`` and
    ``averaged`` (words of two samples) go with the flags in the check word.
    """

    samples: ArrayLike = ()
    timestamp: int = 0x1234_89AB_CDEF
    format_bits: int = 0xF
    channel_id: int = 0
    peak_high_value: int = 20_000
    peak_high_index: int = 77
    information: int = 3
    acc_sums: Sequence[int] = (11, 12, 13, 14, 15, 16, 17, 18)
    maw_max: int = 301
    maw_before: int = 302
    maw_after: int = 303
    start_energy: int = 401
    max_energy: int = 402
    check: int = 0xE
    status: bool = False
    maw_test: bool = False
    maw_data: Sequence[int] = ()
    averaged: Sequence[int] = ()
    n_words: int | None = None

    def pack(self) -> bytes:
        """Encode the event."""
        bits = self.format_bits
        parts: list[Part] = [
            (self.timestamp >> 32) << 16 | self.channel_id << 4 | bits,
            self.timestamp,
        ]
        if bits & 1:
            parts.append(self.peak_high_index << 16 | self.peak_high_value)
            parts.append(self.information << 24 | self.acc_sums[0])
            parts.append([*self.acc_sums[1:6]])
        if bits & 2:
            parts.append([*self.acc_sums[6:8]])
        if bits & 4:
            parts += (self.maw_max, self.maw_before, self.maw_after)
        if bits & 8:
            parts += (self.start_energy, self.max_energy)
        raw = _samples(self.samples)
        n_words = len(raw) // 4 if self.n_words is None else self.n_words
        parts.append(
            self.check << 28 | self.maw_test << 27 | self.status << 26 | n_words
        )
        if self.check == 0xA:
            parts.append(len(self.averaged))
        parts += (raw, [*self.averaged], [*self.maw_data])
        return _encode(*parts)


def sis3316(
    events: Sequence[SIS3316Event],
    *,
    crate: int = 0,
    card: int = 5,
    channel: int = 0,
    n_events: int | None = None,
    event_words: int | None = None,
    fifo_events: int | None = None,
    header_words: int = 0,
    data_id: int = DATA_IDS["ORSIS3316WaveformDecoder"],
) -> bytes:
    """Write events of an SIS3316 (format 4.6).

    Parameters
    ----------
    n_events, event_words, fifo_events, header_words
        words 2 to 5: what the record claims; ``header_words`` is 0 in the readout
        of some computers.
    """
    blocks = [event.pack() for event in events]
    if event_words is None:
        event_words = len(blocks[0]) // 4 if blocks else 0
    return packet(
        data_id,
        _location(crate, card, channel << 8),
        len(events) if n_events is None else n_events,
        event_words,
        len(events) if fifo_events is None else fifo_events,
        header_words,
        *(0, 0, 0, 0),
        b"".join(blocks),
    )


def sis3316_histogram(
    bins: Sequence[int], *, crate: int = 0, card: int = 5, channel: int = 0
) -> bytes:
    """Write a spectrum of an SIS3316: 10 words of header and bins (format 4.6)."""
    where = _location(crate, card, channel << 8)
    data_id = DATA_IDS["ORSIS3316HistogramDecoder"]
    return packet(data_id, where, (0,) * 8, [*bins])


def sis3316_statistics(counters: ArrayLike, *, crate: int = 0, card: int = 5) -> bytes:
    """Write the counters of an SIS3316: 6 of each of 16 channels (format 4.6)."""
    data_id = DATA_IDS["ORSIS3316StatisticsDecoder"]
    words = np.asarray(counters).reshape(16, 6).ravel()
    return long_packet(data_id, _location(crate, card), (0,) * 8, words)


@dataclass
class SIS3305Event:
    """An event of an SIS3305 (format 5.3): samples of 10 bits."""

    samples: ArrayLike
    timestamp: int = 0x1234_89AB_CDEF
    event_id: int = 0

    def pack(self, saving_mode: int) -> bytes:
        """Encode the event; samples fill whole blocks of 12, 24 or 48."""
        samples = [int(sample) & 0x3FF for sample in np.asarray(self.samples)]
        block = {4: 12, 1: 24, 0: 48}[saving_mode]
        n_blocks = len(samples) // block
        words: list[int] = []
        for start in range(0, n_blocks * block, block):
            words += _SIS3305_PACKING[saving_mode](samples[start : start + block])
        return _encode(
            self.event_id << 28 | self.timestamp >> 32,
            *(self.timestamp, 0, n_blocks),
            words,
        )


def _sis3305_plain(samples: Sequence[int]) -> list[int]:
    return [
        first << 20 | second << 10 | third
        for first, second, third in zip(*(samples[i::3] for i in range(3)), strict=True)
    ]


def _sis3305_interleaved(samples: Sequence[int], order: Sequence[int]) -> list[int]:
    """Pack samples that words 0, 4, ... (``order``) of a block hold in turn."""
    words = [0] * 4 * len(order)
    position = 0
    for k in range(4):
        for shift in (20, 10, 0):
            for first in order:
                words[first + k] |= samples[position] << shift
                position += 1
    return words


_SIS3305_PACKING: dict[int, Callable[[Sequence[int]], list[int]]] = {
    4: _sis3305_plain,
    1: lambda samples: _sis3305_interleaved(samples, (0, 4)),
    0: lambda samples: _sis3305_interleaved(samples, (0, 8, 4, 12)),
}


def sis3305(
    events: Sequence[SIS3305Event],
    *,
    crate: int = 1,
    card: int = 6,
    channel_mode: int = 0,
    group: int = 0,
    rate: int = 0,
    saving_mode: int = 4,
    wrap: bool = False,
    event_words: int | None = None,
    n_events: int | None = None,
    padding: int = 0,
    data_id: int = DATA_IDS["ORSIS3305DecoderForWaveform"],
) -> bytes:
    """Write events of an SIS3305 (format 5.3), all of one length.

    Parameters
    ----------
    rate
        0, 1, 2: 1.25, 2.5, 5 GS/s.
    saving_mode
        4, 1 or 0, which tells how samples are packed.
    padding
        words 0xFFFFFFFF at the end.
    """
    blocks = [event.pack(saving_mode) for event in events]
    where = crate << 28 | card << 20 | channel_mode << 16 | group << 12
    if event_words is None:
        event_words = len(blocks[0]) // 4 if blocks else 4
    return packet(
        data_id,
        where | rate << 8 | saving_mode << 4 | wrap,
        event_words,
        len(events) if n_events is None else n_events,
        b"".join(blocks),
        (0xFFFFFFFF,) * padding,
    )


@dataclass
class SIS3320Event:
    """An event of an SIS3320 (format 5.4)."""

    samples: ArrayLike = ()
    timestamp: int = 0x1234_89AB_CDEF
    gates: Sequence[int] = (1, 2, 3, 4, 5, 6, 7, 8)
    card_header: int = 0
    check: int | None = None

    def pack(self) -> bytes:
        """Encode the event; without samples the check half-word is 0xEDED."""
        n = np.size(self.samples)
        check = self.check
        if check is None:
            check = 0xDADA if n else 0xEDED
        gates = self.gates
        return _encode(
            (self.timestamp >> 32) << 16 | self.card_header,
            self.timestamp,
            [*gates[:4]],
            gates[5] << 16 | gates[4] & 0xFFFF,
            gates[7] << 16 | gates[6] & 0xFFFF,
            0,
            check << 16 | n,
            _samples(self.samples),
        )


def sis3320(
    events: Sequence[SIS3320Event],
    *,
    crate: int = 0,
    card: int = 7,
    channel: int = 0,
    is_split: bool = False,
    data_id: int = DATA_IDS["ORSIS3320WaveformDecoder"],
) -> bytes:
    """Write events of an SIS3320 (format 5.4)."""
    where = is_split << 31 | _location(crate, card, channel << 8)
    return packet(data_id, where, b"".join(event.pack() for event in events))


# --- Gretina (format 5.1 and 5.2) -----------------------------------------------


@dataclass
class Gretina4MEvent:
    """An event of a Gretina4M (format 5.1): 1024 words, 2018 samples.

    ``energy`` is signed; fewer samples than 2018 are filled up with zeros.
    """

    samples: ArrayLike = ()
    channel: int = 0
    timestamp: int = 0x1234_89AB_CDEF
    energy: int = 1000
    board_id: int = 0x123
    separator: int = 0xAAAAAAAA
    firmware: Sequence[int] = tuple(range(1, 11))

    def pack(self) -> bytes:
        """Encode the event."""
        energy = self.energy & 0x1FFFFFF
        samples = np.zeros(2018, dtype="<i2")
        given = np.asarray(self.samples)
        samples[: len(given)] = given
        return _encode(
            self.separator,
            0x3FF << 16 | self.board_id << 4 | self.channel,
            self.timestamp,
            (energy & 0xFFFF) << 16 | self.timestamp >> 32 & 0xFFFF,
            energy >> 16,
            [*self.firmware],
            samples.tobytes(),
        )


def gretina4m(
    events: Sequence[Gretina4MEvent],
    *,
    crate: int = 1,
    card: int = 8,
    serial_number: int = 0x4321,
    fifo_state: int = 0,
    data_id: int = DATA_IDS["ORGretina4MWaveformDecoder"],
) -> bytes:
    """Write events of a Gretina4M (format 5.1).

    The upper bit of ``fifo_state`` means nearly full, the lower one half full.
    """
    where = fifo_state << 30 | _location(crate, card, serial_number)
    return packet(data_id, where, b"".join(event.pack() for event in events))


@dataclass
class Gretina4AEvent:
    """An event of a Gretina4A (format 5.2): samples of 14 bits."""

    samples: ArrayLike = ()
    channel: int = 0
    timestamp: int = 0x1234_89AB_CDEF
    prev_timestamp: int = 0x1234_89AB_0000
    board_id: int = 0x123
    header_type: int = 3
    event_type: int = 1
    header_words: int = 14
    flags: int = 0x8001
    baseline: int = 0x12345
    pre_rise_sum: int = 0x100000
    post_rise_sum: int = 0x234567
    peak_time: int = 500
    trigger_time: int = 490
    sample_flags: ArrayLike = 0
    separator: int = 0xAAAAAAAA
    length: int | None = None

    def pack(self) -> bytes:
        """Encode the event; the samples are an even number.

        ``sample_flags`` are the two upper bits of each sample, ``length`` the words
        that the event claims to have.
        """
        samples = np.asarray(self.samples, dtype="<u2")
        raw = _samples(samples | np.asarray(self.sample_flags, dtype="<u2") << 14)
        length = self.header_words + len(raw) // 4
        if self.length is not None:
            length = self.length
        post = self.post_rise_sum
        timing = (0x2001 << 16 | 0x2002, 0x2003 << 16 | 0x2004, 0x2005 << 16 | 0x2006)
        return _encode(
            self.separator,
            (length - 1) << 16 | self.board_id << 4 | self.channel,
            self.timestamp,
            2 * self.header_words << 26
            | self.event_type << 23
            | self.header_type << 16
            | self.timestamp >> 32,
            (self.prev_timestamp & 0xFFFF) << 16 | self.flags,
            self.prev_timestamp >> 16,
            self.baseline,
            0,
            (post & 0xFF) << 24 | self.pre_rise_sum,
            self.peak_time << 16 | post >> 8,
            self.trigger_time << 16 | 0x2000,
            *timing,
            (0,) * (self.header_words - 14),
            raw,
        )


def gretina4a(
    events: Sequence[Gretina4AEvent],
    *,
    crate: int = 1,
    card: int = 9,
    serial_number: int = 0x4321,
    rest: Sequence[int] = (),
    data_id: int = DATA_IDS["ORGretina4AWaveformDecoder"],
) -> bytes:
    """Write events of a Gretina4A (format 5.2), and the ``rest`` of a cut one."""
    where = _location(crate, card, serial_number)
    blocks = b"".join(event.pack() for event in events)
    return packet(data_id, where, blocks, [*rest])


# --- CAEN (format 5.5 and 5.6) --------------------------------------------------


@dataclass
class CaenEvent:
    """An event of a CAEN card (format 5.5).

    Parameters
    ----------
    traces
        samples by channel, all of one length.
    mask
        channels that it claims to have; the right ones if not given.
    size
        words that it claims to have.
    """

    traces: Mapping[int, ArrayLike] = field(default_factory=dict)
    eventnumber: int = 1
    time_tag: int = 0x89AB_CDEF
    board_id: int = 3
    pattern: int = 0x1234
    board_fail: bool = False
    zero_length: bool = False
    mask: int | None = None
    size: int | None = None

    def pack(self, pack_samples: Callable[[ArrayLike], bytes]) -> bytes:
        """Encode the event, samples as the model of the card has them."""
        mask = self.mask
        if mask is None:
            mask = sum(1 << channel for channel in self.traces)
        data = b"".join(pack_samples(self.traces[i]) for i in sorted(self.traces))
        size = 4 + len(data) // 4 if self.size is None else self.size
        bits = self.board_id << 27 | self.board_fail << 26 | self.zero_length << 24
        return _encode(
            0xA << 28 | size,
            bits | self.pattern << 8 | mask & 0xFF,
            (mask >> 8) << 24 | self.eventnumber,
            self.time_tag,
            data,
        )


def _pack_25(samples: ArrayLike) -> bytes:
    """Pack 5 samples of 12 bits into 2 words of 30 (format 5.6)."""
    words = []
    for s in np.asarray(samples, dtype="i8").reshape(-1, 5).tolist():
        words.append(s[0] | s[1] << 12 | (s[2] & 0x3F) << 24)
        words.append(s[2] >> 6 | s[3] << 6 | s[4] << 18)
    return _encode(words)


def caen(
    decoder: str,
    events: Sequence[CaenEvent],
    *,
    crate: int = 0,
    card: int = 10,
    padding: int = 0,
    data_id: int | None = None,
) -> bytes:
    """Write events of a CAEN card in a VME crate (format 5.5).

    Parameters
    ----------
    decoder
        name of the record's decoder. Those of the V1730, V1724 and V1720 lose the
        lowest bit of the crate's number.
    padding
        zero words at the end, as of the last block of a transfer.
    """
    is_v1721 = decoder == "ORCV1721WaveformDecoder"
    where = _location(crate & (0xF if is_v1721 else 0xE), card)
    width = "<u1" if is_v1721 else "<u2"
    blocks = b"".join(event.pack(lambda s: _samples(s, width)) for event in events)
    if data_id is None:
        data_id = DATA_IDS[decoder]
    return packet(data_id, where, blocks, (0,) * padding)


def caen_usb(
    decoder: str,
    event: CaenEvent,
    *,
    unit: int = 1,
    packed: bool = False,
    data_id: int | None = None,
) -> bytes:
    """Write an event of a CAEN desktop digitizer (format 5.6).

    ``packed``, of the DT5720 only, puts 5 samples into 2 words.
    """
    if data_id is None:
        data_id = DATA_IDS[decoder]
    data = event.pack(_pack_25 if packed else _samples)
    return packet(data_id, unit << 16 | packed, data)


# --- simple records (format 5.7) -------------------------------------------------

TIME = 1_700_000_100


def _simple(decoder: str, *parts: Part) -> bytes:
    return packet(DATA_IDS[decoder], *parts)


def _with_times(values: Sequence[float], times: Sequence[int]) -> bytes:
    return b"".join(
        struct.pack("<fI", value, time)
        for value, time in zip(values, times, strict=True)
    )


def script_state(
    *, script_type: int = 1, number: int = 2, time: int = TIME, started: bool = True
) -> bytes:
    """Write that a script was started or stopped."""
    return _simple(
        "ORScriptDecoderForState", script_type << 24 | number, time, int(started)
    )


def script_record(
    text: bytes = b"<plist/>",
    *,
    script_type: int = 1,
    number: int = 2,
    time: int = TIME,
    tag: int = 7,
) -> bytes:
    """Write what a script recorded: text of a property list."""
    return _simple(
        "ORScriptDecoderForRecord",
        *(script_type << 24 | number, time, tag, len(text), text),
    )


def histogram(bins: Sequence[int], *, key: bytes = b"Crate 0/Card 1/Chan 2") -> bytes:
    """Write a histogram: key words and bins."""
    key += bytes(-len(key) % 4)
    return _simple("OR1DHistoDecoder", len(key) // 4, key, len(bins), [*bins])


def mjd_preamp(
    adc: Sequence[float] = tuple(i / 8 for i in range(16)),
    *,
    number: int = 2,
    time: int = TIME,
    enabled: int = 0xFFFF,
) -> bytes:
    """Write the 16 ADC values of a preamplifier controller."""
    return _simple("ORMJDPreAmpDecoderForAdc", number, time, enabled, _floats(adc))


def iseg_hv(
    voltage: Sequence[float] = tuple(100.5 * i for i in range(8)),
    current: Sequence[float] = tuple(i / 1024 for i in range(8)),
    *,
    crate: int = 2,
    card: int = 3,
    positive: bool = True,
    on_mask: int = 0xFF,
    time: int = TIME,
) -> bytes:
    """Write voltages and currents of a high-voltage card."""
    n = len(voltage)
    pairs = [x for pair in zip(voltage, current, strict=True) for x in pair]
    return _simple(
        "ORiSegHVCardDecoderForHV",
        crate << 20 | card << 16 | n << 4 | positive,
        *(on_mask, 0, time),
        _floats(pairs),
    )


def vhq_status(
    channels: Sequence[tuple[int, int, float, float]] = (
        (1, 2, 1000.5, 0.25),
        (3, 4, 2000.5, 0.5),
    ),
    *,
    number: int = 2,
    time: int = TIME,
    decoder: str = "ORVHQ224LDecoderForHVStatus",
) -> bytes:
    """Write two words of status, voltage and current of each of two channels."""
    data = b"".join(struct.pack("<IIff", *channel) for channel in channels)
    return _simple(decoder, number, time, data)


def lakeshore(
    temperature: Sequence[float] = tuple(77.5 + i for i in range(8)),
    times: Sequence[int] = tuple(TIME + i for i in range(8)),
    *,
    number: int = 2,
    kelvin: bool = True,
) -> bytes:
    """Write 8 temperatures of a LakeShore 210."""
    return _simple(
        "ORLakeShore210DecoderForTemperature",
        kelvin << 16 | number,
        _with_times(temperature, times),
    )


def one_value(
    decoder: str, value: float = 12.5, *, number: int = 2, time: int = TIME
) -> bytes:
    """Write a record of one value: CTITemp, Keithley6487, KJL2200IonGauge."""
    return _simple(decoder, number, float(value), time)


def values_with_times(
    decoder: str,
    values: Sequence[float],
    times: Sequence[int] | None = None,
    *,
    number: int = 2,
    bits: int = 0,
) -> bytes:
    """Write a record of values, each with its time: MksPdr2000 and the like.

    ``bits`` are the upper half of word 1: units, or fill states.
    """
    if times is None:
        times = [TIME + i for i in range(len(values))]
    return _simple(decoder, bits << 16 | number, _with_times(values, times))


def pac(
    adc: Sequence[int] = tuple(range(100, 108)),
    times: Sequence[int] = tuple(TIME + i for i in range(8)),
    *,
    number: int = 2,
    decoder: str = "ORPacDecoderForAdc",
) -> bytes:
    """Write 8 ADC values, the time in front of each."""
    pairs = [x for pair in zip(times, adc, strict=True) for x in pair]
    return _simple(decoder, number, pairs)


def labjack(
    adc: Sequence[float] = tuple(i / 4 for i in range(8)),
    *,
    number: int = 2,
    differential: int = 5,
    counter: int = 17,
    direction: int = 0x3FFFF,
    output: int = 0x12345,
    inputs: int = 0x54321,
    time: int = TIME,
) -> bytes:
    """Write what a LabJack U12 measures; the last three have IO above DO bits."""
    return _simple(
        "ORLabJackDecoderForIOData",
        differential << 16 | number,
        _floats(adc),
        *(counter, direction, output, inputs, time, 0, 0),
    )


def labjack_ue9(
    adc: Sequence[float] = tuple(i / 4 for i in range(84)),
    *,
    number: int = 2,
    time: int = TIME,
    counters: Sequence[int] = (17, 18),
    timers: Sequence[int] = (1, 2, 3, 4, 5, 6),
    direction: int = 0xFFFFFF,
    output: int = 0x123456,
    inputs: int = 0x654321,
) -> bytes:
    """Write what a LabJack UE9 measures."""
    return _simple(
        "ORLabJackUE9DecoderForIOData",
        *(number, time, _floats(adc), [*counters], [*timers]),
        *(direction, output, inputs, 0, 0),
    )


def xycom564(
    values: Sequence[tuple[int, int]] = ((0, 100), (1, 65535)),
    *,
    crate: int = 2,
    card: int = 11,
    time: int = TIME,
    microseconds: int = 250_000,
) -> bytes:
    """Write ADC values of some channels; the crate loses its lowest bit."""
    words = [channel << 16 | value for channel, value in values]
    where = _location(crate & 0xE, card)
    return _simple("ORXYCom564Decoder", where, time, microseconds, words)


def ip320_adc(
    values: Sequence[tuple[int, int]] = ((0, 100), (39, 4095)),
    *,
    crate: int = 2,
    card: int = 12,
    ip_slot: int = 1,
    time: int = TIME,
) -> bytes:
    """Write ADC values of 12 bits of some channels."""
    words = [channel << 16 | value for channel, value in values]
    where = _location(crate & 0xE, card, ip_slot)
    return _simple("ORIP320DecoderForAdc", where, time, words)


def ip320_value(
    values: Sequence[tuple[int, float]] = ((0, 1.5), (39, -2.5)),
    *,
    crate: int = 2,
    card: int = 12,
    ip_slot: int = 1,
    time: int = TIME,
) -> bytes:
    """Write converted values of some channels."""
    where = _location(crate & 0xE, card, ip_slot)
    data = b"".join(struct.pack("<If", channel, value) for channel, value in values)
    return _simple("ORIP320DecoderForValue", where, time, data)


def control_value(
    decoder: str = "ORHVcRIODecoderForAdc",
    value: float = 1.1,
    *,
    number: int = 2,
    time: int = TIME,
    index: int = 3,
) -> bytes:
    """Write a value of double precision: HVcRIO, ADEIControl."""
    return _simple(decoder, number, time, index, struct.pack("<d", value), (0, 0, 0))


def mca927(
    spectrum: Sequence[int] = (1, 2, 3),
    *,
    number: int = 2,
    channel: int = 1,
    zdt: bool = False,
    live_time: int = 100,
    real_time: int = 110,
    zdt_mode: int = 0,
) -> bytes:
    """Write a spectrum; times are in units of 20 ms."""
    return _simple(
        "ORMCA927SpectraDecoder",
        zdt << 13 | channel << 12 | number,
        *(live_time, real_time, zdt_mode),
        (0,) * 5,
        [*spectrum],
    )


def shaper(
    adc: int = 1234,
    *,
    crate: int = 1,
    card: int = 13,
    channel: int = 6,
    time: tuple[int, int] | None = None,
    short: bool = True,
    data_id: int | None = None,
) -> bytes:
    """Write an ADC value of a shaper: one word, or a long record.

    Parameters
    ----------
    time
        s and us, of a long record only.
    data_id
        of a long record: one that the header declares.
    """
    word = _location(crate, card, channel << 12 | adc)
    if data_id is None:
        data_id = DATA_IDS["ORShaperDecoderForShaper"]
    if short:
        return short_packet(data_id, word)
    return long_packet(data_id, word, [*time] if time is not None else b"")


def polling_time(seconds: int = TIME, microseconds: int = 250_000) -> bytes:
    """Write when the hardware was polled."""
    return _simple("ORPollingTimeStampDecoder", seconds, microseconds)


def simple_records() -> list[bytes]:
    """Write one of each of the simple records (format 5.7)."""
    return [
        script_state(),
        script_record(),
        histogram((1, 2, 3)),
        mjd_preamp(),
        iseg_hv(),
        vhq_status(),
        vhq_status(decoder="ORNHQ226LDecoderForHVStatus"),
        lakeshore(),
        one_value("ORCTITempDecoderForTemperature", 11.5),
        one_value("ORKeithley6487DecoderForCurrent", 1e-9),
        one_value("ORKJL2200IonGaugeDecoderForPressure", 1e-6),
        values_with_times("ORMksPdr2000DecoderForPressure", (1.5, 2.5), bits=2),
        values_with_times("ORTPG256ADecoderForPressure", (1, 2, 3, 4, 5, 6)),
        values_with_times("ORBocTIC3DecoderForPressure", (1, 2, 3)),
        values_with_times("ORAmi286DecoderForLevel", (10, 20, 30, 40), bits=0x4321),
        pac(),
        pac(decoder="ORPacFPDecoderForAdc"),
        labjack(),
        labjack_ue9(),
        xycom564(),
        ip320_adc(),
        ip320_value(),
        control_value(),
        control_value("ORADEIControlDecoderForAdc", -2.2),
        mca927(),
        shaper(),
        polling_time(),
    ]


def unknown(length: int = 5, *, short: bool = False, extended: bool = False) -> bytes:
    """Write a packet that the header describes and no one decodes (format 1.5)."""
    if short:
        return short_packet(DATA_IDS["ORUnheardOfDecoderForShort"], 0x12345)
    data_id = DATA_IDS["ORUnheardOfDecoderForLong"]
    if extended:
        return extended_packet(data_id, (0x55,) * (length - 2))
    return long_packet(data_id, (0x55,) * (length - 1))


# --- whole runs -------------------------------------------------------------------

KINDS = (
    *("flashcam", "fcio", "sis3302", "sis3316", "gretina4m", "gretina4a"),
    *("sis3305", "sis3320", "caen", "slow", "unknown"),
)
"""What a `Run` may hold."""

VME_CRATE = 8
"""Crate of all VME cards of a `Run`: an even number survives any writer."""

_CARDS_PER_CRATE = 12


def pulses(
    rng: np.random.Generator, n: int, n_samples: int, bits: int = 16
) -> NDArray[Any]:
    """Make waveforms like those of germanium detectors, with ``bits`` bits."""
    top = 2**bits - 1
    level = 0.25 * top
    sample = np.arange(n_samples, dtype="f8")
    start = n_samples * rng.uniform(0.48, 0.52, (n, 1))
    height = rng.exponential(0.05 * top, (n, 1))
    since = sample - start
    rise = np.clip(since / max(n_samples / 60, 1), 0, 1)
    values = level + height * rise * np.exp(-np.maximum(since, 0) / (3 * n_samples))
    values += rng.normal(0, max(top / 16_000, 0.8), values.shape)
    return np.clip(np.rint(values), 0, top).astype("<u2")


@dataclass
class Run:
    """A run: header, start record, configurations, events, stop record.

    Parameters
    ----------
    kinds
        one or some of `KINDS`; events of several are in random order.
    n_events
        number of different events of each kind.
    repeat
        how often to write the events. They come again byte by byte, so that long
        files are made at little cost.
    n_channels
        channels of each FlashCam listener, and of each VME card where it may have
        any number.
    n_samples
        samples of a trace where they may be any number (as a rule even).
    listeners
        FlashCam listeners, for each of the two generations. Every second one has
        cards of 12 bits.
    flashcam_options
        more parameters of `flashcam_waveform`, such as ``high_address``.
    fcio_options
        more parameters of `fcio.Stream`, such as ``kind`` or ``fsp``.
    second_config
        halfway all FCIO streams get another configuration, with half the samples.
    subruns
        how many further sub-runs there are: between them stand an end record, a
        header and a start record (format 1.2 and 4.2).
    heartbeat_every
        number of events after which a heartbeat is written; 0 for the first only.
    seed
        of the random numbers: the same arguments give the same bytes.
    """

    kinds: str | Sequence[str] = ("flashcam",)
    n_events: int = 20
    repeat: int = 1
    n_channels: int = 6
    n_samples: int = 200
    listeners: int = 1
    flashcam_options: Mapping[str, Any] = field(default_factory=dict)
    fcio_options: Mapping[str, Any] = field(default_factory=dict)
    second_config: bool = False
    subruns: int = 0
    heartbeat_every: int = 0
    run_number: int = 1280
    start_time: int = 1_700_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        self._kinds = (self.kinds,) if isinstance(self.kinds, str) else (*self.kinds,)
        unknown_kinds = {*self._kinds} - {*KINDS}
        if unknown_kinds:
            msg = f"no such kinds of event: {sorted(unknown_kinds)}"
            raise ValueError(msg)
        generations = [kind for kind in ("flashcam", "fcio") if kind in self._kinds]
        self._listeners = [
            _Listener(number, kind, 12 if number % 2 == 0 else 16, self.n_channels)
            for number, kind in enumerate(
                (kind for kind in generations for _ in range(self.listeners)), 1
            )
        ]
        first_crate = 0
        for each in self._listeners:
            each.first_crate = first_crate
            first_crate += -(-each.n_cards // _CARDS_PER_CRATE)

    def plist(self, subrun: int = 0) -> Plist:
        """Make the property list of the header."""
        crates = [of for each in self._listeners for of in each.crates()]
        crates.append(crate(VME_CRATE, self._vme_cards()))
        # The order of the list is not that of the numbers (format 2).
        crates.insert(0, crates.pop(len(crates) // 2))
        fsp = bool(self.fcio_options.get("fsp"))
        return header(
            crates=crates,
            aux_hw=[
                listener(
                    each.number,
                    samples=self.n_samples,
                    fsp=fsp if each.kind == "fcio" else None,
                )
                for each in self._listeners
            ]
            + [{"MJDPreAmp": {"Class Name": "ORMJDPreAmpModel", "uniqueID": 2}}],
            readouts=[
                readout(each.number, each.children()) for each in self._listeners
            ],
            decoders=FIRST_GENERATION if "fcio" not in self._kinds else DATA_IDS,
            run_number=self.run_number,
            subrun_number=subrun,
            start_time=self.start_time,
            objects={
                "USB": [
                    {
                        f"DT57{model} 1": {
                            "Class Name": f"ORDT57{model}Model",
                            "enabledMask": 2**channels - 1,
                            "eventSize": 10,
                            "packEnabled": False,
                        }
                    }
                    for model, channels in (("25", 8), ("20", 4))
                ]
            },
        )

    def _vme_cards(self) -> list[Plist]:
        n = min(self.n_channels, 8)
        mask = 2**n - 1
        per_channel = [i < n for i in range(10)]
        return [
            sis3302_card(
                4, internal_mask=mask, sample_lengths=(self.n_samples,) * 4, wrap_mask=2
            ),
            sis3316_card(
                5, enabled_mask=mask, samples=self.n_samples, maw_lengths=(0, 8, 0, 8)
            ),
            vme_card(
                "ORSIS3305Model",
                6,
                eventSavingMode0=4,
                eventSavingMode1=1,
                sampleLengths=[self.n_samples] * 8,
            ),
            vme_card("ORSIS3320Model", 7, onlineMask=mask, clockSource=0),
            gretina4m_card(8, enabled=per_channel, down_sample=1),
            gretina4a_card(9, enabled=per_channel, samples=self.n_samples),
            *(
                vme_card(f"OR{model}Model", 10 + i)
                for i, model in enumerate(("CV1730", "Caen1724", "Caen1720", "CV1721"))
            ),
        ]

    def packets(self) -> Iterator[bytes]:
        """Make the packets of the run, header and all."""
        rng = np.random.default_rng(self.seed)
        time = self.start_time
        yield header_packet(self.plist())
        yield run(0x21, number=self.run_number, time=time)
        yield heartbeat(time)
        sources = [
            source for kind in self._kinds for source in self._sources(kind, rng)
        ]
        # A configuration goes before any event.
        for configuration, _ in sources:
            yield from configuration
        queues = [events for _, events in sources]
        order = np.repeat(np.arange(len(queues)), [len(queue) for queue in queues])
        rng.shuffle(order)
        n_written = 0
        parts = np.array_split(np.tile(order, self.repeat), self.subruns + 1)
        positions = [0] * len(queues)
        for subrun, part in enumerate(parts):
            if subrun:
                yield run(0x10, number=self.run_number, time=time, subrun=subrun - 1)
                yield header_packet(self.plist(subrun))
                yield run(0x20, number=self.run_number, time=time, subrun=subrun)
            for i in part:
                yield queues[i][positions[i] % len(queues[i])]
                positions[i] += 1
                n_written += 1
                if self.heartbeat_every and n_written % self.heartbeat_every == 0:
                    time += 30
                    yield heartbeat(time)
        yield run(0x00, number=self.run_number, time=time + 1, subrun=self.subruns)

    def _sources(
        self, kind: str, rng: np.random.Generator
    ) -> Iterator[tuple[list[bytes], list[bytes]]]:
        """Make what comes before the events, and the events, by source of them."""
        if kind in ("flashcam", "fcio"):
            for each in self._listeners:
                if each.kind == kind:
                    make = self._flashcam if kind == "flashcam" else self._fcio
                    yield make(each, rng)
        elif kind == "slow":
            yield [], simple_records()
        elif kind == "unknown":
            some = [unknown(), unknown(short=True), unknown(7, extended=True)]
            yield [], some * self.n_events
        else:
            make_events = getattr(self, f"_{kind}")
            yield [], [*make_events(rng)]

    def _flashcam(
        self, source: _Listener, rng: np.random.Generator
    ) -> tuple[list[bytes], list[bytes]]:
        words = source.trace_map()
        boards = [(i + 160, 0x1122334455667700 + i) for i in range(source.n_cards)]
        configuration = flashcam_config(
            words,
            fcid=source.number,
            streamid=1 << 16 | source.number,
            nsamples=self.n_samples,
            adcbits=source.bits,
            adccards=source.n_cards,
            gps=source.number - 1,
            # The old form for the first listener.
            boards=boards if source.number > 1 else None,
        )
        status = flashcam_status(
            [
                fcio.StatusCard(),
                *(fcio.StatusCard(reqid=0x2000 + i) for i in range(source.n_cards)),
            ],
            fcid=source.number,
            link_states=range(source.n_cards + 1),
        )
        n = self.n_events * source.n_channels
        shapes = pulses(rng, n, self.n_samples, source.bits)
        places = source.places()
        decoder = (
            "ORFlashCamWaveformDecoder"
            if source.bits == 12
            else "ORFlashCamADCWaveformDecoder"
        )
        events = []
        ticks = 100_000_000
        for i in range(self.n_events):
            ticks += int(rng.integers(1, 100_000_000))
            for channel, (of_crate, slot, address, fc_input) in enumerate(places):
                shape = shapes[i * source.n_channels + channel]
                options: dict[str, Any] = {
                    "timestamp": (i, *divmod(ticks, 250_000_000), 249_999_999),
                    "baseline": int(shape[0]) if self.n_samples else 0,
                    "energy": int(rng.integers(2**16)),
                    "wide_input": source.bits == 12,
                    "high_address": source.number > 1,
                    "data_id": DATA_IDS[decoder],
                    **self.flashcam_options,
                }
                events.append(
                    flashcam_waveform(
                        shape,
                        crate=of_crate,
                        slot=slot,
                        address=address,
                        fc_input=fc_input,
                        channel=channel,
                        **options,
                    )
                )
        return [configuration, status], events

    def _fcio(
        self, source: _Listener, rng: np.random.Generator
    ) -> tuple[list[bytes], list[bytes]]:
        streamid = 1 << 16 | source.number
        options: dict[str, Any] = {
            "n_channels": source.n_channels,
            "n_samples": self.n_samples,
            "adcbits": source.bits,
            "streamid": streamid,
            "seed": int(rng.integers(2**31)),
            **self.fcio_options,
        }
        if not options.get("triggers"):
            options["tracemap"] = source.trace_map()
        n = self.n_events
        if self.second_config:
            n -= n // 2
        stream = fcio.Stream(n, **options)
        first, *events = fcio_packets(stream.records(), streamid=streamid)
        if self.second_config:
            options["n_samples"] = self.n_samples // 2
            stream = fcio.Stream(self.n_events // 2, **options)
            events += fcio_packets(stream.records(), streamid=streamid)
        return [first], events

    def _sis3302(self, rng: np.random.Generator) -> Iterator[bytes]:
        n = min(self.n_channels, 8)
        for i, shape in enumerate(pulses(rng, self.n_events, self.n_samples)):
            channel = i % n
            ring = (self.n_samples, int(rng.integers(self.n_samples)))
            yield sis3302(
                shape,
                crate=VME_CRATE,
                channel=channel,
                timestamp=int(rng.integers(2**48)),
                energy=int(rng.integers(2**32)),
                energy_first=int(rng.integers(2**32)),
                energy_trace=rng.integers(0, 2**32, i % 3),
                wrap=ring if channel == 1 else None,
            )

    def _sis3316(self, rng: np.random.Generator) -> Iterator[bytes]:
        n = min(self.n_channels, 8)
        for i in range(self.n_events):
            channel = i % n
            shapes = pulses(rng, 1 + i % 4, self.n_samples, 14)
            yield sis3316(
                [
                    SIS3316Event(
                        shape,
                        timestamp=int(rng.integers(2**48)),
                        format_bits=i % 16,
                        channel_id=channel,
                        peak_high_value=int(rng.integers(2**16)),
                        peak_high_index=int(rng.integers(2**16)),
                        information=int(rng.integers(2**8)),
                        acc_sums=[
                            int(rng.integers(2**24)),
                            *rng.integers(0, 2**28, 7).tolist(),
                        ],
                        maw_max=int(rng.integers(2**28)),
                        max_energy=int(rng.integers(2**32)),
                        # Channels 4 to 7 have 8 words of MAW data.
                        maw_test=channel > 3,
                        maw_data=range(8) if channel > 3 else (),
                    )
                    for shape in shapes
                ],
                crate=VME_CRATE,
                channel=channel,
            )

    def _gretina4m(self, rng: np.random.Generator) -> Iterator[bytes]:
        for i, shape in enumerate(pulses(rng, self.n_events, 2018, 13)):
            event = Gretina4MEvent(
                shape.astype("i2") - 4096,
                channel=i % min(self.n_channels, 8),
                timestamp=int(rng.integers(2**48)),
                energy=int(rng.integers(-(2**24) + 1, 2**24)),
                firmware=rng.integers(0, 2**32, 10),
            )
            yield gretina4m([event], crate=VME_CRATE, fifo_state=i % 4)

    def _gretina4a(self, rng: np.random.Generator) -> Iterator[bytes]:
        n_samples = self.n_samples + self.n_samples % 2
        for i, shape in enumerate(pulses(rng, self.n_events, n_samples, 14)):
            event = Gretina4AEvent(
                shape,
                channel=i % min(self.n_channels, 8),
                timestamp=int(rng.integers(2**48)),
                prev_timestamp=int(rng.integers(2**48)),
                pre_rise_sum=int(rng.integers(2**24)),
                post_rise_sum=int(rng.integers(2**24)),
                sample_flags=rng.integers(0, 4, n_samples),
            )
            yield gretina4a([event], crate=VME_CRATE, rest=(0xAAAAAAAA,) * (i % 2))

    def _sis3305(self, rng: np.random.Generator) -> Iterator[bytes]:
        n_samples = -(-self.n_samples // 48) * 48
        for i in range(self.n_events):
            saving_mode, rate = ((4, 0), (1, 1), (0, 2))[i % 3]
            shapes = pulses(rng, 1 + i % 2, n_samples, 10)
            yield sis3305(
                [
                    SIS3305Event(
                        shape, timestamp=int(rng.integers(2**48)), event_id=k % 4
                    )
                    for k, shape in enumerate(shapes)
                ],
                crate=VME_CRATE,
                group=i % 2,
                rate=rate,
                saving_mode=saving_mode,
                padding=i % 3,
            )

    def _sis3320(self, rng: np.random.Generator) -> Iterator[bytes]:
        for i, shape in enumerate(pulses(rng, self.n_events, self.n_samples, 12)):
            event = SIS3320Event(
                shape,
                timestamp=int(rng.integers(2**48)),
                gates=[
                    *rng.integers(0, 2**20, 4).tolist(),
                    *rng.integers(0, 2**16, 4).tolist(),
                ],
            )
            empty = [SIS3320Event()] if i % 4 == 3 else []
            channel = i % min(self.n_channels, 8)
            yield sis3320([event, *empty], crate=VME_CRATE, channel=channel)

    def _caen(self, rng: np.random.Generator) -> Iterator[bytes]:
        n_samples = -(-self.n_samples // 20) * 20
        models = (
            ("ORCV1730WaveformDecoder", 16, 14),
            ("ORCaen1724WaveformDecoder", 8, 14),
            ("ORCaen1720WaveformDecoder", 8, 12),
            ("ORCV1721WaveformDecoder", 8, 8),
            ("ORDT5725Decoder", 8, 14),
            ("ORDT5720Decoder", 4, 12),
        )
        for i in range(self.n_events):
            decoder, n_channels, bits = models[i % len(models)]
            chosen = np.flatnonzero(rng.random(n_channels) < 0.5)
            shapes = pulses(rng, len(chosen), n_samples, bits)
            event = CaenEvent(
                dict(zip(chosen.tolist(), shapes, strict=True)),
                eventnumber=i,
                time_tag=int(rng.integers(2**32)),
            )
            if decoder.startswith("ORDT"):
                packed = decoder == "ORDT5720Decoder" and i % 4 == 1
                yield caen_usb(decoder, event, packed=packed)
            else:
                yield caen(
                    decoder,
                    [event] * (1 + i % 2),
                    crate=VME_CRATE,
                    card=10 + i % len(models),
                    padding=i % 3,
                )


@dataclass
class _Listener:
    """A FlashCam listener of a `Run` and its cards, twelve in a crate."""

    number: int
    kind: str
    bits: int
    n_channels: int
    first_crate: int = 0

    def __post_init__(self) -> None:
        self.per_card = 24 if self.bits == 12 else 6
        self.n_cards = -(-self.n_channels // self.per_card)

    def _card(self, i: int) -> tuple[int, int, int]:
        of_crate, slot = divmod(i, _CARDS_PER_CRATE)
        of_crate += self.first_crate
        return of_crate, slot, (of_crate + 1) << 8 | (slot + 1) << 4

    def places(self) -> list[tuple[int, int, int, int]]:
        """List crate, slot, card address and input of each trace."""
        return [
            (*self._card(i // self.per_card), i % self.per_card)
            for i in range(self.n_channels)
        ]

    def trace_map(self) -> list[int]:
        return [address << 16 | fc_input for *_, address, fc_input in self.places()]

    def children(self) -> list[tuple[int, int]]:
        return [self._card(i)[:2] for i in range(self.n_cards)]

    def crates(self) -> list[Plist]:
        cards: dict[int, list[Plist]] = {}
        for i in range(self.n_cards):
            of_crate, slot, address = self._card(i)
            used = min(self.n_channels - i * self.per_card, self.per_card)
            cards.setdefault(of_crate, []).append(
                flashcam_adc(
                    slot,
                    address,
                    enabled=[k < used for k in range(self.per_card)],
                    std=self.bits == 12,
                )
            )
        return [
            crate(
                number,
                [*of_crate, flashcam_trigger(13, 0x4F0 + number)],
                "ORFlashCamCrateModel",
            )
            for number, of_crate in cards.items()
        ]


def make_stream(**options: Any) -> bytes:
    """Make a whole file; ``options`` are the parameters of `Run`."""
    return b"".join(Run(**options).packets())


def make_indexed_stream(**options: Any) -> tuple[bytes, list[Packet]]:
    """Make a file as `make_stream` does, and tell where its packets are."""
    return assemble(Run(**options).packets())


def write_stream(path: str | os.PathLike[str], **options: Any) -> list[Packet]:
    """Write a file packet by packet, and tell where they are.

    Needs no more memory than the different events, so the file may be large: use
    ``repeat``.
    """

    def written() -> Iterator[bytes]:
        with open(path, "wb") as file:
            for part in Run(**options).packets():
                file.write(part)
                yield part

    return _index(written())

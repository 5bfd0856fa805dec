"""Header packets, and the parts of their property lists (ORCA format, 2)."""

from __future__ import annotations

import copy
import plistlib
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from kit.writers.orca.data_ids import DATA_IDS, FIRST_GENERATION, RECORDS
from kit.writers.orca.framing import MAX_LONG, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


Plist: TypeAlias = dict[str, Any]


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
    start = encode(length & MAX_LONG, text_length)
    return (start + text).ljust(4 * words, b"\0")

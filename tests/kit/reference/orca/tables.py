"""Names of tables (ORCA format, 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kit.reference.orca.headers import Header, Plist


Key = int | str | None


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
            for unit, settings in usb_units(header, decoder)
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


def usb_units(header: Header, decoder: str) -> list[tuple[int, Plist]]:
    """List the desktop digitizers of a kind by number (format 5.6)."""
    class_name = decoder.replace("Decoder", "Model")
    return [
        (int(name.rpartition(" ")[2]), settings)
        for entry in header.object_info().get("USB", [])
        for name, settings in entry.items()
        if isinstance(settings, dict) and settings.get("Class Name") == class_name
    ]

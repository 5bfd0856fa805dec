"""The reference reader of ORCA files: headers.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import datetime as dt
import json
import plistlib

import pytest
from kit.reference import orca as reference
from kit.writers import orca as writer

# --- header -----------------------------------------------------------------------


def test_header_without_crates():
    """Format 7.10."""
    assert reference.Header(writer.header()).cards() == []
    plist = writer.header(crates=[writer.crate(0, None)])
    assert reference.Header(plist).cards() == []


def test_json_of_any_plist():
    """Format 2 and 7.9."""
    plist = writer.header(
        objects={
            "date": dt.datetime(2024, 2, 29, 12, 30, 5),
            "data": b"\0\1\2",
            "reals": [float("inf"), float("nan"), 1.0, 1],
            "text": '\u00b5 \u20ac "',
        }
    )
    reading = reference.read(writer.header_packet(plist))
    text = reading.header.json()
    assert '"date": "2024-02-29T12:30:05Z"' in text
    assert '"data": "AAEC"' in text
    assert '"reals": [Infinity, NaN, 1.0, 1]' in text
    assert r'"text": "\u00b5 \u20ac \""' in text


def test_order_of_keys_is_kept():
    """Format 4.1."""
    plist = {"z": 1, "a": {"c": 1, "b": 2}, "dataDescription": {}}
    packet = writer.header_packet(plist, sort_keys=False)
    assert reference.read(packet).header.json() == json.dumps(plist)


@pytest.mark.parametrize("bad", [b"\x01", b"\xb5"], ids=["control", "latin-1"])
def test_bad_text_in_header(bad):
    """Format 7.9."""
    text = plistlib.dumps(writer.header(objects={"Note": "5 @m"}))
    header = reference.read(writer.header_packet(text.replace(b"@", bad))).header
    expected = "5 \u00b5m" if bad == b"\xb5" else "5 m"
    assert header.object_info()["Note"] == expected


def test_listeners():
    """Format 2 and 4.3: what is read out, in that order."""
    header = reference.Header(
        writer.header(
            crates=[
                writer.crate(1, [writer.flashcam_adc(3, 0x230, std=True)]),
                writer.crate(
                    0,
                    [
                        writer.flashcam_adc(0, 0x110, enabled=[False, True] * 3),
                        writer.flashcam_adc(1, 0x120),
                        writer.flashcam_trigger(13, 0x4F0),
                    ],
                ),
            ],
            aux_hw=[
                writer.listener(3, samples=100),
                writer.listener(2, samples=50, fsp=True),
                writer.listener(1, samples=70, fsp=False),
            ],
            readouts=[
                writer.readout(2, [(1, 3), (0, 0), (0, 13)]),
                writer.readout(1, [(0, 1)]),
            ],
        )
    )
    second, first = header.listeners()
    assert (first.fcid, first.samples, first.fsp) == (1, 70, False)
    assert (second.fcid, second.samples, second.fsp) == (2, 50, True)
    assert first.keys() == [1_000_000 + 100 * 0x120 + i for i in range(6)]
    assert second.keys() == [
        *(2_000_000 + 100 * 0x230 + i for i in range(24)),
        *(2_000_000 + 100 * 0x110 + i for i in (1, 3, 5)),
    ]
    assert reference.table_names(
        "ORFCIOEventDecoder", reference.key_lists("ORFCIOEventDecoder", header)
    ) == ["ORFCIOEvent_0", "ORFCIOEvent_swtid_2/event", "ORFCIOEvent_2"]
    assert reference.table_names(
        "ORFCIOConfigDecoder", reference.key_lists("ORFCIOConfigDecoder", header)
    ) == ["ORFCIOConfig_0", "ORFCIOConfig_swtid_2/config"]


def test_mask_bits_are_channels():
    """Format B8: bit c is channel c, in any crate."""
    crates = [
        writer.crate(3, [writer.sis3316_card(2, enabled_mask=0b100)]),
        writer.crate(1, [writer.sis3302_card(4, internal_mask=1, external_mask=8)]),
    ]
    header = reference.Header(writer.header(crates=crates))
    assert header.channels("ORSIS3316WaveformDecoder") == [3 << 9 | 2 << 4 | 2]
    assert header.channels("ORSIS3302DecoderForEnergy") == [
        1 << 9 | 4 << 4,
        1 << 9 | 4 << 4 | 3,
    ]

"""Header packets: framing, text, what is looked up in them.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import math
import plistlib
import struct
import time
from typing import Any

import lgdo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.places import TESTDATA

from daq2lh5.errors import DecodeError
from daq2lh5.orca.orca_header import OrcaHeader
from daq2lh5.orca.orca_header_decoder import (
    OrcaHeaderDecoder,
    find_header,
    parse_header_packet,
)
from daq2lh5.raw_buffer import RawBuffer
from daq2lh5.writing.layout import layout_of_lgdo

REAL_FILES = {
    "L200-comm-20220519-phy-geds.orca": {
        "n_words": 34732,
        "n_text": 138918,
        "n_json": 49267,
        "sha256": "2463fc71f808a879bffaeaa6b6f0ad37495776de7c1ea360db66f9fe7b451f8a",
        "run": 1280,
        "decoders": {
            3: "ORFlashCamADCWaveformDecoder",
            4: "ORFlashCamListenerConfigDecoder",
            7: "ORRunDecoderForRun",
        },
    },
    "l200-p13-r007-aph-20250101T003931Z.orca": {
        "n_words": 68570,
        "n_text": 274270,
        "n_json": 178867,
        "sha256": "97fe8b189001132054cbd5b60ece4075aec91f724f9813f5dedcb1bc7d3e44b6",
        "run": 35300,
        "decoders": {
            3: "ORRunDecoderForRun",
            6: "ORFCIOConfigDecoder",
            7: "ORFCIOEventDecoder",
            8: "ORFCIOEventHeaderDecoder",
        },
    },
}
"""Format 6."""


def packet_of(text: bytes, order: str = "<", n_words: int | None = None) -> bytes:
    """Put a text in a header packet (format 1.2)."""
    if n_words is None:
        n_words = 2 + len(text) // 4 + 1
    start = struct.pack(f"{order}II", n_words & 0x3FFFF, len(text))
    return (start + text).ljust(4 * n_words, b"\0")


def xml(inside: str | bytes, prolog: str = "") -> bytes:
    """Write the text of a property list."""
    if isinstance(inside, str):
        inside = inside.encode()
    declaration = f'<?xml version="1.0" encoding="UTF-8"?>\n{prolog}'.encode()
    return declaration + b'<plist version="1.0">\n' + inside + b"\n</plist>\n"


def parse(inside: str | bytes, prolog: str = "") -> OrcaHeader:
    return parse_header_packet(packet_of(xml(inside, prolog)))[0]


def value(inside: str | bytes) -> Any:
    if isinstance(inside, str):
        inside = inside.encode()
    return parse(b"<dict><key>x</key>" + inside + b"</dict>")["x"]


# --- framing ------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("extra", range(4))
def test_padding_and_byte_order(order, extra):
    """Format 1.2 and 1.3: one to four zero bytes follow."""
    text = xml(f"<dict><key>x</key><string>{'a' * extra}</string></dict>")
    packet = packet_of(text, order)
    assert 1 <= len(packet) - 8 - len(text) <= 4
    frame = find_header(packet[:13])
    assert frame.byte_order == {"<": "little", ">": "big"}[order]
    assert frame.n_words * 4 == len(packet)
    assert frame.n_text == len(text)
    # what comes after the packet does not matter
    assert parse_header_packet(packet + b"\xff" * 40)[0] == {"x": "a" * extra}


@pytest.mark.parametrize("order", ["<", ">"])
def test_packet_longer_than_its_text_needs(order):
    text = xml("<dict/>")
    packet = packet_of(text, order, n_words=100)
    assert find_header(packet) == ({"<": "little", ">": "big"}[order], 100, len(text))
    assert parse_header_packet(packet)[0] == {}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("size", [2**20 - 12, 2**20 - 8, 2**20, 2**22 + 3])
def test_header_of_more_than_a_mebibyte(order, size):
    """Format 7.11: word 0 has the lowest 18 bits of the length only."""
    empty = xml("<dict><key>x</key><string></string></dict>")
    long = "a" * (size - len(empty))
    text = xml(f"<dict><key>x</key><string>{long}</string></dict>")
    assert len(text) == size
    packet = packet_of(text, order)
    assert find_header(packet).n_words == len(packet) // 4
    assert parse_header_packet(packet)[0] == {"x": long}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 40,
        b"FCIO and other formats",
        packet_of(b"{'json': 1} and so on"),
        # the text is longer than the packet; the id is not that of a header
        struct.pack("<II", 5, 100) + xml("<dict/>"),
        struct.pack("<II", 1 << 18 | 100, 40) + xml("<dict/>").ljust(400, b"\0"),
        packet_of(xml("<dict/>"))[:12],
    ],
)
def test_no_header(data):
    assert find_header(data) is None
    with pytest.raises(DecodeError, match=r"ORCA header.* at byte 0; check that"):
        parse_header_packet(data)


def test_oldest_form_is_refused():
    """Format 1.3, case 3: the text alone."""
    assert find_header(xml("<dict/>")) is None
    with pytest.raises(DecodeError, match=r"oldest versions.*not supported"):
        parse_header_packet(xml("<dict/>"))


def test_header_that_is_cut_off():
    packet = packet_of(xml("<dict/>"))
    n_padding = len(packet) - 8 - len(xml("<dict/>"))
    assert parse_header_packet(packet[:-n_padding])[0] == {}
    with pytest.raises(DecodeError, match=r"x\.orca: .*cut off.* at byte 150;") as info:
        parse_header_packet(packet[:50], source="x.orca", start=100)
    assert info.value.offset == 150
    assert info.value.source == "x.orca"


# --- text ---------------------------------------------------------------------------


def test_values_and_their_json():
    header, text = parse_header_packet(
        packet_of(
            xml(
                "<dict><key>z</key><integer>-2</integer><key>a</key><real>0.1</real>"
                "<key>\u00e4</key><string>\u20ac &lt;</string><key>b</key><true/>"
                "<key>l</key><array><false/><dict/></array></dict>"
            )
        )
    )
    assert text == (
        '{"z": -2, "a": 0.1, "\\u00e4": "\\u20ac <", "b": true, "l": [false, {}]}'
    )
    assert header == json.loads(text)
    assert list(header) == ["z", "a", "\u00e4", "b", "l"]


def test_dates_and_data():
    """Format 7.9; both the header and the JSON have them as strings."""
    header, text = parse_header_packet(
        packet_of(
            plistlib.dumps(
                {"date": dt.datetime(2022, 5, 19, 18, 57, 15), "data": b"\0\xff\x10"}
            )
        )
    )
    assert header == {"date": "2022-05-19T18:57:15Z", "data": "AP8Q"}
    assert json.loads(text) == header


def test_real_numbers_that_are_none():
    values = value("<array><real>nan</real><real>-inf</real></array>")
    assert math.isnan(values[0])
    assert values[1] == -math.inf
    inside = "<dict><key>x</key><real>inf</real></dict>"
    assert parse_header_packet(packet_of(xml(inside)))[1] == '{"x": Infinity}'


def test_valid_text_gives_no_warning(caplog):
    assert value("<string>tab\tline\n\u00e4\x7f</string>") == "tab\tline\n\u00e4\x7f"
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("inside", "wanted"),
    [
        (b"a\x01b\x00c\x1f\x0bd\te", "abcd\te"),
        (b"M\xfcnchen", "M\u00fcnchen"),
        (b"10 \xb5s", "10 \u00b5s"),
        # what is UTF-8 stays so
        (b"\xc3\xbc and \xfc\x02", "\u00fc and \u00fc"),
    ],
)
def test_text_that_is_not_quite_xml(inside, wanted, caplog):
    """Format 7.9."""
    assert value(b"<string>" + inside + b"</string>") == wanted
    (message,) = caplog.messages
    assert "ORCA header at byte 0: not valid XML" in message
    assert "without control characters" in message
    assert ("Latin-1" in message) == (max(inside) > 0x7F)


def test_declared_encoding_is_respected(caplog):
    text = xml(b"<dict><key>x</key><string>\xfc</string></dict>")
    text = text.replace(b"UTF-8", b"ISO-8859-1")
    assert parse_header_packet(packet_of(text))[0] == {"x": "\u00fc"}
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("inside", "problem", "place"),
    [
        ("<dict><key>a</key></string></dict>", "mismatched tag", "string>"),
        ("<dict>\u00e4<key>&#1;</key></dict>", "invalid character", "&#1"),
        ("<dict/></plist><plist>", "junk after document", "<plist>\n<"),
        ("<dict><string>a</string></dict>", "invalid property list", None),
        ("<dict><key>a</key><other/></dict>", "invalid property list", None),
        ("<dict><key>a</key><data>abc</data></dict>", "invalid property list", None),
        ("<dict><key>a</key><real>b</real></dict>", "invalid property list", None),
        ("<dict><key>a</key><date>now</date></dict>", "malformed date", None),
        ("<dict><key>a</key><date>2020Z</date></dict>", "malformed date", None),
        ("<key>a</key>", "key outside a dictionary", None),
        ("<array/>", "not a dictionary", None),
        ("", "not a dictionary", None),
    ],
)
def test_text_that_cannot_be_read(inside, problem, place):
    text = xml(inside)
    index = 0 if place is None else text.index(place.encode())
    with pytest.raises(
        DecodeError, match=rf"{problem}.* at byte \d+; nothing can be decoded"
    ) as info:
        parse_header_packet(packet_of(text), start=1000)
    assert info.value.offset == 1008 + index


def test_text_that_ends_early():
    text = xml("<dict/>")[:-10]
    with pytest.raises(DecodeError, match="no element found") as info:
        parse_header_packet(packet_of(text))
    assert info.value.offset == 8 + len(text)


@pytest.mark.parametrize("encoding", [b"no-such", b"UTF-16", b"utf-7", b"idna"])
def test_encoding_that_cannot_be(encoding):
    text = xml("<dict/>").replace(b"UTF-8", encoding)
    with pytest.raises(DecodeError, match="not valid XML"):
        parse_header_packet(packet_of(text))


def test_nesting_without_end():
    n = 100_000
    inside = "<dict><key>a</key>" + "<array>" * n + "</array>" * n + "</dict>"
    with pytest.raises(DecodeError, match="nested too deeply"):
        parse(inside)


LAUGHS = [f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 30)]


@pytest.mark.parametrize(
    "declarations",
    [
        '<!ENTITY l0 "ha">' + "".join(LAUGHS),
        '<!ENTITY l29 SYSTEM "file:///etc/passwd">',
        '<!ENTITY % l29 "ha"> %l29;',
        # not to be had by dropping a character either
        '<!EN\x01TITY l29 "ha">',
        f'<!ENTITY l29 "{"ha" * 100_000}">',
    ],
)
def test_entities_are_refused(declarations):
    inside = "<dict><key>x</key><string>&l29;</string></dict>"
    start = time.monotonic()
    with pytest.raises(DecodeError, match=r"declares entities.*do not trust"):
        parse(inside, f"<!DOCTYPE plist [{declarations}]>")
    assert time.monotonic() - start < 5


def test_entities_are_refused_whatever_plistlib_does(monkeypatch):
    monkeypatch.setattr(plistlib, "loads", lambda *_, **__: {})
    with pytest.raises(DecodeError, match="declares entities"):
        parse("<dict/>", '<!DOCTYPE plist [<!ENTITY a "b">]>')


def test_document_type_of_apple_is_no_entity():
    doctype = plistlib.dumps({}).split(b"\n")[1].decode()
    assert doctype.startswith("<!DOCTYPE")
    assert parse("<dict/>", doctype) == {}


json_values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cn"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab \u00e4"), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text("xyz"), json_values))
def test_any_header_comes_back(content):
    packet = packet_of(plistlib.dumps(content, sort_keys=False))
    header, text = parse_header_packet(packet)
    assert header == content
    assert text == json.dumps(content)
    assert OrcaHeader(text) == content


@given(st.data())
def test_damage_is_a_decode_error_or_passes(data):
    packet = bytearray(packet_of(plistlib.dumps(HEADER)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(packet) - 1))
        if data.draw(st.booleans()):
            packet[at] = data.draw(st.integers(0, 255))
        else:
            del packet[at : at + data.draw(st.integers(1, 30))]
            packet.append(0)
    try:
        header, _ = parse_header_packet(bytes(packet))
    except DecodeError:
        return
    look_up(header)


# --- look-ups -----------------------------------------------------------------------

ADC, STD = "ORFlashCamADCModel", "ORFlashCamADCStdModel"
LISTENER = "ORFlashCamListenerModel"

HEADER: dict[str, Any] = {
    "ObjectInfo": {
        "DataChain": [{"Data File": {}}, {"Run Control": {"RunNumber": 1280}}],
        "Crates": [
            {
                "CrateNumber": 1,
                "Cards": [
                    {"Class Name": ADC, "Card": 3, "CardAddress": 0x120},
                    {"Class Name": STD, "Card": 4},
                    {"Class Name": "Other", "Card": 5},
                ],
            },
            {"CrateNumber": 2},
            {"CrateNumber": 0, "Cards": [{"Class Name": ADC, "Card": 3}]},
        ],
        "AuxHw": [
            {"MJDPreAmp": {}},
            {"Class Name": LISTENER, "uniqueID": 1, "eventSamples": 100},
            {"Class Name": LISTENER, "uniqueID": 2, "eventSamples": 200},
        ],
    },
    "ReadoutDescription": [
        {"name": LISTENER, "uniqueID": 1, "children": []},
        {"name": ADC, "crate": 1, "station": 3},
        {"name": LISTENER, "uniqueID": 3},
    ],
    "dataDescription": {
        "ORRunModel": {"Run": {"dataId": 7 << 18, "decoder": "Run", "length": 4}},
        "Shaper": {"S": {"dataId": 33 << 26, "decoder": "Shaper"}},
        # as 32-bit builds of ORCA write it
        "Trigger": {"T": {"dataId": (35 << 26) - 2**32, "decoder": "Trigger"}},
        "Remote": {"ResponsePacket": {"decoder": "Response"}},
        "Two": {"a": {"dataId": 1 << 18, "decoder": "Run"}},
    },
}


def look_up(header: OrcaHeader) -> None:
    """Ask for everything; only a missing run number may be an error."""
    header.get_decoder_list()
    header.get_id_to_decoder_name_dict()
    header.get_object_info([ADC, STD])
    header.get_readout_info(LISTENER, 1)
    header.get_auxhw_info(LISTENER, 1)
    try:
        header.get_run_number()
    except ValueError as error:
        assert "without a run number" in str(error)  # noqa: PT017


@pytest.fixture
def header():
    return parse_header_packet(packet_of(plistlib.dumps(HEADER)))[0]


def test_ids(header):
    """Format 1.1 and 1.5: bit 31 makes an id short; without ``dataId`` no entry."""
    assert header.get_id_to_decoder_name_dict() == {
        0: "OrcaHeaderDecoder",
        1: "Run",
        7: "Run",
        33: "Shaper",
        35: "Trigger",
    }
    assert header.get_id_to_decoder_name_dict(shift_data_id=False) == {
        0: "OrcaHeaderDecoder",
        0x40000: "Run",
        0x1C0000: "Run",
        0x84000000: "Shaper",
        0x8C000000: "Trigger",
    }
    names = header.get_decoder_list()
    assert sorted(names) == ["OrcaHeaderDecoder", "Run", "Shaper", "Trigger"]


def test_cards(header):
    """Those of one crate are found for all classes asked for (format B19)."""
    crates = HEADER["ObjectInfo"]["Crates"]
    first = crates[0]["Cards"]
    last = crates[2]["Cards"][0]
    assert header.get_object_info(ADC) == {1: {3: first[0]}, 0: {3: last}}
    both = header.get_object_info([ADC, STD])
    assert both == {1: {3: first[0], 4: first[1]}, 0: {3: last}}
    assert header.get_object_info("ORFlashCam") == {}


def test_readout(header, caplog):
    entries = HEADER["ReadoutDescription"]
    assert header.get_readout_info(LISTENER) == [entries[0], entries[2]]
    assert header.get_readout_info(LISTENER, 3) == entries[2]
    assert header.get_readout_info(ADC) == [entries[1]]
    assert caplog.messages == []
    assert header.get_readout_info(LISTENER, 2) == [entries[0], entries[2]]
    assert header.get_readout_info("Other") == []
    assert caplog.messages == [
        f"no readout info for class name '{LISTENER}' with uniqueID 2: all returned",
        "no readout info for class name 'Other'",
    ]


def test_settings_of_listeners(header, caplog):
    entries = HEADER["ObjectInfo"]["AuxHw"]
    assert header.get_auxhw_info(LISTENER) == entries[1:]
    assert header.get_auxhw_info(LISTENER, 2)["eventSamples"] == 200
    assert caplog.messages == []
    assert header.get_auxhw_info("Other", 0) == []
    assert caplog.messages == ["no object info for class name 'Other'"]


def test_run_number(header):
    assert header.get_run_number() == 1280
    for incomplete in (
        {},
        {"ObjectInfo": {}},
        {"ObjectInfo": {"DataChain": []}},
        {"ObjectInfo": {"DataChain": [{"Run Control": {}}]}},
    ):
        with pytest.raises(ValueError, match="without a run number"):
            OrcaHeader(json.dumps(incomplete)).get_run_number()


PATHS = """
ObjectInfo
ObjectInfo/Crates
ObjectInfo/Crates/0/Cards
ObjectInfo/Crates/0/CrateNumber
ObjectInfo/Crates/0/Cards/0/Card
ObjectInfo/Crates/0/Cards/0/Class Name
ObjectInfo/AuxHw
ObjectInfo/AuxHw/1/uniqueID
ObjectInfo/DataChain
ObjectInfo/DataChain/1/Run Control
ReadoutDescription
ReadoutDescription/0/name
dataDescription
dataDescription/ORRunModel
dataDescription/ORRunModel/Run
dataDescription/ORRunModel/Run/dataId
dataDescription/ORRunModel/Run/decoder
"""


@pytest.mark.parametrize("path", PATHS.strip().splitlines())
def test_nothing_need_be_there(path):
    """Format 7.10."""
    *parents, last = path.split("/")
    for wrong in (None, "text", 3.5, [], {}, ["text"], [[]], [{}], {"a": "text"}):
        header = OrcaHeader(json.dumps(HEADER))
        node = header
        for name in parents:
            node = node[int(name) if name.isdigit() else name]
        node[last] = wrong
        look_up(header)
        del node[last]
        look_up(header)
    look_up(OrcaHeader())


def test_card_without_a_place_is_reported(caplog):
    cards = [{"Class Name": ADC}, {"Class Name": ADC, "Card": 2}]
    crates = [{"CrateNumber": 1, "Cards": cards}]
    header = OrcaHeader(json.dumps({"ObjectInfo": {"Crates": crates}}))
    assert header.get_object_info(ADC) == {1: {2: cards[1]}}
    assert caplog.messages == [f"a {ADC} lacks its crate or card number: ignored"]


def test_header_from_an_lh5_string():
    scalar = lgdo.Scalar('{"a": [1]}')
    assert OrcaHeader(lgdo_scalar=scalar) == {"a": [1]}
    header = OrcaHeader('{"b": 2}')
    header.set_from_lgdo(scalar)
    assert header == {"b": 2, "a": [1]}
    with pytest.raises(ValueError, match=r"expected.*Scalar, got.*Array"):
        OrcaHeader(lgdo_scalar=lgdo.Array(np.zeros(1)))


# --- the decoder --------------------------------------------------------------------


def words_of(content: dict, order: str = "<") -> np.ndarray:
    return np.frombuffer(packet_of(plistlib.dumps(content), order), np.uint32)


def test_decoder_without_a_packet():
    decoder = OrcaHeaderDecoder()
    assert decoder.header == {}
    assert isinstance(decoder.header, OrcaHeader)
    assert decoder.make_lgdo() == lgdo.Scalar("")
    assert decoder.get_key_lists() == [[None]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_decoder(order, caplog):
    decoder = OrcaHeaderDecoder()
    header = decoder.header
    assert decoder.decode_packet(words_of(HEADER, order), 0)
    assert decoder.header is header
    assert header == HEADER
    text = decoder.make_lgdo(None, 10)
    assert text.attrs == {"datatype": "string"}
    assert json.loads(text.value) == HEADER
    assert decoder.describe_lgdo() == layout_like(text)
    assert caplog.messages == []


def layout_like(obj: lgdo.LGDO) -> tuple:
    """Compare a layout by content."""
    wanted, rows = layout_of_lgdo(obj)

    class Like:
        def __eq__(self, other):
            return vars(other) == vars(wanted)

        __hash__ = None

    return Like(), rows


def test_decoder_fills_a_buffer():
    decoder = OrcaHeaderDecoder()
    rb = RawBuffer(lgdo=decoder.make_lgdo())
    assert not rb.is_full()
    assert decoder.decode_packet(words_of({"a": 1}), 0, [rb])
    assert rb.lgdo.value == '{"a": 1}'
    assert rb.loc == 1
    assert rb.is_full()


@pytest.mark.parametrize("n", [0, 1, 2])
def test_decoder_refuses_other_buffers(n):
    rbs = [RawBuffer(lgdo=lgdo.Array(np.zeros(1)))] * n
    with pytest.raises(ValueError, match="list of one buffer"):
        OrcaHeaderDecoder().decode_packet(words_of({"a": 1}), 0, rbs)


def test_later_header_replaces_the_first(caplog):
    """Format 1.2 and B23: nothing of another run's or file's is left."""
    decoder = OrcaHeaderDecoder()
    decoder.decode_packet(words_of({"a": 1}), 0)
    first = decoder.header
    decoder.decode_packet(words_of({"b": 2}), 70)
    assert decoder.header == {"b": 2}
    assert decoder.make_lgdo().value == '{"b": 2}'
    assert first == {"a": 1}
    assert caplog.messages == []


def test_decoder_keeps_its_header_if_the_next_is_damaged():
    decoder = OrcaHeaderDecoder()
    decoder.decode_packet(words_of({"a": 1}), 0)
    with pytest.raises(DecodeError, match=r"^packet 5: ORCA header"):
        decoder.decode_packet(np.zeros(10, np.uint32), 5)
    assert decoder.header == {"a": 1}


def test_header_given_to_the_decoder_is_ignored(caplog):
    caplog.set_level(logging.WARNING)
    decoder = OrcaHeaderDecoder(OrcaHeader('{"a": 1}'))
    assert decoder.header == {}
    assert "ignored" in caplog.text


# --- real files ---------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL_FILES)
def test_header_of_a_real_file(name):
    path = TESTDATA / "orca" / name
    if not path.is_file():
        pytest.skip("no real file: DAQ2LH5_TESTDATA names no directory with it")
    wanted = REAL_FILES[name]
    data = path.read_bytes()
    frame = find_header(data)
    assert frame == ("little", wanted["n_words"], wanted["n_text"])
    header, text = parse_header_packet(data)
    assert len(text) == wanted["n_json"]
    # what the peer writes
    assert hashlib.sha256(text.encode()).hexdigest() == wanted["sha256"]
    assert header["Header Length"] == 4 * frame.n_words
    assert header.get_run_number() == wanted["run"]
    names = header.get_id_to_decoder_name_dict()
    assert names.items() >= wanted["decoders"].items()

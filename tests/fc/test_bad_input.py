"""Bad input: every row of the table of bad input (FCIO format, 9).

A case is a stream of a few records. It says which events come out under which packet
numbers, what the report calls damaged (where, how long, why), what is accepted as
irregular, and which values prove that the rest went on undisturbed. "Format N" means
section of ``fcio.md``.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest
from kit.decoding.fcio import decode, read_lh5
from kit.generators.fcio_cases import (
    BAD_CONFIG,
    BAD_HEADER,
    BAD_PROTOCOL,
    HANDSHAKE_BYTES,
    NO_CONFIG,
    NO_FRAMES,
    PAST_END,
    SHORT_TRACE,
    STRAY,
    SURPLUS,
    TOO_LONG,
    TRACEMAP,
    Case,
    Lost,
    check,
    config,
    config_start,
    events_of,
    full,
    header,
    length,
    parametrized,
    samples,
    sparse,
    start_of_event,
    when,
)
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.errors import DecodeError

# --- streams that cannot be read at all ---------------------------------------------

BROKEN_CONFIGS = {
    "more than 2400 traces": {"adcs": 2401},
    "more than 2400 traces together": {"adcs": 2400, "triggers": 1},
    "fewer than 0 ADC traces": {"adcs": -1},
    "negative ADC traces made up for by trigger traces": {"adcs": -1, "triggers": 3},
    "negative trigger traces made up for by ADC traces": {"adcs": 3, "triggers": -1},
    "a sum that wraps around in 32 bits": {"adcs": 2**31 - 1, "triggers": 2**31 - 1},
    "fewer than 0 samples": {"eventsamples": -1},
    "more than 32768 samples": {"eventsamples": 32769},
    "more words than the trace buffer holds": {"adcs": 2400, "eventsamples": 9174},
    "more words than the trace buffer holds, one trace over": {
        "adcs": 673,
        "eventsamples": 32768,
    },
}
"""Configurations that format 1.4 forbids."""

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "no FCIO handshake"),
    "first bytes of a handshake": (writer.handshake()[:13], "no FCIO handshake"),
    "handshake cut off behind its protocol": (
        writer.handshake()[:40],
        "no configuration record in the whole stream",
    ),
    "handshake missing": (config() + full(1), "no FCIO handshake"),
    "another protocol": (
        writer.assemble([config(), full(1)], b"FlashCamV2")[0],
        "no FCIO handshake",
    ),
    "wrong byte in the protocol tag": (
        b"\xfe" + writer.assemble([config(), full(1)])[0][1:],
        "no FCIO handshake",
    ),
    "events without any Config": (
        writer.assemble([full(1), sparse(2), header(3)])[0],
        "no configuration record in the whole stream",
    ),
    "status without any Config": (
        writer.assemble([writer.status()])[0],
        "no configuration record in the whole stream",
    ),
    "unknown record without any Config": (
        writer.assemble([writer.record(77, b"1234")])[0],
        "no configuration record in the whole stream",
    ),
} | {
    f"only Config has {name}": (
        writer.assemble([config(**fields), full(1)])[0],
        "no configuration record in the whole stream",
    )
    for name, fields in BROKEN_CONFIGS.items()
}


@pytest.mark.parametrize("name", REFUSED)
def test_stream_without_handshake_or_configuration_is_refused(name, file):
    """An exception that says what is missing, whoever opens the stream."""
    data, message = REFUSED[name]
    file.write_bytes(data)
    with pytest.raises(DecodeError, match=message):
        decode(file)
    with (
        pytest.raises(RuntimeError, match=message),
        daq2lh5.open_stream(str(file), in_stream_type="FlashCam"),
    ):
        pass
    out = file.with_suffix(".lh5")
    with pytest.raises(RuntimeError, match=message):
        daq2lh5.build_raw(str(file), in_stream_type="FlashCam", out_spec=str(out))


@pytest.mark.parametrize("data", [b"", config() + full(1)], ids=["empty", "headless"])
def test_file_of_unknown_format_is_refused_whatever_its_name(data, file):
    """Nobody said that it is FCIO, and its first bytes do not."""
    file.write_bytes(data)
    out = file.with_suffix(".lh5")
    message = "format not recognized" if data else "is empty"
    with pytest.raises(RuntimeError, match=message):
        daq2lh5.build_raw(str(file), out_spec=str(out))
    assert not out.exists()


def test_protocol_name_counts_up_to_its_tenth_byte(file):
    """Format 1.1: what the writer puts behind it does not matter."""
    data, _ = writer.assemble([config(), full(1)], b"FlashCamV1.2")
    file.write_bytes(data)
    decoded = decode(file)
    assert events_of(decoded) == [(1, 1)]
    assert decoded.report.exit_status == 0


def test_largest_legal_configurations_are_accepted(file):
    """The limits of format 1.4 themselves are within the limits."""
    for fields in (
        {"adcs": 2400, "eventsamples": 0},
        {"adcs": 2300, "triggers": 100, "eventsamples": 0},
        {"adcs": 672, "eventsamples": 32768},
        {"adcs": 0, "eventsamples": 32768},
    ):
        file.write_bytes(writer.assemble([config(**fields, tracemap=())])[0])
        decoded = decode(file)
        assert decoded.n_rows("FCConfig") == 1, fields
        assert decoded.report.exit_status == 0, fields


# --- the ends of streams ------------------------------------------------------------

ENDS = [
    Case("handshake only: an empty result", [], notes=("nothing else",)),
    *(
        Case(
            f"{n} stray bytes at the end are reported, the event before them is kept",
            [config(), full(1), b"\xfd\xff\xff"[:n]],
            kept=[(1, 1)],
            lost=[Lost(2, STRAY, "cut_off")],
        )
        for n in (1, 2, 3)
    ),
    *(
        Case(
            f"event cut off inside its {what} is dropped",
            [config(), full(1), full(2)[:-n]],
            kept=[(1, 1)],
            lost=[Lost(2, PAST_END, "cut_off")],
            columns={"FCEvent/baseline": [1000, 1010]},
        )
        for what, n in (("dead region", 7), ("traces", 51), ("timestamp", 71))
    ),
    Case(
        "event cut off in front of the dead region that others have is dropped",
        [config(), full(1), full(2, deadregion=None)],
        kept=[(1, 1)],
        lost=[Lost(2, NO_FRAMES, "cut_off")],
    ),
    *(
        Case(
            f"tag {tag} without frames at the end gives no row again",
            [config(), full(1), sparse(2), header(3), writer.tag(tag)],
            kept=[(1, 1), (2, 2), (3, 3)],
            lost=[Lost(4, NO_FRAMES, "cut_off")],
        )
        for tag in (writer.TAG_EVENT, writer.TAG_SPARSE_EVENT, writer.TAG_EVENT_HEADER)
    ),
    Case(
        "frame that claims more than the rest, with nothing behind it, is cut off",
        [config(), full(1), start_of_event(2) + length(1000) + bytes(100)],
        kept=[(1, 1)],
        lost=[Lost(2, PAST_END, "cut_off")],
    ),
    Case(
        "sparse event with fewer traces than it lists, at the end, is cut off",
        [config(), full(1), sparse(2, drop_frames=1)],
        kept=[(1, 1)],
        lost=[Lost(2, NO_FRAMES, "cut_off")],
    ),
]


@parametrized(ENDS)
def test_end_of_stream(case, file):
    check(case, file)


def test_handshake_only_gives_no_header_and_no_chunk(file):
    """Neither is anything raised, nor does a conversion write a row."""
    file.write_bytes(writer.handshake())
    decoded = decode(file)
    assert decoded.tables == {}
    assert decoded.streamer.fcio.config is None
    report = daq2lh5.build_raw(str(file), out_spec=str(file.with_suffix(".lh5")))
    assert report.n_rows == 0
    assert report.n_bytes == HANDSHAKE_BYTES
    assert report.exit_status == 0


# --- frames -------------------------------------------------------------------------

TEN = (1, 2, 3, 4, 5, 0, 0, 8, 9, 10)

FRAMES = [
    Case(
        "unknown records are skipped, and count as packets",
        [
            *(config(), writer.record(77, b"abcd", b"", b"1")),
            *(full(1), writer.record(writer.MAX_TAG), full(2)),
        ],
        kept=[(2, 1), (4, 2)],
        unknown={"FCIO record (tag 77)": 1, f"FCIO record (tag {writer.MAX_TAG})": 1},
    ),
    Case(
        "Calib and RecEvent are skipped, and count as packets",
        [config(), writer.calib(adcs=2), full(1), writer.rec_event(), full(2)],
        kept=[(2, 1), (4, 2)],
        unknown={"Calib (tag 2)": 1, "RecEvent (tag 5)": 1},
    ),
    *(
        Case(
            f"reserved header {head}: its record is rejected, the next one read",
            [config(), full(1), start_of_event(2) + length(head), full(3)],
            kept=[(1, 1), (2, 3)],
            lost=[Lost(2, BAD_HEADER)],
        )
        for head in (-1000000002, -(2**31))
    ),
    Case(
        "reserved header between two whole records costs neither of them",
        [config(), full(1), length(-(2**31)), full(2)],
        kept=[(1, 1), (2, 2)],
        lost=[Lost(2, BAD_HEADER)],
    ),
    Case(
        "frame that claims more than the rest does not hide the next record",
        [config(), full(1), start_of_event(2) + length(1000) + bytes(16), full(3)],
        kept=[(1, 1), (2, 3)],
        lost=[Lost(2, PAST_END)],
    ),
    Case(
        "frame with an absurd length does not hide the next record",
        [config(), full(1), start_of_event(2) + length(2**31 - 1), full(3)],
        kept=[(1, 1), (2, 3)],
        lost=[Lost(2, TOO_LONG)],
    ),
    *(
        Case(
            f"overlong {name}: its first 10 integers are used",
            [config(), full(1), full(2, **{name: (*TEN, 11)}), full(3)],
            kept=[(1, 1), (2, 2), (3, 3)]
            if name != "timestamp"
            else [(1, 1), (2, TEN[0]), (3, 3)],
            irregular={SURPLUS: 1},
            columns={f"FCEvent/{found}": values},
        )
        for name, found, values in (
            ("timeoffset", "to_start_usec", [380_000] * 2 + [0] * 2 + [380_000] * 2),
            (
                "timestamp",
                "ts_maxticks",
                [249_999_999] * 2 + [4] * 2 + [249_999_999] * 2,
            ),
            ("deadregion", "dr_maxticks", [0] * 2 + [5] * 2 + [0] * 2),
        )
    ),
    Case(
        "overlong deadregion of a sparse event and of a header: clamped as well",
        [
            *(config(), sparse(1, deadregion=(*TEN, 11, 12))),
            *(header(2, deadregion=(*TEN, 11)), full(3)),
        ],
        kept=[(1, 1), (2, 2), (3, 3)],
        irregular={SURPLUS: 2},
        columns={"FCEventHeader/dr_maxticks": [5]},
    ),
    Case(
        "overlong type, traces and trace: the surplus is ignored",
        [
            *(config(), full(1, event_type=struct.pack("<iB", 1, 9))),
            writer.event(
                [samples(2, 0), samples(2, 1), samples(9, 9)], timestamp=when(2)
            ),
            *(sparse(3, (1,), traces=[samples(3, 1, 5)]), full(4)),
        ],
        kept=[(1, 1), (2, 2), (3, 3), (4, 4)],
        irregular={SURPLUS: 3, "frame length not a multiple of the element size": 1},
        columns={
            "FCEvent/event_type": [1] * 7,
            "FCEvent/waveform/values": [
                *([1002, 1003], [1012, 1013], [2002, 2003], [2012, 2013]),
                *([3012, 3013], [4002, 4003], [4012, 4013]),
            ],
        },
    ),
    Case(
        "traces shorter than the Config says: rejected, not filled with old samples",
        [config(), full(1), full(2, traces=1), full(3)],
        kept=[(1, 1), (2, 3)],
        lost=[Lost(2, SHORT_TRACE)],
    ),
    Case(
        "empty traces frame: rejected",
        [config(), full(1), full(2, traces=0), full(3)],
        kept=[(1, 1), (2, 3)],
        lost=[Lost(2, SHORT_TRACE)],
    ),
    Case(
        "trace of a sparse event one sample short: rejected",
        [config(), full(1), sparse(2, traces=[samples(2), samples(2, 1, 1)]), full(3)],
        kept=[(1, 1), (2, 3)],
        lost=[Lost(2, SHORT_TRACE)],
    ),
    *(
        Case(
            f"deadregion {name}: the former one is carried over, block is (0, adcs)",
            [
                config(adcs=1, triggers=1, adcbits=12),
                full(1, deadregion=(0, 10, 0, 20, 77, 0, 0, 0, 0, 0)),
                full(2, deadregion=dead_region),
                full(3, deadregion=(0, 10, 0, 30, 78, 0, 0)),
            ],
            kept=[(1, 1), (2, 2), (3, 3)],
            columns={
                "FCEvent/dr_start_ticks": [10] * 6,
                "FCEvent/dr_stop_ticks": [20, 20, 20, 20, 30, 30],
                "FCEvent/dr_maxticks": [77, 77, 77, 77, 78, 78],
                "FCEvent/dr_ch_idx": [0] * 6,
                "FCEvent/dr_ch_len": [2, 2, 1, 1, 2, 2],
            },
        )
        for name, dead_region in (("absent", None), ("empty", ()))
    ),
]


@parametrized(FRAMES)
def test_frames(case, file):
    check(case, file)
    check(case, file, block_size=1)


def test_absurd_frame_that_is_really_there_is_rejected(file):
    """A frame of 45 MB, more than the C reader's buffer: nothing else is touched."""
    absurd = start_of_event(2) + writer.frame(bytes(45_000_000))
    case = Case(
        "absurd frame",
        [config(), full(1), absurd, writer.status(), full(3)],
        kept=[(1, 1), (3, 3)],
        lost=[Lost(2, TOO_LONG)],
        columns={
            "FCStatus/id": [0, 0x2000],
            "FCEvent/baseline": [1000, 1010, 3000, 3010],
        },
    )
    check(case, file)


# --- configurations -----------------------------------------------------------------

CONFIGS = [
    *(
        Case(
            f"{name} before the Config is skipped, the rest is read",
            [*early, config(), full(2)],
            kept=[(1, 2)],
            lost=[Lost(0, NO_CONFIG, n_parts=len(early))],
        )
        for name, early in (
            ("event", [full(1)]),
            ("sparse event", [sparse(1)]),
            ("event header", [header(1)]),
            ("FSPEvent and its event", [writer.fsp_event(), full(1)]),
        )
    ),
    *(
        Case(
            f"later Config with {name}: rejected, the former one stays in force",
            [config(), full(1), config(**fields), full(2)],
            kept=[(1, 1), (2, 2)],
            lost=[Lost(2, BAD_CONFIG)],
            columns={"FCConfig/nadcs": [2]},
        )
        for name, fields in BROKEN_CONFIGS.items()
    ),
    Case(
        "later Config of one frame is checked by itself: too many traces",
        [config(), full(1), config_start(adcs=2401), full(2)],
        kept=[(1, 1), (2, 2)],
        lost=[Lost(2, BAD_CONFIG)],
    ),
    Case(
        "later Config of one frame is checked by itself: negative",
        [config(), full(1), config_start(adcs=-1), full(2)],
        kept=[(1, 1), (2, 2)],
        lost=[Lost(2, BAD_CONFIG)],
    ),
    Case(
        "later Config of one frame is checked with the triggers that stay",
        [
            config(adcs=1, triggers=1, adcbits=12),
            *(full(1), config_start(adcs=2400), full(2)),
        ],
        kept=[(1, 1), (2, 2)],
        lost=[Lost(2, BAD_CONFIG)],
    ),
    Case(
        "later Config of one frame is checked with the samples that stay",
        [
            config(adcs=1, eventsamples=9174),
            *(full(1, 1, 9174), config_start(adcs=2400), full(2, 1, 9174)),
        ],
        kept=[(1, 1), (2, 2)],
        lost=[Lost(2, BAD_CONFIG)],
    ),
    Case(
        "later Config of two frames is checked with the samples that stay",
        [
            config(adcs=1, eventsamples=9174),
            *(full(1, 1, 9174), config_start(adcs=0, triggers=2400)),
            full(2, 1, 9174),
        ],
        kept=[(1, 1), (2, 2)],
        lost=[Lost(2, BAD_CONFIG)],
    ),
    Case(
        "later Config of one sound frame: the other values stay",
        [config(), full(1), config_start(adcs=1), full(2, 1)],
        kept=[(1, 1), (3, 2)],
        columns={
            "FCConfig/nadcs": [2, 1],
            "FCConfig/nsamples": [2, 2],
            "FCEvent/channel": [0, 1, 0],
        },
    ),
    Case(
        "tracemap shorter: the missing traces have card 0, input 0",
        [config(adcs=3, tracemap=(0x1100007,)), full(1, 3)],
        kept=[(1, 1)],
        columns={
            "FCEvent/board_id": [0x110, 0, 0],
            "FCEvent/fc_input": [7, 0, 0],
            "FCEvent/channel": [0, 1, 2],
        },
    ),
    Case(
        "tracemap absent: all traces have card 0, input 0",
        [config(tracemap=None), full(1)],
        kept=[(1, 1)],
        columns={"FCEvent/board_id": [0, 0], "FCEvent/fc_input": [0, 0]},
    ),
    Case(
        "tracemap longer: the surplus is ignored",
        [config(tracemap=(*TRACEMAP, 0x1100002, 0x1100003)), full(1)],
        kept=[(1, 1)],
        columns={
            "FCEvent/fc_input": [0, 1],
            "FCConfig/tracemap": [list(TRACEMAP)],
        },
    ),
    Case(
        "equal second Config: dead time begins anew, packet numbers go on",
        [
            *(config(), full(1), full(2, deadregion=(0, 10, 0, 20, 0, 0, 0))),
            *(config(), full(3)),
        ],
        kept=[(1, 1), (2, 2), (4, 3)],
        columns={
            "FCConfig/packet_id": [0, 3],
            "FCEvent/deadtime": [0, 0, 40e-9, 40e-9, 0, 0],
        },
        notes=("more than one configuration",),
    ),
    Case(
        "second Config with fewer channels",
        [config(), full(1), config(adcs=1, tracemap=TRACEMAP[:1]), full(2, 1)],
        kept=[(1, 1), (3, 2)],
        columns={"FCEvent/channel": [0, 1, 0], "FCConfig/nadcs": [2, 1]},
        notes=("more than one configuration",),
    ),
    Case(
        "second Config with a card and an input that the first had not",
        [
            *(config(), full(1)),
            config(adcs=3, tracemap=(0x1100000, 0x1100005, 0x2200000)),
            full(2, 3),
        ],
        kept=[(1, 1), (3, 2)],
        columns={
            "FCEvent/board_id": [0x110, 0x110, 0x110, 0x110, 0x220],
            "FCEvent/fc_input": [0, 1, 0, 5, 0],
        },
    ),
    Case(
        "second Config with another number of samples: a table of its own",
        [config(), full(1), config(eventsamples=3), full(2, n=3), config(), full(3)],
        kept=[(1, 1), (3, 2), (5, 3)],
        columns={
            "FCEvent/waveform/values": [
                *([1002, 1003], [1012, 1013], [2002, 2003, 2004]),
                *([2012, 2013, 2014], [3002, 3003], [3012, 3013]),
            ],
        },
        notes=("FCEvent_3",),
    ),
    Case(
        "adcbits neither 12 nor 16: dt is NaN, the energy is the FPGA's word",
        [config(adcbits=14, sumlength=4, blprecision=2), full(1)],
        kept=[(1, 1)],
        columns={
            "FCEvent/waveform/dt": [np.nan, np.nan],
            "FCEvent/daqenergy": [1001, 1011],
            "FCEvent/baseline": [500, 505],
        },
        notes=("adcbits is 14",),
    ),
    Case(
        "blprecision 0, 16 bit: baseline 0, energy untouched",
        [config(blprecision=0), full(1)],
        kept=[(1, 1)],
        columns={"FCEvent/baseline": [0, 0], "FCEvent/daqenergy": [1001, 1011]},
        notes=("blprecision is 0",),
    ),
    Case(
        "blprecision 0, 12 bit: baseline and energy 0",
        [config(blprecision=0, adcbits=12), full(1)],
        kept=[(1, 1)],
        columns={"FCEvent/baseline": [0, 0], "FCEvent/daqenergy": [0, 0]},
        notes=("blprecision is 0",),
    ),
    Case(
        "handshake in mid-stream, same protocol: the Config stays in force",
        [
            *(config(), full(1), writer.handshake(), full(2)),
            *(writer.handshake(b"FlashCamV1.2"), config(), full(3)),
        ],
        kept=[(1, 1), (2, 2), (4, 3)],
    ),
    Case(
        "handshake behind an event without dead region loses nothing",
        [config(), full(1, deadregion=None), writer.handshake(), full(2)],
        kept=[(1, 1), (2, 2)],
    ),
    Case(
        "handshake in mid-stream, other protocol: passed over, the next event is read",
        [config(), full(1), writer.handshake(b"FlashCamV2"), full(2)],
        kept=[(1, 1), (2, 2)],
        lost=[Lost(2, BAD_PROTOCOL)],
    ),
]


@parametrized(CONFIGS)
def test_configurations(case, file):
    check(case, file)
    if sum(map(len, case.parts)) < 4000:
        check(case, file, block_size=1)


def test_conversion_gives_another_number_of_samples_its_own_table(file):
    """The same in the output file."""
    data, _ = writer.assemble(
        [config(), full(1), config(eventsamples=3), full(2, n=3), config(), full(3)]
    )
    file.write_bytes(data)
    out = file.with_suffix(".lh5")
    report = daq2lh5.build_raw(str(file), out_spec=str(out))
    tables = read_lh5(out)
    assert tables["FCEvent"]["eventnumber"].tolist() == [1, 1, 3, 3]
    assert tables["FCEvent_3"]["eventnumber"].tolist() == [2, 2]
    assert report.n_bytes == len(data)
    assert report.exit_status == 0


# --- regressions --------------------------------------------------------------------


@pytest.mark.parametrize("event_type", range(-10, 0))
def test_frame_behind_a_record_gives_no_false_record(event_type, file):
    """An event type looks like a tag; one frame too many must not make it one."""
    record = writer.sparse_event(
        *([], []),
        timeoffset=[0],
        timestamp=[],
        deadregion=[],
        event_type=event_type,
    )
    case = Case(
        "false record",
        [config(adcs=0, eventsamples=0, tracemap=()), record + writer.frame(b"")],
        columns={"FCEventHeader/packet_id": [], "FCEvent/packet_id": []},
    )
    check(case, file)
    case.parts.append(record)
    check(case, file)


def test_frames_before_the_first_record_are_legal(tmp_path):
    """Format 1.1: data frames behind a handshake are skipped, and count as unknown."""
    stray = writer.frame(b"12345")
    rest = [writer.config(eventsamples=4), writer.event([[1] * 6] * 6)]
    data = writer.handshake() + stray + b"".join(rest)
    path = tmp_path / "run.fcio"
    path.write_bytes(data)
    with daq2lh5.open_stream(str(path)) as (streamer, _):
        rows = sum(rb.loc for c in streamer for rb in c if rb.out_name == "FCEvent")
    assert rows == 6
    assert streamer.report.bytes["unknown"] == len(stray)
    assert streamer.report.exit_status == 0

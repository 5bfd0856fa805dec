"""Undamaged streams of every format, with the rows that each of their records gives."""

from __future__ import annotations

import re
import struct
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.writers import compass, examples, fcio, llama, llama_old, orca

from .conversion import decode
from .truth import Record, Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .rows import Row


HISTORY = re.compile(
    r"packet_id|runtime|lifetime|deadtime|deadinterval_nsec|dr_.*|packet_len"
)
"""Columns that tell of what came before, or of the number of the record."""

OF_TRIGGER = {"obs_wps_sum_value", "avg_rate_read_events"}
"""Columns of the software trigger's tables: their rows take the record behind, too."""


@dataclass
class Sample:
    """An undamaged stream.

    Attributes
    ----------
    name, format
        what it is.
    data
        its bytes.
    records
        its records in order, with their rows.
    rules
        how records of the format are believed.
    spared
        bytes at the start without which nothing can be read.
    options
        of the conversion.
    suffix
        ending of the file's name.
    is_padded
        whether waveforms may have zeros behind them.
    """

    name: str
    format: str
    data: bytes
    records: list[Record]
    rules: Rules = field(default_factory=Rules)
    spared: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    suffix: str = ".dat"
    is_padded: bool = False

    def signature(self, row: Row) -> tuple[Any, ...]:
        """Tell what the bytes of a row's record and the settings say in it."""
        chosen = [
            (column, value)
            for column, value in zip(row.columns, row.values, strict=True)
            if not HISTORY.fullmatch(column)
        ]
        if self.is_padded:
            chosen = [
                (c, v.rstrip(b"\0") if c == "waveform/values" else v) for c, v in chosen
            ]
        return tuple(chosen)

    def assign(self, numbers: dict[int, Record]) -> None:
        """Give records their rows, from the undamaged stream.

        Parameters
        ----------
        numbers
            the record of each `packet_id`.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"run{self.suffix}"
            path.write_bytes(self.data)
            out = decode(str(path), **self.options)
        if out.report is None or not out.report.clean:
            msg = f"the sample {self.name} is not read: {out.error}"
            raise ValueError(msg)
        joint = {r.end: r for r in self.records if r.is_joint}
        for row, n in out.rows.items():
            record = numbers.get(row.packet_id)
            if record is None or record.is_setting:
                continue
            if record.end in joint and not OF_TRIGGER.isdisjoint(row.columns):
                record = joint[record.end]
            record.rows[self.signature(row)] += n


# --- FCIO ---------------------------------------------------------------------------

FCIO_STREAMS: dict[str, dict[str, Any]] = {
    "full": {"n_events": 12, "n_channels": 3, "n_samples": 100},
    "sparse": {"n_events": 30, "n_channels": 6, "n_samples": 60, "kind": "sparse"},
    "12 bit": {"n_events": 12, "n_channels": 24, "n_samples": 30, "adcbits": 12},
    "headers": {
        "n_events": 60,
        "n_channels": 12,
        "n_samples": 50,
        "kind": "header",
        "fsp": True,
        "status_every": 20,
    },
    "fsp": {
        "n_events": 30,
        "n_channels": 4,
        "n_samples": 50,
        "kind": ("event", "sparse", "header"),
        "fsp": True,
        "deadtime": True,
        "status_every": 10,
    },
    "long": {"n_events": 40, "n_channels": 2, "n_samples": 1000},
}
FSP_TAGS = (fcio.TAG_FSP_CONFIG, fcio.TAG_FSP_EVENT, fcio.TAG_FSP_STATUS)
SETTING_TAGS = (fcio.TAG_CONFIG, fcio.TAG_FSP_CONFIG)


def fcio_sample(name: str, data: bytes, index: list[fcio.Record]) -> Sample:
    records, numbers = [], {}
    before = None
    for each in index:
        is_setting = each.tag in SETTING_TAGS
        record = Record(each.offset, each.length, str(each.tag), is_setting=is_setting)
        records.append(record)
        if each.tag not in FSP_TAGS:
            numbers[len(numbers)] = record
        if before is not None and before.kind in ("9", "10"):
            both = record.end - before.start
            records.append(Record(before.start, both, "both", is_joint=True))
        before = record
    last = max(i for i, r in enumerate(records) if r.is_setting)
    sample = Sample(name, "fcio", data, records, spared=records[last].end)
    sample.suffix = ".fcio"
    # a record of the software trigger belongs to the one behind it
    sample.rules.is_free = not any(r.is_joint for r in records)
    sample.assign(numbers)
    return sample


def fcio_index(data: bytes) -> list[fcio.Record]:
    """Find the records of an undamaged stream."""
    index, at, start = [], 0, 0
    while at + 4 <= len(data):
        (number,) = struct.unpack_from("<i", data, at)
        if number < 0:
            start = at
            at += 68 if number < -fcio.MAX_TAG else 4
            if number >= -fcio.MAX_TAG:
                index.append(fcio.Record(start, 4, -number))
        else:
            at += 4 + number
        if index and index[-1].offset == start:
            index[-1] = index[-1]._replace(length=at - start)
    return index


# --- ORCA ---------------------------------------------------------------------------

ORCA_FILES: dict[str, dict[str, Any]] = {
    **examples.ORCA,
    "fcio headers": {
        "kinds": "fcio",
        "n_events": 60,
        "n_channels": 5,
        "fcio_options": {"kind": "header", "deadtime": True},
    },
    "fcio fsp": {
        "kinds": "fcio",
        "n_events": 40,
        "n_channels": 4,
        "fcio_options": {"kind": "mixed", "fsp": True, "status_every": 7},
        "heartbeat_every": 20,
    },
    **{
        kind: {"kinds": kind, "n_events": 20, "n_channels": 4}
        for kind in orca.KINDS[2:]
    },
    "all": {"kinds": orca.KINDS, "n_events": 3, "n_channels": 2},
}

ORCA_ALONE = frozenset(
    r.decoder
    for r in orca.RECORDS
    if r.decoder.startswith(("ORFCIO", "ORFlashCam")) and "Status" not in r.decoder
)
LISTENER_WORDS = 2413
"""Of the configuration of a listener, as older versions wrote it."""

ORCA_SETTINGS = (
    orca.HEADER,
    "ORFCIOConfigDecoder",
    "ORFlashCamListenerConfigDecoder",
)


def orca_sample(name: str, data: bytes, index: list[orca.Packet]) -> Sample:
    records = [
        Record(p.offset, p.length, p.kind, is_setting=p.kind in ORCA_SETTINGS)
        for p in index
    ]
    last = max(i for i, r in enumerate(records) if r.is_setting)
    # CAEN's modules fill up what they hand over with zeros (ORCA format, 5.5)
    rules = Rules(least=8, alone=ORCA_ALONE, is_filled=True)
    sample = Sample(name, "orca", data, records, rules, records[last].end)
    sample.suffix, sample.is_padded = ".orca", True
    sample.assign(dict(enumerate(records)))
    return sample


def orca_index(data: bytes) -> list[orca.Packet]:
    """Find the packets of an undamaged file."""
    index, at = [], 0
    while at < len(data):
        word, second = struct.unpack_from("<II", data.ljust(at + 8, b"\0"), at)
        n = 1 if word >> 31 else word & orca.MAX_LONG or second
        kind = "packet"
        if b"<?xml" in data[at : at + 20]:
            kind = orca.HEADER
        elif b"FlashCamV1" in data[at : at + 40]:
            kind = "ORFCIOConfigDecoder"
        elif n == LISTENER_WORDS:
            kind = "ORFlashCamListenerConfigDecoder"
        index.append(orca.Packet(at, 4 * n, kind))
        at += 4 * n
    return index


# --- CoMPASS ------------------------------------------------------------------------

COMPASS_FILES = examples.compass_files(50, 150)


def compass_sample(name: str) -> Sample:
    settings = dict(COMPASS_FILES[name])
    form = compass.form(settings.pop("word"), settings.pop("version", 2))
    events = compass.events(form, channels=[(0, 0), (0, 1), (2, 5)], **settings)
    data = compass.file(form, events)
    records = [Record(e.offset, e.length, "event") for e in events]
    spared = records[8].end
    is_list = name in examples.COMPASS_LISTS
    rules = Rules(4, slack=2, has_marks=False) if is_list else Rules(slack=1)
    options: dict[str, Any] = {"in_stream_type": "Compass"}
    if not form.has_header:
        options["compass_layout"] = form.name
    sample = Sample(name, "compass", data, records, rules, spared, options, ".BIN")
    sample.assign(dict(enumerate(records, 1)))
    return sample


# --- llamaDAQ -----------------------------------------------------------------------

LLAMA_FILES: dict[str, tuple[list[llama.Channel], int]] = {
    "two alike": ([llama.Channel(), llama.Channel(channel=4)], 40),
    "varied": (
        [
            llama.Channel(format_bits=15),
            llama.Channel(channel=1, format_bits=0, sample_length=20),
            llama.Channel(fadc=3, channel=2, format_bits=5, avg_mode=0),
            llama.Channel(channel=7, format_bits=8, sample_length=0),
        ],
        20,
    ),
    "long": (
        [
            llama.Channel(sample_length=500),
            llama.Channel(channel=1, sample_length=2000),
        ],
        8,
    ),
}
LLAMA_FILES["varied"][0][2].avg_sample_length = 0


def llama_sample(name: str) -> Sample:
    channels, n = LLAMA_FILES[name]
    data, places = llama.make_file(channels, n_events=n, seed=7)
    records = [Record(p.offset, p.length, "event") for p in places]
    sample = Sample(name, "llama", data, records, spared=records[0].start)
    sample.options, sample.suffix = {"in_stream_type": "LlamaDaq"}, ".bin"
    sample.assign(dict(enumerate(records, 1)))
    return sample


OLD_LLAMA_FILES = {"2019": 68, "early 2019": 80}
"""Bytes of a configuration in files of 2019."""


def old_llama_sample(name: str) -> Sample:
    # channels that their two bits tell apart
    channels = [llama_old.OldChannel(channel=i, format_bits=i) for i in range(4)]
    banks = [[2, 1, 3, 2]] * 8
    file = llama_old.make_file(channels, banks, size=OLD_LLAMA_FILES[name])
    records = [Record(p.start, p.end - p.start, "event") for p in file.places]
    rules = Rules(slack=1, has_marks=False, is_free=False)
    sample = Sample(name, "llama", file.data, records, rules, file.head)
    sample.options, sample.suffix = {"in_stream_type": "LlamaDaq"}, ".bin"
    sample.assign(dict(enumerate(records, 1)))
    return sample


# --- all of them --------------------------------------------------------------------


def _synthetic() -> Iterator[tuple[str, str, Callable[[], Sample]]]:
    for name, settings in FCIO_STREAMS.items():
        options = {"streamid": 1} | settings
        yield (
            "fcio",
            name,
            lambda n=name, o=options: fcio_sample(n, *fcio.make_indexed_stream(**o)),
        )
    for name, settings in ORCA_FILES.items():
        options = {"n_samples": 40} | settings
        yield (
            "orca",
            name,
            lambda n=name, o=options: orca_sample(n, *orca.make_indexed_stream(**o)),
        )
    for name in COMPASS_FILES:
        yield "compass", name, lambda n=name: compass_sample(n)
    for name in LLAMA_FILES:
        yield "llama", name, lambda n=name: llama_sample(n)
    for name in OLD_LLAMA_FILES:
        yield "llama", name, lambda n=name: old_llama_sample(n)


MAKERS: dict[str, dict[str, Callable[[], Sample]]] = {}
for _format, _name, _make in _synthetic():
    MAKERS.setdefault(_format, {})[_name] = _make


@cache
def sample(format_: str, name: str) -> Sample:
    """Make a sample, or take the one that was made."""
    return MAKERS[format_][name]()

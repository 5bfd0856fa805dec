"""The report of a conversion: the fate of every byte of the input."""

from __future__ import annotations

import base64
import json
import logging
import os
import time
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import told

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

__all__ = [
    "FATES",
    "ConversionReport",
    "Damage",
    "TableSummary",
    "sizeof_fmt",
    "unpacked",
]

FATES = ("decoded", "skipped", "unknown", "corrupt", "cut_off")
"""Fates of a byte: decoded; not selected by the specification; in a record without a
decoder; damaged; in a record that the end of the input cuts off."""

UNITS = {"ORCA": "packets", "MGDO": "entries", "LH5": "objects"}
"""Parts of an input by format, where it does not call them records."""

MAX_DAMAGE_LISTED = 100
"""Damaged ranges that the report lists; all are counted."""

MAX_NOTES = 1000
"""Notes that are kept: others are counted."""

MAX_NOTES_SHOWN = 50
"""Notes that are printed."""

MAX_KINDS = 1000
"""Kinds of unknown records that are told apart."""

PACKED = "packed"
"""Name in the stored report for its compressed parts."""

MAX_ATTRIBUTE_BYTES = 60000
"""An HDF5 attribute holds at most 64 kB."""


@dataclass
class Damage:
    """A range of the input that could not be decoded."""

    offset: int
    length: int
    reason: str
    fate: str


@dataclass
class TableSummary:
    """Rows of an output table, and the times of the first and the last."""

    rows: int = 0
    first_time: float | None = None
    last_time: float | None = None


@dataclass
class ConversionReport:
    """The fate of the input of a conversion, and its output.

    Attributes
    ----------
    source, format
        name of the input, and of its format.
    bytes, packets
        number of bytes, and of records (packets of ORCA, entries of MGDO), with each of
        the `FATES`. The bytes add up to the size of the input after decompression.
    unknown_records
        number of records without a decoder, by kind.
    irregular
        number of records that were decoded although they break a rule of the format,
        by rule.
    damage
        the first damaged ranges, in order.
    n_damage
        number of all damaged ranges.
    container_error
        damage of the compressed file around the stream, if any.
    skipped_channels
        rows that the specification does not select, by decoder and key.
    tables
        by output file and path of the table.
    notes
        further messages to the user; beyond a limit, the last one counts the rest.
    garbage_file
        the file with the bytes of the damaged ranges, if any.
    outputs
        the other files written.
    seconds
        time of each stage; the time for compressing is the sum of all threads.
    peak_memory
        largest memory of the process, in bytes; None if it is unknown.
    starts
        offsets in the stream of the files of a joined input, by their names.
    provenance
        version, arguments, specification and input: see :ref:`provenance`.
    folder
        folder of all outputs of a specification, which names them relative to it.
    """

    source: str = ""
    format: str = ""
    compression: str | None = None
    bytes: Counter[str] = field(
        default_factory=lambda: Counter(dict.fromkeys(FATES, 0))
    )
    packets: Counter[str] = field(
        default_factory=lambda: Counter(dict.fromkeys(FATES, 0))
    )
    unknown_records: Counter[str] = field(default_factory=Counter)
    irregular: Counter[str] = field(default_factory=Counter)
    damage: list[Damage] = field(default_factory=list)
    n_damage: int = 0
    container_error: str | None = None
    garbage_bytes_kept: int = 0
    garbage_bytes_dropped: int = 0
    garbage_file: str | None = None
    skipped_channels: dict[str, dict[str, int]] = field(default_factory=dict)
    tables: dict[str, dict[str, TableSummary]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: int | None = None
    error: str | None = None
    notes_dropped: int = 0
    starts: dict[str, int] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    folder: str | None = None
    _known_notes: set[str] = field(default_factory=set, repr=False, compare=False)

    @property
    def n_bytes(self) -> int:
        """All bytes accounted for."""
        return sum(self.bytes.values())

    @property
    def n_rows(self) -> int:
        """Rows written to all tables."""
        return sum(t.rows for file in self.tables.values() for t in file.values())

    @property
    def clean(self) -> bool:
        """Whether the whole input obeys the rules of its format."""
        return not (
            self.n_damage
            or self.bytes["corrupt"]
            or self.bytes["cut_off"]
            or self.irregular
            or self.container_error
        )

    @property
    def exit_status(self) -> int:
        """Exit status of the command line: 0 clean, 1 failed, 3 damaged input."""
        if self.error is not None:
            return 1
        return 0 if self.clean else 3

    def add_damaged(self, offset: int, length: int, fate: str, reason: str) -> None:
        """Account for a range of the input that is passed over."""
        self.bytes[fate] += length
        self.packets[fate] += 1
        if fate in ("corrupt", "cut_off"):
            self.n_damage += 1
            if len(self.damage) < MAX_DAMAGE_LISTED:
                self.damage.append(Damage(offset, length, told(reason), fate))

    def add_unknown(self, kind: str, n: int = 1) -> None:
        """Account for records of a kind without a decoder."""
        kind = told(kind)
        if kind not in self.unknown_records and len(self.unknown_records) >= MAX_KINDS:
            kind = "other kinds"
        self.unknown_records[kind] += n

    def add_rows(
        self, file: str, table: str, rows: int, times: tuple[float, float] | None
    ) -> None:
        """Account for rows written to a table."""
        summary = self.tables.setdefault(file, {}).setdefault(table, TableSummary())
        summary.rows += rows
        if times is not None:
            if summary.first_time is None:
                summary.first_time = times[0]
            summary.last_time = times[1]

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time spent inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed

    def note(self, text: str) -> None:
        """Add a note, once."""
        text = told(text)
        if text in self._known_notes:
            return
        if len(self.notes) >= MAX_NOTES:
            self.notes_dropped += 1
            self.notes[MAX_NOTES - 1 :] = [f"and {self.notes_dropped + 1} more notes"]
            return
        self._known_notes.add(text)
        self.notes.append(text)

    def warn(self, text: str) -> None:
        """Add a note, and log it as a warning."""
        text = told(text)
        if text not in self._known_notes:
            if len(self.notes) < MAX_NOTES:
                log.warning("%s: %s", self.source, text)
            self.note(text)

    def as_dict(self) -> dict[str, Any]:
        """Return the whole report as plain Python objects."""
        return {
            "source": self.source,
            "starts": self.starts,
            **self.provenance,
            "format": self.format,
            "compression": self.compression,
            "status": self.exit_status,
            "error": self.error,
            "input_bytes": self.n_bytes,
            "bytes": dict(self.bytes),
            "packets": dict(self.packets),
            "unknown_records": dict(self.unknown_records),
            "irregular": dict(self.irregular),
            "n_damage": self.n_damage,
            "damage": [vars(d) for d in self.damage],
            "container_error": self.container_error,
            "garbage_bytes_kept": self.garbage_bytes_kept,
            "garbage_bytes_dropped": self.garbage_bytes_dropped,
            "garbage_file": self.garbage_file,
            "skipped_channels": self.skipped_channels,
            "tables": {
                file: {name: vars(t) for name, t in tables.items()}
                for file, tables in self.tables.items()
            },
            "notes": self.notes,
            "outputs": self.outputs,
            "seconds": self.seconds,
            "peak_memory": self.peak_memory,
        }

    def as_attribute(self, file: str) -> str:
        """Return the short form that is stored in an output file, as JSON.

        It has no run times and no paths, so that equal inputs give equal files. Parts
        that are too long for an attribute are compressed (:func:`unpacked` reverses
        that), or left out, and named in ``left_out``.
        """
        full = self.as_dict()
        bulky = {"arguments", "specification"}
        short = {
            **{k: v for k, v in self.provenance.items() if k not in bulky},
            "format": self.format,
            "compression": self.compression,
            "status": self.exit_status,
            "input_bytes": self.n_bytes,
            **({"starts": [*self.starts.values()]} if self.starts else {}),
            "bytes": full["bytes"],
            "packets": full["packets"],
            "n_damage": self.n_damage,
            "garbage_bytes_dropped": self.garbage_bytes_dropped,
        }
        if self.folder is not None:
            short["output"] = os.path.relpath(file, self.folder)
        if self.garbage_file is not None:
            short["has_garbage_file"] = True
        optional = {
            **{k: v for k, v in self.provenance.items() if k in bulky},
            "container_error": self.container_error,
            "irregular": full["irregular"],
            "notes": full["notes"],
            "unknown_records": full["unknown_records"],
            "damage": full["damage"],
            "skipped_channels": full["skipped_channels"],
            "tables": full["tables"].get(file, {}),
        }
        if self.folder is not None:
            optional["outputs"] = [
                os.path.relpath(o, self.folder) for o in self.outputs
            ]
        for name in ("container_error", "notes", "damage"):
            optional[name] = self._without_paths(optional[name])
        packed: dict[str, str] = {}
        left_out = []
        for name, value in optional.items():
            # (200 bytes for the list of parts that are left out)
            room = MAX_ATTRIBUTE_BYTES - 200 - len(json.dumps(packed))
            if len(json.dumps(short | {name: value})) <= room:
                short[name] = value
                continue
            text = _packed(value)
            if len(json.dumps(short)) + len(name) + len(text) + 10 <= room:
                packed[name] = text
            else:
                left_out.append(name)
        if packed:
            short[PACKED] = packed
        if left_out:
            short["left_out"] = left_out
        return json.dumps(short)

    def _without_paths(self, value: Any) -> Any:
        """Return texts without the input's path."""
        if isinstance(value, dict):
            return {k: self._without_paths(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self._without_paths(v) for v in value]
        if isinstance(value, str) and self.source:
            name = self.source.removeprefix("file://")
            for path in (self.source, name, os.path.abspath(name)):
                value = value.replace(f"{path}: ", "")
            for path in (self.source, name, os.path.abspath(name), *self.starts):
                if os.sep in path:
                    value = value.replace(path, os.path.basename(path))
        return value

    def place(self, offset: int) -> str:
        """Say where an offset in the stream is, in words."""
        if len(self.starts) < 2:
            return f"byte {offset}"
        *_, name = (name for name, start in self.starts.items() if start <= offset)
        return f"{name}: byte {offset - self.starts[name]}"

    def lines(self) -> list[str]:
        """Return the short form for people, line by line."""
        unit = UNITS.get(self.format, "records")
        others = max(0, len(self.starts) - 1)
        more = f" and {others} more file{'s' * (others > 1)}" if others else ""
        out = [
            (
                f"{self.source}{more}: {self.format}, {sizeof_fmt(self.n_bytes)}, "
                f"{self.packets['decoded']} {unit}, {self.n_rows} rows"
            )
        ]
        for file, tables in self.tables.items():
            rows = ", ".join(f"{name} {t.rows}" for name, t in list(tables.items())[:8])
            more = f" and {len(tables) - 8} more tables" if len(tables) > 8 else ""
            out.append(f"  {file}: {rows}{more}")
        if self.bytes["skipped"]:
            out.append(
                "  not selected by the specification: "
                f"{self.packets['skipped']} {unit}, {self.bytes['skipped']} bytes"
            )
        if self.skipped_channels:
            n = sum(len(keys) for keys in self.skipped_channels.values())
            out.append(f"  channels not selected: {n}")
        unknown = self.unknown_records.most_common()
        for name, count in unknown[:5]:
            out.append(f"  no decoder: {count} x {name}")
        if len(unknown) > 5:
            out.append(f"    and {len(unknown) - 5} more kinds")
        for name, count in self.irregular.items():
            out.append(f"  irregular: {count} x {name}")
        if self.n_damage:
            bad = self.bytes["corrupt"] + self.bytes["cut_off"]
            # without decompression the number of bytes is unknown
            lost = f"{bad} bytes" if bad else f"{self.packets['corrupt']} {unit}"
            out.append(f"  damaged: {self.n_damage} ranges, {lost} lost")
            out += [
                f"    {self.place(d.offset)}, {d.length} bytes: {d.reason}"
                for d in self.damage[:5]
            ]
            if self.n_damage > 5:
                out.append(f"    and {self.n_damage - 5} more")
        if self.container_error:
            out.append(f"  damaged: {self.container_error}")
        if self.garbage_file is not None:
            out.append(f"  the damaged bytes are kept in {self.garbage_file}")
        if self.garbage_bytes_dropped:
            out.append(
                f"    except for {self.garbage_bytes_dropped} bytes beyond its limit"
            )
        out += [f"  note: {text}" for text in self.notes[:MAX_NOTES_SHOWN]]
        if len(self.notes) > MAX_NOTES_SHOWN:
            n = len(self.notes) + self.notes_dropped - MAX_NOTES_SHOWN
            out.append(f"  and {n} more notes")
        return out


def _packed(value: Any) -> str:
    """Return the compressed JSON of a value, as text."""
    data = zlib.compress(json.dumps(value).encode())
    return base64.b64encode(data).decode()


def unpacked(report: dict[str, Any]) -> dict[str, Any]:
    """Return a stored report with its compressed parts unpacked.

    Raises
    ------
    ValueError
        if they cannot be read.
    """
    report = dict(report)
    for name, text in report.pop(PACKED, {}).items():
        try:
            report[name] = json.loads(zlib.decompress(base64.b64decode(text)))
        except zlib.error as e:
            msg = f"{name} of the stored report is damaged: {e}"
            raise ValueError(msg) from e
    return report


def sizeof_fmt(num: float, suffix: str = "B") -> str:
    """Write a number of bytes for people, in powers of 1024."""
    for unit in ("", "K", "M", "G", "T", "P", "E", "Z"):
        if abs(num) < 1024:
            return f"{num:.3f} {unit}{suffix}"
        num /= 1024
    return f"{num:.1f} Y{suffix}"

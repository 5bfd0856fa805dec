"""Input files for the benchmarks: the records of a sample, repeated to a size.

Framing follows section 1 of the FCIO specification. Nothing here is imported from
the package, so that the numbers of rows that a file must give are counted on their
own.
"""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

CHECKOUT = Path(__file__).resolve().parents[1]
WRITER = CHECKOUT / "tests" / "writers" / "fcio.py"

HANDSHAKE = 1_000_000_001
CONFIG, EVENT, SPARSE_EVENT, EVENT_HEADER = 1, 3, 6, 7
FSP_CONFIG, FSP_EVENT = 8, 9
MAX_TAG = 1_000_000_000

_I32 = struct.Struct("<i")
_U32X2 = struct.Struct("<II")


class SampleMissingError(Exception):
    """The data that an input is made of are not here."""


class Record(NamedTuple):
    """A record of a stream: its tag and where its bytes and frames are."""

    tag: int
    start: int
    stop: int
    frames: tuple[tuple[int, int], ...]
    """Offset and length of each payload."""


@dataclass(frozen=True)
class Sample:
    """What a file is made of: a head, and a body that is repeated."""

    head: bytes
    body: bytes
    rows: dict[str, int]
    """Rows that each table gets from one body."""
    events: int
    """Events in one body."""
    unit: bytes
    """The bytes of the first event, for a file that is as small as can be."""


@dataclass(frozen=True)
class InputKind:
    """An input that can be made."""

    name: str
    description: str
    make: Callable[[Path], Sample]
    """Takes the folder of the real files."""


@dataclass(frozen=True)
class InputFile:
    """A file that was made, and what must come out of it."""

    path: Path
    size: int
    repeats: int
    events: int
    rows: dict[str, int]


def default_data() -> Path:
    """Return the folder where the real files are expected."""
    named = os.environ.get("DAQ2LH5_TESTDATA")
    return Path(named) if named else CHECKOUT.parent / "shared" / "testdata"


def split_records(data: bytes) -> Iterator[Record]:
    """Walk the frames of a stream and yield its complete records.

    Parameters
    ----------
    data
        a stream that begins with a handshake or a tag.

    Yields
    ------
    record
        a handshake counts as a record with the tag `HANDSHAKE`. Bytes at the end
        that are no complete frame (stray bytes, padding) belong to no record.
    """
    pos, size = 0, len(data)
    while size - pos >= _I32.size:
        start = pos
        header = _I32.unpack_from(data, start)[0]
        pos += _I32.size
        if header == -HANDSHAKE:
            if size - pos < 64:
                return
            pos += 64
            yield Record(HANDSHAKE, start, pos, ())
            continue
        if not -MAX_TAG <= header < 0:
            msg = f"no record begins at byte {start}"
            raise ValueError(msg)
        frames = []
        while size - pos >= _I32.size:
            length = _I32.unpack_from(data, pos)[0]
            if length < 0:
                break
            if length > size - pos - _I32.size:
                return
            frames.append((pos + _I32.size, length))
            pos += _I32.size + length
        yield Record(-header, start, pos, tuple(frames))


def orca_fcio_payloads(data: bytes) -> Iterator[bytes]:
    """Yield the FCIO bytes inside the packets of an ORCA file.

    Parameters
    ----------
    data
        the ORCA file.

    Yields
    ------
    payload
        bytes from offset 12 of each extended packet that holds FCIO, with the zero
        bytes that fill its last word.
    """
    pos = 0
    while len(data) - pos >= _U32X2.size:
        first, second = _U32X2.unpack_from(data, pos)
        extended = False
        if first >> 31:
            words = 1
        elif first & 0x3FFFF:
            words = first & 0x3FFFF
        else:
            words, extended = second, True
        stop = pos + 4 * words
        if words == 0 or stop > len(data):
            return
        if extended and words > 4:
            (tag,) = _I32.unpack_from(data, pos + 12)
            if tag == -HANDSHAKE or -FSP_EVENT - 1 <= tag < 0:
                yield data[pos + 12 : stop]
        pos = stop


def rows_of(data: bytes, records: list[Record], traces: int) -> Counter[str]:
    """Return the rows that records give in each table.

    Parameters
    ----------
    data
        the stream that holds the records.
    records
        the records to count.
    traces
        number of traces of a full event.
    """
    rows: Counter[str] = Counter()
    for record in records:
        if record.tag == EVENT:
            rows["FCEvent"] += traces
        elif record.tag == SPARSE_EVENT:
            listed = _I32.unpack_from(data, record.frames[5][0])[0]
            rows["FCEvent"] += min(listed, record.frames[6][1] // 2)
        elif record.tag == EVENT_HEADER:
            rows["FCEventHeader"] += 1
        elif record.tag == FSP_EVENT:
            rows["FSPEvent"] += 1
    return rows


def sample_of_stream(data: bytes, keep: tuple[int, ...]) -> Sample:
    """Make a sample of a stream.

    Parameters
    ----------
    data
        a native FCIO stream.
    keep
        the tags that go to the body, in the order of the stream; all others but the
        handshake and the configuration are left out.
    """
    records = list(split_records(data))
    head = [r for r in records if r.tag in (HANDSHAKE, CONFIG, FSP_CONFIG)]
    body = [r for r in records if r.tag in keep]
    config = next(r for r in head if r.tag == CONFIG)
    traces = sum(_I32.unpack_from(data, config.frames[i][0])[0] for i in (0, 1))
    ends = [i for i, r in enumerate(body) if r.tag != FSP_EVENT]
    return Sample(
        head=b"".join(data[r.start : r.stop] for r in head),
        body=b"".join(data[r.start : r.stop] for r in body),
        rows=dict(rows_of(data, body, traces)),
        events=len(ends),
        unit=b"".join(data[r.start : r.stop] for r in body[: ends[0] + 1]),
    )


def read_real(folder: Path, name: str) -> bytes:
    """Return the bytes of a real file.

    Parameters
    ----------
    folder
        where the real files are.
    name
        path below that folder.
    """
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        msg = f"cannot read {name} in the folder of real files ({error.strerror})"
        raise SampleMissingError(msg) from error


def load_writer() -> ModuleType:
    """Import the synthetic writer of the tests by its path."""
    if not WRITER.is_file():
        msg = f"the synthetic writer {WRITER.relative_to(CHECKOUT)} is not here"
        raise SampleMissingError(msg)
    name = "daq2lh5_benchmark_fcio_writer"
    spec = importlib.util.spec_from_file_location(name, WRITER)
    if spec is None or spec.loader is None:
        msg = "the synthetic writer cannot be imported"
        raise SampleMissingError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        msg = f"the synthetic writer cannot be imported ({error})"
        raise SampleMissingError(msg) from error
    return module


def one_channel(_folder: Path) -> Sample:
    """Make 200 full events of 1 channel with 1836 samples."""
    stream = load_writer().make_stream(
        n_events=200, n_channels=1, n_samples=1836, adcbits=16, kind="event"
    )
    return sample_of_stream(bytes(stream), keep=(EVENT,))


def six_channels(folder: Path) -> Sample:
    """Take the sparse events of the real file with 6 channels."""
    data = read_real(folder, "fcio/L200-comm-20211130-phy-spms.fcio")
    return sample_of_stream(data, keep=(SPARSE_EVENT,))


def many_channels(folder: Path) -> Sample:
    """Take the full events of the real file with 123 channels."""
    data = read_real(folder, "fcio/l200-p06-r007-cal-20230725T202227Z.fcio")
    return sample_of_stream(data, keep=(EVENT,))


def event_headers(folder: Path) -> Sample:
    """Join the event headers of the real ORCA file into an FCIO stream."""
    data = read_real(folder, "orca/l200-p13-r007-aph-20250101T003931Z.orca")
    parts = []
    for payload in orca_fcio_payloads(data):
        records = list(split_records(payload))
        if {r.tag for r in records} & {CONFIG, EVENT_HEADER}:
            parts.append(payload[: records[-1].stop])
    return sample_of_stream(b"".join(parts), keep=(FSP_EVENT, EVENT_HEADER))


INPUTS = (
    InputKind("1ch", "1 channel x 1836 samples, full events, synthetic", one_channel),
    InputKind("6ch", "6 channels x 6000 samples, sparse events, real", six_channels),
    InputKind("123ch", "123 channels x 8192 samples, full events, real", many_channels),
    InputKind("headers", "event headers of 61 traces, real, from ORCA", event_headers),
)


def write_repeated(path: Path, sample: Sample, size: int) -> InputFile:
    """Write the head of a sample once and its body as often as fits best.

    Parameters
    ----------
    path
        the file to make.
    sample
        what to write.
    size
        bytes to come near to; there is at least one body.
    """
    repeats = max(1, round((size - len(sample.head)) / len(sample.body)))
    at_once = max(1, (8 << 20) // len(sample.body))
    block = sample.body * min(at_once, repeats)
    with path.open("wb") as file:
        file.write(sample.head)
        for _ in range(repeats // at_once):
            file.write(block)
        file.write(sample.body * (repeats % at_once))
    return InputFile(
        path=path,
        size=path.stat().st_size,
        repeats=repeats,
        events=repeats * sample.events,
        rows={table: repeats * n for table, n in sample.rows.items()},
    )

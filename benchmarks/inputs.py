"""Input files for the benchmarks: the records of a sample, repeated to a size.

Framing follows the FCIO format, 1. Nothing here is imported from
the package, so that the numbers of rows that a file must give are counted on their
own.
"""

from __future__ import annotations

import importlib
import os
import plistlib
import struct
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import ModuleType

    import numpy as np

CHECKOUT = Path(__file__).resolve().parents[1]
WRITERS = CHECKOUT / "tests" / "kit" / "writers"

HANDSHAKE = 1_000_000_001
CONFIG, EVENT, STATUS, SPARSE_EVENT, EVENT_HEADER = 1, 3, 4, 6, 7
FSP_CONFIG, FSP_EVENT = 8, 9
MAX_TAG = 1_000_000_000

NOISE_BITS = 3
"""Lowest bits of a sample, which change from one repetition to the next."""

_I32 = struct.Struct("<i")
_U32 = struct.Struct("<I")
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
    traces: tuple[tuple[int, int], ...]
    """Offset in the body, and length, of each stretch of 16-bit words of traces."""
    finish: Callable[[Path, int], None] | None = None
    """Called with a file when it has all bodies, and with their number."""


@dataclass(frozen=True)
class InputKind:
    """An input that can be made."""

    name: str
    description: str
    make: Callable[[Path], Sample]
    """Takes the path of the source."""
    source: str = ""
    """Path below the folder of real files; without one, the synthetic writer."""
    cases: tuple[str, ...] = ("decode", "memory", "memcpy", "convert")
    """What is measured with it."""
    repeats: int | None = None
    """Repetitions of the body; by default as many as the size asked for takes."""
    peer_options: dict[str, int] = field(default_factory=dict)
    """Without these the peer takes too much memory with a table per channel."""
    extension: str = "fcio"
    """Of the file: the peer goes by it."""
    stream_type: str | None = None
    """Name of the format where the peer does not recognize it."""
    peer: bool = True
    """Whether the peer reads the format."""

    def path(self, folder: Path) -> Path:
        """Return the path of the source.

        Parameters
        ----------
        folder
            where the real files are.
        """
        path = folder / self.source if self.source else WRITERS
        if not path.exists():
            msg = f"no {self.source or 'synthetic writers in the tests'} here"
            raise SampleMissingError(msg)
        return path


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
        elif record.tag == STATUS:
            rows["FCStatus"] += _I32.unpack_from(data, record.frames[2][0])[0]
        elif record.tag == FSP_EVENT:
            rows["FSPEvent"] += 1
    return rows


def traces_of(record: Record) -> tuple[tuple[int, int], ...]:
    """Return where the traces of a record are."""
    if record.tag == EVENT:
        return record.frames[4:5]
    return record.frames[7:] if record.tag == SPARSE_EVENT else ()


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
    ends = [i for i, r in enumerate(body) if r.tag not in (FSP_EVENT, STATUS)]
    spans, length = [], 0
    for r in body:
        spans += [(length + at - r.start, size) for at, size in traces_of(r)]
        length += r.stop - r.start
    return Sample(
        head=b"".join(data[r.start : r.stop] for r in head),
        body=b"".join(data[r.start : r.stop] for r in body),
        rows=dict(rows_of(data, body, traces)),
        events=len(ends),
        unit=b"".join(data[r.start : r.stop] for r in body[: ends[0] + 1]),
        traces=tuple(spans),
    )


def load_writer(writers: Path, name: str) -> ModuleType:
    """Import a synthetic writer of the tests."""
    tests = str(writers.parents[1])
    if tests not in sys.path:
        sys.path.insert(0, tests)
    try:
        return importlib.import_module(f"kit.writers.{name}")
    except ImportError as error:
        msg = f"the synthetic writer cannot be imported ({error})"
        raise SampleMissingError(msg) from error


def synthetic(events: int, channels: int, samples: int) -> Callable[[Path], Sample]:
    """Return a maker of full events like those of germanium detectors.

    Parameters
    ----------
    events
        number of different events.
    channels, samples
        number of channels, and of samples of each.
    """

    def make(writers: Path) -> Sample:
        stream = load_writer(writers, "fcio").make_stream(
            n_events=events, n_channels=channels, n_samples=samples, kind="event"
        )
        return sample_of_stream(stream, keep=(EVENT,))

    return make


def real(*keep: int) -> Callable[[Path], Sample]:
    """Return a maker that takes the records with the given tags from a real file."""
    return lambda path: sample_of_stream(path.read_bytes(), keep)


def event_headers(path: Path) -> Sample:
    """Join the event headers of the real ORCA file into an FCIO stream."""
    parts = []
    for payload in orca_fcio_payloads(path.read_bytes()):
        records = list(split_records(payload))
        if {r.tag for r in records} & {CONFIG, EVENT_HEADER}:
            parts.append(payload[: records[-1].stop])
    return sample_of_stream(b"".join(parts), keep=(FSP_EVENT, EVENT_HEADER))


def orca_packets(
    decoder: str, rows: dict[str, int], around: tuple[int, int] | None = None
) -> Callable[[Path], Sample]:
    """Return a maker that takes the packets of one decoder from a real ORCA file.

    Parameters
    ----------
    decoder
        name of the decoder.
    rows
        rows of each table that a packet gives.
    around
        bytes of a packet before and behind its samples; None if it has none.
    """

    def make(path: Path) -> Sample:
        data = path.read_bytes()
        n_words, n_text = _U32.unpack_from(data)[0], _U32.unpack_from(data, 4)[0]
        header = plistlib.loads(data[8 : 8 + n_text])
        names = {
            record["dataId"]: record.get("decoder", "")
            for group in header["dataDescription"].values()
            for record in group.values()
            if "dataId" in record
        }
        at = 4 * n_words
        head, body = [data[:at]], []
        while at < len(data):
            word, length = struct.unpack_from("<2I", data, at)
            length = word & 0x3FFFF or length
            packet = data[at : at + 4 * length]
            name = names.get(word & 0xFFFC0000, "")
            if name == decoder:
                body.append(packet)
            elif not body and "Event" not in name:
                head.append(packet)
            at += 4 * length
        spans, at = [], 0
        for packet in body:
            if around is not None:
                spans.append((at + around[0], len(packet) - sum(around)))
            at += len(packet)
        return Sample(
            head=b"".join(head),
            body=b"".join(body),
            rows={table: n * len(body) for table, n in rows.items()},
            events=len(body),
            unit=body[0],
            traces=tuple(spans),
        )

    return make


def compass_records(path: Path) -> Sample:
    """Take the records of the real CoMPASS file: all are of one length."""
    data = path.read_bytes()
    head, fixed = 2, 25
    (samples,) = struct.unpack_from("<I", data, head + fixed - 4)
    length = fixed + 2 * samples
    n = (len(data) - head) // length
    return Sample(
        head=data[:head],
        body=data[head : head + n * length],
        rows={"CompassEvent": n},
        events=n,
        unit=data[head : head + length],
        traces=tuple((i * length + fixed, 2 * samples) for i in range(n)),
    )


def llama_events(path: Path) -> Sample:
    """Take header and events of the real llamaDAQ file apart."""
    return sample_of_llama(path.read_bytes())


def short_llama_events(writers: Path) -> Sample:
    """Make llamaDAQ events of 200 samples in one channel."""
    llama = load_writer(writers, "llama")
    channel = llama.Channel(sample_length=200, avg_sample_length=0)
    return sample_of_llama(llama.make_file([channel], n_events=2000)[0])


def mgdo_entries(path: Path) -> Sample:
    """Take the baskets of the real MGDO file, for a larger tree."""
    import mgdo_tree

    head, body = mgdo_tree.head_and_body(path)
    return Sample(
        head=head,
        body=body,
        rows={"GETGERDADigitizerData": mgdo_tree.ROWS},
        events=mgdo_tree.ENTRIES,
        # the head is a file of its own
        unit=b"",
        traces=(),
        finish=mgdo_tree.add_tree,
    )


def sample_of_llama(data: bytes) -> Sample:
    """Make a sample of a llamaDAQ file."""
    (number,) = struct.unpack_from("<I", data, 12)
    start = at = 16 + 88 * number
    words = {}
    for i in range(number):
        fadc, channel = struct.unpack_from("<2I", data, 16 + 88 * i)
        # lengths of an event, and of what stands before its samples
        words[16 * fadc + channel] = struct.unpack_from("<2I", data, 80 + 88 * i)
    rows: Counter[str] = Counter()
    spans = []
    while at < len(data):
        key = _I32.unpack_from(data, at)[0] >> 4 & 0xFFF
        length, before = words[key]
        spans.append((at - start + 4 * before, 4 * (length - before)))
        rows[f"LLAMAEvent_{key}" if number > 1 else "LLAMAEvent"] += 1
        at += 4 * length
    return Sample(
        head=data[:start],
        body=data[start:],
        rows=dict(rows),
        events=rows.total(),
        unit=data[start : start + sum(spans[0])],
        traces=tuple(spans),
    )


SIX_CHANNELS = "fcio/L200-comm-20211130-phy-spms.fcio"
MANY_CHANNELS = "fcio/l200-p06-r007-cal-20230725T202227Z.fcio"
COMPASS = "compass/compass_test_data.BIN"
TRACES = "orca/L200-comm-20220519-phy-geds.orca"
HEADERS = "orca/l200-p13-r007-aph-20250101T003931Z.orca"

WAVEFORMS = (
    SIX_CHANNELS,
    MANY_CHANNELS,
    TRACES,
)
"""Real files with waveforms of 16 bits."""
LLAMA = "llama/20241218-150158-pulser.bin"
MGDO = "mgdo/gerda-run0050-20150826T170402Z-cal-ged-tier1.root"

READING = ("decode", "memory", "memcpy")
WRITING = ("convert", "threads1", "uncompressed", "zstd")
PROCESSING = ("presum", "production")

INPUTS = (
    InputKind(
        "1ch",
        "1 channel x 1836 samples, full events, synthetic",
        synthetic(2000, 1, 1836),
        cases=(*READING, *WRITING),
    ),
    InputKind(
        "6ch",
        "6 channels x 6000 samples, sparse events, real",
        real(SPARSE_EVENT),
        SIX_CHANNELS,
        cases=(*READING, *WRITING, "channels", *PROCESSING, "growth"),
    ),
    InputKind(
        "123ch",
        "123 channels x 8192 samples, full events, real",
        real(EVENT),
        MANY_CHANNELS,
        cases=(*READING, *WRITING, "channels", *PROCESSING),
        peer_options={"buffer_size": 2048},
    ),
    *(
        InputKind(
            f"{channels}ch",
            f"{channels} channels x 1000 samples, 100 full events, synthetic",
            synthetic(10, channels, 1000),
            cases=("channels",),
            repeats=10,
            peer_options={"buffer_size": rows},
        )
        for channels, rows in ((200, 1000), (2000, 2200))
    ),
    InputKind(
        "headers",
        "event headers of 61 traces, real, from ORCA",
        event_headers,
        HEADERS,
    ),
    InputKind(
        "orca",
        "ORCA, FlashCam of the first generation, 6 channels x 6402 samples, real",
        orca_packets(
            "ORFlashCamADCWaveformDecoder", {"ORFlashCamADCWaveform": 1}, (80, 0)
        ),
        TRACES,
        extension="orca",
    ),
    InputKind(
        "orca-headers",
        "ORCA, event headers of 61 traces, real",
        orca_packets(
            "ORFCIOEventHeaderDecoder",
            {
                "ORFCIOEventHeader_fcid_1/evt_hdr": 1,
                "ORFCIOEventHeader_swtid_1/evt_hdr": 1,
            },
        ),
        HEADERS,
        extension="orca",
    ),
    InputKind(
        "orca-fcio",
        "ORCA, FCIO events of 61 traces x 1024 samples, real",
        orca_packets(
            "ORFCIOEventDecoder",
            {"ORFCIOEvent_0": 61, "ORFCIOEvent_swtid_1/event": 1},
            (240, 24),
        ),
        HEADERS,
        extension="orca",
    ),
    InputKind(
        "compass",
        "CoMPASS, 2 channels x 1000 samples, real",
        compass_records,
        COMPASS,
        extension="BIN",
    ),
    InputKind(
        "llama",
        "llamaDAQ, 2 channels x 12000 and 2500 samples, real",
        llama_events,
        LLAMA,
        cases=READING,
        stream_type="LlamaDaq",
    ),
    InputKind(
        "llama-short",
        "llamaDAQ, 1 channel x 200 samples, synthetic",
        short_llama_events,
        cases=READING,
        stream_type="LlamaDaq",
    ),
    InputKind(
        "mgdo",
        "MGDO, ROOT file, 4096 and 1000 samples, real",
        mgdo_entries,
        MGDO,
        cases=READING[:2],
        extension="root",
        peer=False,
    ),
    InputKind(
        "small",
        "all records of the real file with 6 channels, once",
        real(SPARSE_EVENT, STATUS),
        SIX_CHANNELS,
        cases=("convert",),
        repeats=1,
    ),
)


def noise_mask(sample: Sample) -> np.ndarray:
    """Return the bits of the body that may change from repetition to repetition."""
    import numpy as np

    mask = np.zeros(len(sample.body), dtype=np.uint8)
    for start, length in sample.traces:
        mask[start : start + length : 2] = NOISE_BITS
    return mask


def write_repeated(
    path: Path, sample: Sample, size: int, repeats: int | None = None
) -> InputFile:
    """Write the head of a sample once and its body as often as fits best.

    Each repetition has other noise in the lowest bits of its samples, since a
    compressor that sees the same waveform again is faster and better than it is with
    real data.

    Parameters
    ----------
    path
        the file to make.
    sample
        what to write.
    size
        bytes to come near to; there is at least one body.
    repeats
        number of bodies, whatever the size.
    """
    import numpy as np

    if repeats is None:
        repeats = max(1, round((size - len(sample.head)) / len(sample.body)))
    mask = noise_mask(sample)
    body = np.frombuffer(sample.body, dtype=np.uint8)
    rng = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(sample.head)
        file.write(sample.body)
        for _ in range(repeats - 1):
            noise = np.frombuffer(rng.bytes(len(body)), dtype=np.uint8)
            file.write(body ^ (noise & mask))
    if sample.finish is not None:
        sample.finish(path, repeats)
    with path.open("rb") as file:
        # or it would be written while the first runs are timed
        os.fsync(file.fileno())
    return InputFile(
        path=path,
        size=path.stat().st_size,
        repeats=repeats,
        events=repeats * sample.events,
        rows={table: repeats * n for table, n in sample.rows.items()},
    )


def make(
    name: str, folder: Path, work: Path, sizes: Collection[int]
) -> tuple[dict[int, InputFile], Path]:
    """Make the files of an input.

    Parameters
    ----------
    name
        of the input.
    folder
        where the real files are.
    work
        where the files are to be.
    sizes
        bytes that each file is to come near to.

    Returns
    -------
    files
        by size.
    prime
        a file of one event.
    """
    kind = next(kind for kind in INPUTS if kind.name == name)
    sample = kind.make(kind.path(folder))
    files = {}
    for size in sizes:
        path = work / f"{name}-{size}.{kind.extension}"
        files[size] = write_repeated(path, sample, size, kind.repeats)
    prime = work / f"{name}-tiny.{kind.extension}"
    prime.write_bytes(sample.head + sample.unit)
    return files, prime

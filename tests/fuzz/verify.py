"""Changes single bits of outputs and of DAQ files, which ``verify`` must find.

python tests/fuzz/verify.py --count 1000
python tests/fuzz/verify.py --seed 1 --only 17

Each case takes a small or a real file of one format, converts it with one of the
`SETTINGS`, and changes one bit: of the data in the output, or of the DAQ file. Whether
that changes a value is decided without ``verify``: the output is read by h5py, the DAQ
file is converted again. Each pair is verified without a change, too.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import h5py
from fuzz import real, samples
from kit.lh5_trees import tree, values_of

from daq2lh5 import build_raw
from daq2lh5.publishing.output_files import REPORT_ATTRIBUTE
from daq2lh5.verification.verification import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

PRESUM = {
    "outputs": ["presum_rate", "waveform_presummed"],
    "processors": {
        "presum_rate, waveform_presummed": {
            "module": "dspeed.processors",
            "function": "presum",
            "args": [
                "waveform",
                0,
                "presum_rate",
                (
                    "waveform_presummed(shape=len(waveform)//4, "
                    "period=waveform.period*4, offset=waveform.offset)"
                ),
            ],
            "unit": "ADC",
        }
    },
}
PROCESSING = {
    "window": ["waveform", 2, -3, "waveform_windowed"],
    "dsp_config": PRESUM,
    "dtype_conv": {"waveform_presummed/values": "uint32", "presum_rate": "uint16"},
    "drop": ["waveform"],
    "compression": {
        "waveform_windowed/values": "RadwareSigcompress(codec_shift=-32768)",
        "waveform_presummed/values": "ULEB128ZigZagDiff()",
    },
}
EVENTS = {
    "fcio": ("FCEventDecoder",),
    "orca": ("ORFCIOEventDecoder", "ORFlashCamADCWaveformDecoder"),
    "compass": ("CompassEventDecoder",),
    "llama": ("LLAMAEventDecoder",),
    "mgdo": ("GETGERDADigitizerDataDecoder",),
}
"""Decoders of waveforms, by format."""

OTHERS = {"{name}": {"key_list": ["*"], "out_stream": "out.lh5:others"}}

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "channels": {"by_key": {}},
    "production": {
        "by_key": PROCESSING,
        "hdf5_settings": {"compression": "zstd", "shuffle": True, "fletcher32": True},
    },
    "checksums": {"hdf5_settings": {"fletcher32": True}, "extra_columns": True},
    "packed": {
        "column_settings": {"waveform/values": {"codec": "uleb128_zigzag_diff"}},
        "hdf5_settings": {"compression": "lzf"},
    },
    "plain": {"hdf5_settings": {"compression": None, "shuffle": False}, "n_max": 17},
}
"""Arguments of `build_raw`; ``by_key`` is the processing of a table for each key."""

SIDES = ("output", "DAQ file")


@dataclass
class Pair:
    """A DAQ file and the output made from it."""

    name: str
    daq: Path
    output: Path
    arguments: dict[str, Any]
    values: dict[str, Any] = field(default_factory=dict)
    places: list[tuple[int, int]] = field(default_factory=list)
    """Offset and length of the data in the output."""

    def convert(self, daq: Path, output: Path) -> dict[str, Any] | None:
        """Convert a DAQ file; return the values, None if that fails."""
        arguments = dict(self.arguments)
        spec = arguments.pop("out_spec", str(output))
        if isinstance(spec, dict):
            spec = with_file(spec, output)
        try:
            build_raw(daq, out_spec=spec, overwrite=True, threads=1, **arguments)
        except (RuntimeError, ValueError, KeyError, NotImplementedError):
            return None
        return read(output)


def with_file(spec: dict, output: Path) -> dict:
    return {
        decoder: {
            name: rb | {"out_stream": rb["out_stream"].replace("out.lh5", str(output))}
            for name, rb in buffers.items()
        }
        for decoder, buffers in spec.items()
    }


def read(output: Path) -> dict[str, Any]:
    """Read all objects by h5py, without the report of the conversion."""
    found = tree(output, skip=(REPORT_ATTRIBUTE,))
    return {path: values_of(each) for path, each in found.items()}


def arguments_of(format_: str, sample: samples.Sample, settings: str) -> dict[str, Any]:
    given = dict(SETTINGS[settings])
    if "by_key" in given:
        table = {"key_list": ["[0-9]*"], "out_stream": "out.lh5"}
        if given["by_key"]:
            table["proc_spec"] = given["by_key"]
        del given["by_key"]
        rest = {"{name}_rest": OTHERS["{name}"]}
        buffers = {"ch{key}/raw": table} | rest
        given["out_spec"] = dict.fromkeys(EVENTS[format_], buffers) | {"*": OTHERS}
    return sample.options | given


def names_of(format_: str) -> list[tuple[str, bool]]:
    """Return the samples of a format, and whether each is a real file."""
    made = [] if format_ == "mgdo" else [(n, False) for n in samples.MAKERS[format_]]
    return made + [(n, True) for n in real.names() if real.FILES[n] == format_]


class Pairs:
    """Pairs of DAQ files and outputs in a folder, each made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.get = cache(self._make)

    def _make(self, format_: str, name: str, is_real: bool, settings: str) -> Pair:
        sample = real.sample(name) if is_real else samples.sample(format_, name)
        folder = self.folder / f"{format_} {name} {settings}"
        folder.mkdir()
        pair = Pair(
            folder.name,
            folder / f"run{sample.suffix}",
            folder / "out.lh5",
            arguments_of(format_, sample, settings),
        )
        pair.daq.write_bytes(sample.data)
        pair.values = pair.convert(pair.daq, pair.output)
        if pair.values is not None:
            pair.places = places_of(pair.output)
        elif settings == "default":
            msg = f"{pair.name} cannot be converted"
            raise ValueError(msg)
        else:
            # no waveforms to process
            return self.get(format_, name, is_real, "default")
        return pair


def places_of(file: Path) -> list[tuple[int, int]]:
    """Return offset and length of the data of all datasets in a file."""
    found = []

    def look(_: str, obj: h5py.HLObject) -> None:
        if not isinstance(obj, h5py.Dataset):
            return
        if obj.chunks is None:
            if obj.id.get_offset() is not None:
                found.append((obj.id.get_offset(), obj.id.get_storage_size()))
            return
        for i in range(obj.id.get_num_chunks()):
            chunk = obj.id.get_chunk_info(i)
            found.append((chunk.byte_offset, chunk.size))

    with h5py.File(file) as f:
        f.visititems(look)
    return sorted(found)


@dataclass(frozen=True)
class Result:
    """Verdict on one case: ``found``, ``missed``, ``same``, ``false alarm``."""

    name: str
    verdict: str
    text: str = ""


def flipped(source: Path, target: Path, bit: int) -> None:
    """Copy a file, with one bit changed."""
    data = bytearray(source.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    target.write_bytes(data)


def run_case(pairs: Pairs, formats: list[str], seed: int, number: int) -> Result:
    """Change one bit of a pair, and verify it."""
    rng = random.Random(f"{seed} {number}")
    # all combinations come about equally often
    format_ = formats[number % len(formats)]
    settings = list(SETTINGS)[number // len(formats) % len(SETTINGS)]
    side = SIDES[number // (len(formats) * len(SETTINGS)) % 2]
    pair = pairs.get(format_, *rng.choice(names_of(format_)), settings)
    name = f"{pair.name}, {side}"
    if side == "output":
        weights = [length for _, length in pair.places]
        offset, length = rng.choices(pair.places, weights)[0]
        bit = 8 * offset + rng.randrange(8 * length)
        copy = pair.output.with_name("changed.lh5")
        flipped(pair.output, copy, bit)
        files = copy, pair.daq
        try:
            changed = read(copy) != pair.values
        except (OSError, RuntimeError):
            changed = True
    else:
        bit = rng.randrange(8 * pair.daq.stat().st_size)
        copy = pair.daq.with_name(f"changed{pair.daq.suffix}")
        flipped(pair.daq, copy, bit)
        files = pair.output, copy
        changed = pair.convert(copy, pair.output.with_name("again.lh5")) != pair.values
    result = verify(*files, threads=1 + number % 3)
    text = f"bit {bit}: {'; '.join(map(str, result.differences))}"
    if changed:
        verdict = "found" if result.exit_status == 3 else "missed"
    else:
        verdict = "same" if result.good else "same, reported"
    return Result(name, verdict, text)


def good_pairs(pairs: Pairs, formats: list[str]) -> Iterator[Result]:
    """Verify all pairs without a change."""
    for format_ in formats:
        for name, is_real in names_of(format_):
            for settings in SETTINGS:
                pair = pairs.get(format_, name, is_real, settings)
                for files in ((pair.output,), (pair.output, pair.daq)):
                    result = verify(*files)
                    verdict = "good" if result.good else "false alarm"
                    text = [*map(str, result.differences), *result.unverified]
                    yield Result(pair.name, verdict, "; ".join(text))


def main(arguments: list[str] | None = None) -> int:
    """Run cases; return 1 after a missed change or a false alarm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000, help="cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this case alone")
    parser.add_argument("--format", choices=EVENTS, help="by default all")
    parser.add_argument("--no-good", action="store_true", help="no unchanged pairs")
    given = parser.parse_args(arguments)
    formats = [f for f in EVENTS if given.format in (None, f) and names_of(f)]
    numbers = range(given.count) if given.only is None else [given.only]
    start = time.monotonic()
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        pairs = Pairs(Path(folder))
        if given.only is None and not given.no_good:
            for result in good_pairs(pairs, formats):
                total[result.verdict] += 1
                if result.verdict != "good":
                    print(f"{result.name}: {result.verdict}: {result.text}", flush=True)
        for number in numbers:
            result = run_case(pairs, formats, given.seed, number)
            total[result.verdict] += 1
            if result.verdict == "missed" or given.only is not None:
                where = f"--seed {given.seed} --only {number}: {result.name}"
                print(f"{where}: {result.verdict}: {result.text}", flush=True)
    counts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(total.items()))
    print(f"{len(numbers)} changes in {time.monotonic() - start:.0f} s: {counts}")
    return int(bool(total["missed"] or total["false alarm"]))


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    sys.exit(main())

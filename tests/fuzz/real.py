"""Real files as samples, where `DAQ2LH5_TESTDATA` has them."""

from __future__ import annotations

import struct
from functools import cache

from kit.places import TESTDATA

from .samples import (
    Sample,
    fcio_index,
    fcio_sample,
    orca_index,
    orca_sample,
)
from .truth import Record, Rules

FILES = {
    "L200-comm-20211130-phy-spms.fcio": "fcio",
    "l200-p06-r007-cal-20230725T202227Z.fcio": "fcio",
    "L200-comm-20220519-phy-geds.orca": "orca",
    "l200-p13-r007-aph-20250101T003931Z.orca": "orca",
    "compass_test_data.BIN": "compass",
    "20241218-150158-pulser.bin": "llama",
    "2019-6-27-BaselineRun111": "llama",
    "testSCARF137": "llama",
    "gerda-run0050-20150826T170402Z-cal-ged-tier1.root": "mgdo",
}


def names() -> list[str]:
    return [
        name for name, folder in FILES.items() if (TESTDATA / folder / name).exists()
    ]


@cache
def sample(name: str) -> Sample:
    """Read a real file; of formats without a reader here only the bytes are known."""
    folder = FILES[name]
    data = (TESTDATA / folder / name).read_bytes()
    if folder == "fcio":
        # without the stray bytes that some have at their ends
        index = fcio_index(data)
        data = data[: index[-1].offset + index[-1].length]
        return fcio_sample(name, data, index)
    if folder == "orca":
        made = orca_sample(name, data, orca_index(data))
        made.rules.alone = frozenset()
        return made
    if folder == "compass":
        records, at = [], 2
        while at < len(data):
            n = 25 + 2 * struct.unpack_from("<I", data, at + 21)[0]
            records.append(Record(at, n, "event"))
            at += n
        made = Sample(name, "compass", data, records, Rules(slack=1), records[8].end)
        made.options, made.suffix = {"in_stream_type": "Compass"}, ".BIN"
        made.assign(dict(enumerate(records, 1)))
        return made
    suffix = ".root" if folder == "mgdo" else ".bin"
    return Sample(name, folder, data, [], spared=0, suffix=suffix)

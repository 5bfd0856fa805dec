"""Convert like LEGEND's production of the raw tier: parts of a specification, aliases.

    python legend_dataflow.py [INPUT [OUTPUT]]

By default the sample in ``data/`` is converted to ``raw.lh5`` in the current folder.
Each detector system has its part of the specification, and a channel map lists its
channels. Afterwards each channel's table gets further names: ``ch1027200/raw`` is also
``raw/V01`` and ``V01/raw``.
"""

import sys
from pathlib import Path

import h5py
from lh5.compression import RadwareSigcompress, ULEB128ZigZagDiff

from daq2lh5 import build_raw

HERE = Path(__file__).resolve().parent

CHANNEL_MAP = {
    "V01": {"system": "geds", "rawid": 1027200},
    "V02": {"system": "geds", "rawid": 1027201},
    "S01": {"system": "spms", "rawid": 1027202},
    "S02": {"system": "spms", "rawid": 1027203},
    "PULS": {"system": "auxs", "rawid": 1027204},
    "MUON": {"system": "muon", "rawid": 1027205},
}

TABLE = "ch{key:07d}/raw"
"""Each channel's table."""

# {filekey}: the name of the output, from the caller
GENERAL = {
    "FCConfigDecoder": {"fc_config": {"key_list": ["*"], "out_stream": "{filekey}"}},
    "FCStatusDecoder": {"fc_status": {"key_list": ["*"], "out_stream": "{filekey}"}},
}

SUMS = (
    "waveform_presummed(shape=len(waveform)//8, period=waveform.period*8, "
    "offset=waveform.offset)"
)

# a window in full and sums of 8 samples; a database has the length of the baseline
GEDS = {
    "window": ["waveform", 300, 700, "waveform_windowed"],
    "dsp_config": {
        "outputs": ["waveform_presummed", "bl_std"],
        "processors": {
            "n_summed, waveform_presummed": {
                "module": "dspeed.processors",
                "function": "presum",
                "args": [
                    *("waveform", 0, "n_summed"),
                    SUMS,
                ],
                "unit": "ADC",
            },
            "bl_mean, bl_std, bl_slope, bl_intercept": {
                "module": "dspeed.processors",
                "function": "linear_slope_fit",
                "args": [
                    "waveform[0:db.baseline.samples]",
                    *("bl_mean", "bl_std", "bl_slope", "bl_intercept"),
                ],
                "unit": ["ADC", "ADC", "ADC", "ADC"],
            },
        },
    },
    "dtype_conv": {"waveform_presummed/values": "uint32"},
    "drop": ["waveform"],
    "compression": {
        "waveform_windowed/values": RadwareSigcompress(codec_shift=-32768),
        "waveform_presummed/values": ULEB128ZigZagDiff(),
    },
}
DATABASE = {
    TABLE.format(key=channel["rawid"]): {"baseline": {"samples": 250}}
    for channel in CHANNEL_MAP.values()
}

PARTS = {
    "geds": {"proc_spec": GEDS},
    "spms": {
        "proc_spec": {
            "compression": {"waveform/values": RadwareSigcompress(codec_shift=-32768)}
        }
    },
    "auxs": {},
    "muon": {},
}

FILE = {
    "compression": "zstd",
    "shuffle": True,
    # metadata in pages: remote readers fetch only some
    "fs_strategy": "page",
    "fs_page_size": 64 * 1024,
}


def specification() -> dict:
    """Merge the parts, each with the channels of its system."""
    spec = {decoder: dict(buffers) for decoder, buffers in GENERAL.items()}
    for system, part in PARTS.items():
        channels = [c["rawid"] for c in CHANNEL_MAP.values() if c["system"] == system]
        spec.setdefault("FCEventDecoder", {})[system] = {
            "key_list": sorted(channels),
            "out_stream": "{filekey}",
            "out_name": TABLE,
            **part,
        }
    return spec


def add_alias(file: h5py.File, table: str, alias: str) -> None:
    """Link a table to another name, and add it to the ``datatype`` of its groups."""
    file[alias] = file[table]
    node = file[alias]
    while node.name != "/":
        name, node = node.name.rpartition("/")[2], node.parent
        kind = node.attrs.get("datatype", "struct{}")
        names = [n for n in kind[len("struct{") : -1].split(",") if n]
        if name not in names:
            names.append(name)
        node.attrs["datatype"] = "struct{" + ",".join(names) + "}"


def main() -> int:
    """Convert and add the names; return the exit status of the report."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "data" / "sample.fcio"
    output = sys.argv[2] if len(sys.argv) > 2 else "raw.lh5"
    report = build_raw(
        source,
        out_spec=specification(),
        filekey=output,
        hdf5_settings=FILE,
        db_dict=DATABASE,
        overwrite=True,
    )
    with h5py.File(output, "r+") as file:
        for name, channel in CHANNEL_MAP.items():
            table = TABLE.format(key=channel["rawid"])
            if table in file:
                add_alias(file, table, f"raw/{name}")
                add_alias(file, table, f"{name}/raw")
    print("\n".join(report.lines()))
    return report.exit_status


if __name__ == "__main__":
    sys.exit(main())

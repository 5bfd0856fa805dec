"""One conversion, as a program of its own.

The runner starts this script under the interpreter to be measured, with one argument:
JSON with the ``input``, the ``output``, the ``filters`` ("default", "none" or "zstd"),
whether there is to be a table for each of the ``channels``, the ``processing`` of
waveforms ("", "presum" or "codecs"), and further ``options`` of
`build_raw`. The process is measured from start to end, so nothing is imported here that
the conversion does not need. The last line of standard output is JSON: the seconds that
`build_raw` took, and those of its stages where it tells them.
"""

import json
import sys
import time
from typing import Any


def settings_of(filters: str) -> dict[str, Any] | None:
    """Return the HDF5 settings for a choice of filters."""
    if filters == "none":
        return {"compression": None, "shuffle": False}
    if filters == "zstd":
        import hdf5plugin

        return {**hdf5plugin.Zstd(), "shuffle": True}
    return None


def proc_spec(codecs: bool) -> dict[str, Any]:
    """Return a specification as production has it: a window, sums of 8, saturation."""
    sums = (
        "presummed(shape=len(waveform)//8, period=waveform.period*8, "
        "offset=waveform.offset)"
    )
    processors = {
        "rate, presummed": ("presum", ["waveform", 0, "rate", sums]),
        "low, high": ("saturation", ["waveform", 16, "low", "high"]),
    }
    spec: dict[str, Any] = {
        "window": ["waveform", 2625, 4025, "windowed"],
        "dsp_config": {
            "outputs": ["rate", "presummed", "low", "high"],
            "processors": {
                names: {
                    "module": "dspeed.processors",
                    "function": function,
                    "args": args,
                    "unit": "ADC",
                }
                for names, (function, args) in processors.items()
            },
        },
        "dtype_conv": {
            "presummed/values": "uint32",
            "rate": "uint16",
            "low": "uint16",
            "high": "uint16",
        },
        "drop": ["waveform"],
    }
    if codecs:
        spec["compression"] = {
            "windowed/values": "RadwareSigcompress(codec_shift=-32768)",
            "presummed/values": "ULEB128ZigZagDiff()",
        }
    return spec


def table_per_channel(output: str, processing: str) -> dict[str, Any]:
    """Return an output specification that both sides understand."""
    rest = {"key_list": ["*"], "out_stream": output}
    events: dict[str, Any] = dict(rest)
    if processing:
        events["proc_spec"] = proc_spec(codecs=processing == "codecs")
    return {
        "FCEventDecoder": {"ch{key:07d}/raw": events},
        "*": {"{name}": rest},
    }


def main() -> None:
    """Convert, and print how long it took."""
    task = json.loads(sys.argv[1])
    from daq2lh5 import build_raw

    begin = time.perf_counter()
    report = build_raw(
        task["input"],
        out_spec=table_per_channel(task["output"], task["processing"])
        if task["channels"]
        else task["output"],
        hdf5_settings=settings_of(task["filters"]),
        **task["options"],
    )
    seconds = time.perf_counter() - begin
    stages = getattr(report, "seconds", {})
    print(f"\n{json.dumps({'seconds': seconds, 'stages': stages})}", end="")


if __name__ == "__main__":
    main()

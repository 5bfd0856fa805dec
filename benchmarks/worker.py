"""One measurement in a process of its own.

The runner starts this script under the interpreter to be measured. It uses public
names of ``daq2lh5`` only, so that it works unchanged with every converter that has
them, and writes one JSON object to standard output (whatever the libraries print
goes to standard error).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARIES = ("numpy", "h5py", "fcio", "legend-pydataobj", "legend-lh5io")
"""Distributions whose versions are reported where they are installed."""


def peak_rss() -> int:
    """Return the largest resident size of this process so far, in bytes.

    On Linux ``ru_maxrss`` of a new program starts from the size of the process that
    started it; ``VmHWM`` counts this program alone and is preferred where it exists.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        status = ""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024

    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def touch_memory(megabytes: int) -> None:
    """Touch some memory and give it back.

    A virtual machine may return free memory to its host; using it anew then costs
    several times more than usual. After this the next user finds it in place.

    Parameters
    ----------
    megabytes
        how much; at most a quarter of what the machine has.
    """
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4
    touched = b"\1" * min(megabytes << 20, most)
    del touched


def warm_up(megabytes: int) -> float:
    """Touch memory in another process, and return the seconds it took.

    Parameters
    ----------
    megabytes
        how much, 0 to leave it.
    """
    if not megabytes:
        return 0.0
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, __file__, "touch", str(megabytes)],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - begin


def count_rows(
    path: str, buffer_size: int, stream_type: str | None
) -> tuple[dict[str, int], float]:
    """Iterate over all chunks of a stream and count the rows of each table.

    Parameters
    ----------
    path
        the stream.
    buffer_size
        rows of each buffer.
    stream_type
        name of the format; None to recognize it.

    Returns
    -------
    rows
        number of rows by output name.
    opening
        seconds until the stream was open.
    """
    from daq2lh5 import open_stream

    rows: Counter[str] = Counter()
    begin = time.perf_counter()
    with open_stream(path, stream_type, buffer_size=buffer_size) as (streamer, _):
        opening = time.perf_counter() - begin
        for chunk in streamer:
            for rb in chunk:
                rows[rb.out_name] += rb.loc
    return dict(rows), opening


def info() -> dict[str, Any]:
    """Describe the interpreter and the converter it has."""
    import sysconfig

    import daq2lh5

    names = metadata.packages_distributions().get("daq2lh5", ["daq2lh5"])
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "distribution": names[0],
        "version": str(daq2lh5.__version__),
        "libraries": versions,
        "package": str(Path(daq2lh5.__file__).resolve().parent),
        "scripts": sysconfig.get_path("scripts"),
    }


def decode(
    path: str,
    buffer_size: int,
    prime: str | None,
    warm: int,
    stream_type: str | None,
) -> dict[str, Any]:
    """Decode a stream without writing anything.

    Parameters
    ----------
    path
        the stream.
    buffer_size
        rows of each buffer.
    prime
        a tiny stream of the same kind that is decoded first, with small buffers, so
        that modules imported on first use don't count as decoding time.
    warm
        megabytes of memory to touch in another process before the clock starts.
    stream_type
        name of the format; None to recognize it.

    Returns
    -------
    result
        seconds (all, and those until the stream was open), CPU seconds, peak memory
        after the imports, after the tiny stream and at the end, and the rows of each
        table.
    """
    import daq2lh5  # noqa: F401

    rss_imports = peak_rss()
    if prime is not None:
        count_rows(prime, 512, stream_type)
    rss_primed = peak_rss()

    warm_up(warm)
    cpu = time.process_time()
    begin = time.perf_counter()
    rows, opening = count_rows(path, buffer_size, stream_type)
    seconds = time.perf_counter() - begin
    return {
        "seconds": seconds,
        "opening_seconds": opening,
        "cpu_seconds": time.process_time() - cpu,
        "rss_imports": rss_imports,
        "rss_primed": rss_primed,
        "rss_peak": peak_rss(),
        "rows": rows,
    }


def rows_of_file(path: str) -> dict[str, Any]:
    """Return the number of rows of each table in an LH5 file.

    Parameters
    ----------
    path
        the LH5 file.
    """
    import h5py

    rows: dict[str, int] = {}

    def visit(group: h5py.Group) -> None:
        for name, item in group.items():
            if not isinstance(item, h5py.Group):
                continue
            datatype = item.attrs.get("datatype", "")
            if isinstance(datatype, bytes):
                datatype = datatype.decode()
            if not datatype.startswith("table{"):
                visit(item)
                continue
            lengths = [c.shape[0] for c in item.values() if hasattr(c, "shape")]
            lengths += [
                c["cumulative_length"].shape[0]
                for c in item.values()
                if isinstance(c, h5py.Group) and "cumulative_length" in c
            ]
            # tables of channels count as one
            table = name if name == "raw" else item.name.lstrip("/")
            rows[table] = rows.get(table, 0) + max(lengths, default=0)

    with h5py.File(path, "r") as file:
        visit(file)
    return {"rows": rows}


def memcpy(path: str, block: int, passes: int) -> dict[str, Any]:
    """Copy the bytes of a file from memory to a small buffer, over and over.

    Parameters
    ----------
    path
        the file, read to memory first.
    block
        size of the buffer in bytes; its pages are touched before the clock starts.
    passes
        how often all the bytes are copied.

    Returns
    -------
    result
        seconds of the median pass.
    """
    import numpy as np

    source = np.fromfile(path, dtype=np.uint8)
    target = np.full(block, 1, dtype=np.uint8)
    seconds = []
    for _ in range(passes):
        begin = time.perf_counter()
        for start in range(0, len(source), block):
            part = source[start : start + block]
            np.copyto(target[: len(part)], part)
        seconds.append(time.perf_counter() - begin)
    return {"seconds": sorted(seconds)[len(seconds) // 2], "bytes": len(source)}


def main() -> None:
    """Do what the command line asks for and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    tasks = parser.add_subparsers(dest="task", required=True)
    tasks.add_parser("info")
    task = tasks.add_parser("decode")
    task.add_argument("path")
    task.add_argument("--buffer-size", type=int, default=8192)
    task.add_argument("--prime")
    task.add_argument("--warm", type=int, default=0)
    task.add_argument("--stream-type")
    task = tasks.add_parser("rows")
    task.add_argument("path")
    task = tasks.add_parser("memcpy")
    task.add_argument("path")
    task.add_argument("--block", type=int, default=32 << 20)
    task.add_argument("--passes", type=int, default=3)
    task = tasks.add_parser("touch")
    task.add_argument("megabytes", type=int)
    args = vars(parser.parse_args())

    name = args.pop("task")
    if name == "touch":
        touch_memory(**args)
        return
    run: dict[str, Callable[..., dict[str, Any]]] = {
        "info": info,
        "decode": decode,
        "rows": rows_of_file,
        "memcpy": memcpy,
    }
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        json.dump(run[name](**args), out)


if __name__ == "__main__":
    main()

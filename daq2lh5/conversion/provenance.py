"""Provenance: the input and the settings that an output was made from."""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import formats
from .._version import __version__
from ..buffers.places import Place
from ..report import unpacked
from ..resources.paths import expand_path
from ..utils import load_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .targets import Target

__all__ = [
    "FileHash",
    "Provenance",
    "common_folder",
    "hash_of_settings",
    "input_of",
    "keys_of",
    "provenance_of",
    "read_report",
]

BLOCK_BYTES = 1 << 20
"""Bytes that are hashed at a time."""

CHANGE_OUTPUTS: dict[str, Any] = {
    "in_stream_type": None,
    "buffer_size": 8192,
    "n_max": float("inf"),
    "hdf5_settings": None,
    "db_dict": None,
    "column_settings": None,
    "extra_columns": False,
}
"""Arguments of :func:`.build_raw.convert` that change outputs, with their defaults."""

KINDS = ("out_stream", "proc_spec")
"""Parts of an entry of the specification that its tables have in common."""

Provenance = dict[str, Any]
"""``version``, ``arguments``, ``specification``, ``settings`` (a hash of the three),
and ``input``.

The specification has for each decoder a list of entries: ``tables`` (the keys of each),
``out_stream`` (relative to the folder that all outputs have in common) and
``proc_spec``. For one table of each decoder it is None, or has a ``group``."""


def provenance_of(
    in_stream: str, target: Target, arguments: Mapping[str, Any]
) -> Provenance:
    """Return the provenance of the outputs of a conversion.

    It contains no paths, threads or limits of memory: they do not change the outputs.

    Parameters
    ----------
    in_stream
        name of the input.
    target
        its outputs.
    arguments
        of :func:`.build_raw.convert`.
    """
    made: Provenance = {
        "version": __version__,
        "arguments": _arguments_of(arguments),
        "specification": _specification_of(target),
    }
    made["settings"] = hash_of_settings(made)
    made["input"] = input_of(in_stream)
    return made


def _arguments_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that change outputs, but for those with default values."""
    found = {
        name: _plain(arguments[name])
        for name, default in CHANGE_OUTPUTS.items()
        if arguments.get(name, default) not in (default, None)
    }
    options = {
        k: v for k, v in (arguments.get("options") or {}).items() if v is not None
    }
    for name, value in sorted(options.items()):
        found[name] = _plain(value)
        if formats.OPTIONS[name][1].is_path:
            found[name] = _file_of(expand_path(value))
    return found


def _file_of(path: str) -> dict[str, Any]:
    """Return name and content's hash of a file of settings."""
    with open(path, "rb") as file:
        content = file.read()
    return {
        "name": os.path.basename(path),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def input_of(in_stream: str) -> dict[str, Any]:
    """Return name, size and modification time of an input, as far as it is a file."""
    path = in_stream.removeprefix("file://")
    if path == "-" or not os.path.isfile(path):
        return {"name": os.path.basename(path)}
    status = os.stat(path)
    seconds, nanoseconds = divmod(status.st_mtime_ns, 10**9)
    modified = datetime.fromtimestamp(seconds, timezone.utc)
    return {
        "name": os.path.basename(path),
        "bytes": status.st_size,
        "modified": f"{modified:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z",
    }


def _specification_of(target: Target) -> dict[str, Any] | None:
    """Return the specification with all keywords filled in, see :data:`Provenance`."""
    if target.rb_lib is None:
        group = Place.of(target.file, "").path
        return {"group": group} if group else None
    folder = common_folder(target)
    found: dict[str, list[dict[str, Any]]] = {}
    for decoder, rb in target.rb_lib.buffers():
        entry = {
            "out_stream": _without_folder(rb.out_stream, rb.place.file, folder),
            "proc_spec": _proc_spec_of(rb.proc_spec),
        }
        entry = {k: v for k, v in entry.items() if v}
        entries = found.setdefault(decoder, [])
        # tables that differ only in name and keys share an entry: often all channels
        if not entries or {k: entries[-1].get(k) for k in KINDS} != {
            k: entry.get(k) for k in KINDS
        }:
            entries.append({"tables": {}} | entry)
        entries[-1]["tables"][rb.out_name] = _ranges(rb.key_list)
    return found


def common_folder(target: Target) -> str | None:
    """Return the folder of all outputs of a specification; None without one."""
    if target.rb_lib is None:
        return None
    files = {rb.place.file for _, rb in target.rb_lib.buffers()} - {""}
    return os.path.commonpath([os.path.dirname(os.path.abspath(f)) for f in files])


def _without_folder(out_stream: str, file: str, folder: str) -> str:
    if not file:
        return ""
    return os.path.relpath(file, folder) + out_stream[len(file) :]


def _proc_spec_of(spec: Any) -> Any:
    """Return the processing of a buffer, with the content of files that it names."""
    if isinstance(spec, (str, os.PathLike)):
        spec = load_dict(spec)
    if isinstance(spec, dict) and isinstance(
        spec.get("dsp_config"), (str, os.PathLike)
    ):
        spec = spec | {"dsp_config": load_dict(spec["dsp_config"])}
    return _plain(spec)


def _ranges(keys: Iterable[Any]) -> list[Any]:
    """Write runs of keys as specifications do: ``[1, 2, 3, 7]`` as ``[[1, 3], 7]``."""
    out: list[Any] = []
    for key in keys:
        if not isinstance(key, int):
            out.append(_plain(key))
        elif out and isinstance(out[-1], int) and key == out[-1] + 1:
            out[-1] = [out[-1], key]
        elif out and isinstance(out[-1], list) and key == out[-1][1] + 1:
            out[-1][1] = key
        else:
            out.append(key)
    return out


def keys_of(ranges: Iterable[Any]) -> Iterator[int | str]:
    """Go through the keys of a table in a stored specification."""
    for item in ranges:
        if isinstance(item, list):
            yield from range(item[0], item[1] + 1)
        else:
            yield item


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; objects as their text, without addresses."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, os.PathLike):
        return os.path.basename(os.fspath(value))
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


def hash_of_settings(made: Mapping[str, Any]) -> str:
    """Return the SHA-256 of version, arguments and specification."""
    hashed = {
        name: made.get(name) for name in ("version", "arguments", "specification")
    }
    text = json.dumps(hashed, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def read_report(file: str) -> dict[str, Any] | None:
    """Return the report that a conversion stored in an output; None without one."""
    import h5py  # noqa: PLC0415  (slow to import)

    from ..publishing.output_files import REPORT_ATTRIBUTE  # noqa: PLC0415

    try:
        with h5py.File(file, "r", locking=False) as opened:
            text = opened.attrs.get(REPORT_ATTRIBUTE)
    except (OSError, RuntimeError):
        return None
    try:
        report = json.loads(text)
        return unpacked(report) if isinstance(report, dict) else None
    except (TypeError, ValueError):
        return None


class FileHash:
    """SHA-256 of a file, computed in a thread while the file is converted.

    Parameters
    ----------
    in_stream
        name of the input, which must be a file.
    """

    def __init__(self, in_stream: str) -> None:
        self._path = in_stream.removeprefix("file://")
        self._digest = ""
        self._error: OSError | None = None
        self._over = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        state = hashlib.sha256()
        try:
            with open(self._path, "rb", buffering=0) as file:
                while not self._over and (block := file.read(BLOCK_BYTES)):
                    state.update(block)
        except OSError as e:
            self._error = e
        self._digest = state.hexdigest()

    def result(self) -> str:
        """Wait for the hash, and return it in hexadecimal digits.

        Raises
        ------
        OSError
            if the file cannot be read.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._digest

    def stop(self) -> None:
        """Give up."""
        self._over = True
        self._thread.join()

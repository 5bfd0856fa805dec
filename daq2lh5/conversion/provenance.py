"""Provenance: the input and the settings that an output was made from."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from itertools import groupby
from typing import TYPE_CHECKING, Any

from .. import formats
from .._version import __version__
from ..buffers.places import Place
from ..resources.paths import expand_path
from ..resources.threads import Task, start_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..buffers.table_settings import TableSettings
    from .targets import Target

__all__ = [
    "FileHash",
    "Provenance",
    "input_of",
    "inputs_of",
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

Provenance = dict[str, Any]
"""``version``, ``arguments``, ``specification``, ``settings`` (a hash of the three),
``input``, and of joined files ``continued_by``: a list of the others."""


def provenance_of(
    names: Sequence[str], target: Target, arguments: Mapping[str, Any]
) -> Provenance:
    """Return the provenance of the outputs of a conversion.

    It contains no paths, threads or limits of memory: they do not change the outputs.

    Parameters
    ----------
    names
        names of the input's files.
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
    text = json.dumps(made, sort_keys=True)
    made["settings"] = hashlib.sha256(text.encode()).hexdigest()
    made["input"] = input_of(names[0])
    if len(names) > 1:
        made["continued_by"] = [input_of(name) for name in names[1:]]
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


def inputs_of(provenance: Provenance) -> list[dict[str, Any]]:
    """Return the files of the input, each as from :func:`input_of`."""
    first = provenance.get("input") or {}
    return [dict(entry) for entry in (first, *provenance.get("continued_by", ()))]


def _specification_of(target: Target) -> dict[str, Any] | None:
    """Return the specification with all keywords filled in, without folders.

    None stands for all tables, each with its decoder's name. Settings for all tables
    stand beside the decoders, as in the user's specification.
    """
    if target.rb_lib is None:
        group = Place.of(target.file, "").group
        return None if group == "/" else {"group": group}
    found = _settings_of(target.settings)
    for decoder, rb in target.rb_lib.buffers():
        entry = {
            "key_list": _ranges(rb.key_list),
            "file": os.path.basename(rb.place.file),
            "group": rb.place.group,
            "proc_spec": _plain(rb.proc_spec),
            **_settings_of(rb.settings),
        }
        kept = {k: v for k, v in entry.items() if v}
        found.setdefault(decoder, {})[rb.out_name] = kept
    return found


def _settings_of(settings: TableSettings) -> dict[str, Any]:
    return {k: _plain(v) for k, v in vars(settings).items() if v}


def _ranges(keys: Any) -> list[Any]:
    """Write runs of keys as text: ``[1, 2, 3, 7]`` as ``["1-3", 7]``."""
    out: list[Any] = []
    numbers = [k for k in keys if isinstance(k, int)]
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        first, *rest = (key for _, key in run)
        out.append(f"{first}-{rest[-1]}" if rest else first)
    return out + [_plain(k) for k in keys if not isinstance(k, int)]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; objects as their text, without addresses."""
    if isinstance(value, Mapping):
        # (filters of hdf5plugin, too)
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
    except (TypeError, ValueError):
        return None
    return report if isinstance(report, dict) else None


class FileHash:
    """SHA-256 of files, computed in a thread while the files are converted.

    Parameters
    ----------
    names
        names of the inputs, which must be files.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._paths = [name.removeprefix("file://") for name in names]
        self._is_over = False
        self._task = Task(self._compute)
        try:
            start_thread(self._task.run, (), "daq2lh5-hash")
        except RuntimeError:
            # the system has no thread left
            self._task.run()

    def _compute(self) -> list[str]:
        digests = []
        for path in self._paths:
            state = hashlib.sha256()
            with open(path, "rb", buffering=0) as file:
                while not self._is_over and (block := file.read(BLOCK_BYTES)):
                    state.update(block)
            digests.append(state.hexdigest())
        return digests

    def result(self) -> list[str]:
        """Wait for the hash of each file, and return it in hexadecimal digits.

        Raises
        ------
        OSError
            if a file cannot be read.
        """
        return self._task.result()

    def stop(self) -> None:
        """Give up."""
        self._is_over = True
        with suppress(OSError):
            self._task.result()

"""Provenance: the input and the settings that an output was made from."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import formats
from .._version import __version__
from ..buffers.places import Place
from ..buffers.table_settings import SETTINGS
from ..resources.paths import expand_path
from ..resources.threads import Task, start_thread
from ..utils import load_dict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..buffers.table_settings import TableSettings
    from .targets import Target

__all__ = [
    "CHANGE_OUTPUTS",
    "FileHash",
    "Provenance",
    "common_folder",
    "file_entry",
    "hash_of_settings",
    "input_of",
    "inputs_of",
    "keys_of",
    "provenance_of",
    "settings_file_beside",
]

BLOCK_BYTES = 1 << 20
"""Number of bytes that are hashed at a time."""

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

SHARED = ("out_stream", "proc_spec", *SETTINGS)
"""Parts of an entry of the specification that all its tables share."""

Provenance = dict[str, Any]
"""``version``, ``arguments``, ``specification``, ``settings`` (a hash of these three),
``input``, for joined files ``continued_by``: a list of the other files, and
``settings_file`` if one was found beside the data.

The specification has a list of entries for each decoder. An entry has ``tables`` (the
keys of each), ``out_stream`` (relative to the common folder of all outputs),
``proc_spec``, ``aliases`` (of each table), and settings. Settings for all tables stand
beside the decoders. Without a specification from the user it is None, or has only the
``group`` of the tables."""


def provenance_of(
    names: Sequence[str], target: Target, arguments: Mapping[str, Any]
) -> Provenance:
    """Return the provenance of the outputs of a conversion.

    Paths and threads are left out: they do not change the outputs. So is the limit of
    memory, which does not change values; see :attr:`.MemoryPlan.changes_output`.

    Parameters
    ----------
    names
        names of the input's files.
    target
        its outputs.
    arguments
        arguments of :func:`.build_raw.convert`.

    Raises
    ------
    OSError
        if a settings file cannot be read.
    """
    made: Provenance = {
        "version": __version__,
        "arguments": _arguments_of(arguments),
        "specification": _specification_of(target),
    }
    made["settings"] = hash_of_settings(made)
    made["input"] = input_of(names[0])
    if len(names) > 1:
        made["continued_by"] = [input_of(name) for name in names[1:]]
    return made


def _arguments_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that change outputs, without default values."""
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
            found[name] = file_entry(expand_path(value))
    return found


def settings_file_beside(
    name: str, in_stream: str, options: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the entry of the settings file that a format finds beside an input.

    Parameters
    ----------
    name
        of the format.
    in_stream
        name of the input.
    options
        options of formats: a settings file in them is used instead.

    Returns
    -------
    entry
        ``name`` and ``sha256``; None without such a file.

    Raises
    ------
    OSError
        if it cannot be read.
    """
    if any(options.get(key) is not None for key in formats.paths_of_settings(name)):
        return None
    path = formats.settings_beside(name, in_stream)
    return None if path is None else file_entry(path)


def file_entry(path: str) -> dict[str, Any]:
    """Return the name of a settings file, and the SHA-256 of its content."""
    with open(path, "rb") as file:
        content = file.read()
    return {
        "name": os.path.basename(path),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def input_of(in_stream: str) -> dict[str, Any]:
    """Return the name of an input; of a file also size and modification time."""
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
    """Return the entries of all files of the input; see :func:`input_of`."""
    first = provenance.get("input") or {}
    return [dict(entry) for entry in (first, *provenance.get("continued_by", ()))]


def _specification_of(target: Target) -> dict[str, Any] | None:
    """Return the specification with all keywords filled in, see :data:`Provenance`."""
    if target.rb_lib is None:
        group = Place.of(target.file, "").path
        return {"group": group} if group else None
    folder = common_folder(target)
    found: dict[str, Any] = _settings_of(target.settings)
    for decoder, rb in target.rb_lib.buffers():
        entry = {
            "out_stream": _without_folder(rb.out_stream, rb.place.file, folder),
            "proc_spec": _proc_spec_of(rb.proc_spec),
            **_settings_of(rb.settings),
        }
        entry = {k: v for k, v in entry.items() if v}
        aliases = entry.pop("aliases", None)
        entries = found.setdefault(decoder, [])
        # tables that differ only in name and keys share an entry: often all channels
        if not entries or any(entries[-1].get(k) != entry.get(k) for k in SHARED):
            entries.append({"tables": {}} | entry)
        entries[-1]["tables"][rb.out_name] = _ranges(rb.key_list)
        if aliases:
            entries[-1].setdefault("aliases", {})[rb.out_name] = aliases
    return found


def _settings_of(settings: TableSettings) -> dict[str, Any]:
    return {k: _plain(v) for k, v in vars(settings).items() if v}


def common_folder(target: Target) -> str | None:
    """Return the folder of all outputs of a specification.

    None for a single output without a specification, and for outputs that share only
    the root directory: such paths depend on the machine.
    """
    if target.rb_lib is None:
        return None
    files = {rb.place.file for _, rb in target.rb_lib.buffers()} - {""}
    folders = [os.path.dirname(os.path.abspath(f)) for f in files]
    folder = os.path.commonpath(folders)
    alone = len(set(folders)) == 1
    return folder if alone or folder != os.path.abspath(os.sep) else None


def _without_folder(out_stream: str, file: str, folder: str | None) -> str:
    if not file:
        return ""
    name = os.path.basename(file) if folder is None else os.path.relpath(file, folder)
    return name + out_stream[len(file) :]


def _proc_spec_of(spec: Any) -> Any:
    """Return the processing of a buffer, with the content of the files it names."""
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
    """Return a value for JSON: objects as their text, without addresses in memory."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, Mapping):
        # filters of hdf5plugin are mappings, too
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
        """Stop the thread before its end."""
        self._is_over = True
        with suppress(OSError):
            self._task.result()

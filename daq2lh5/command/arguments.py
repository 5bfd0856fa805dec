"""Arguments of the command line, checked before data are read."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import lacks_memory, show
from ..formats import OPTIONS as FORMAT_OPTIONS
from ..reading.magic import without_ending
from ..resources.paths import expand_path, identity
from ..utils import parse_json

if TYPE_CHECKING:
    from ..conversion.channel_maps import ChannelMaps
    from ..conversion.targets import OutSpecs, Target

MEMORY_ADVICE = (
    "lower --memory-limit or --threads, or give the process more memory (ulimit -v, "
    "the limit of the batch job)"
)

HANDLES_ADVICE = (
    "each output takes two: raise the limit by 'ulimit -n', or write tables to groups "
    "of fewer files"
)

HAVE_OPTIONS = {
    "in_stream": "FILE",
    "in_stream_type": "--stream-type",
    "out_spec": "--out-spec",
    "channel_map": "--channel-map",
    "buffer_size": "--buffer-size",
    "n_max": "--max-rows",
    "overwrite": "--overwrite",
    "threads": "--threads",
    "memory_limit": "--memory-limit",
    "extra_columns": "--extra-columns",
    "verify_compression": "--verify-compression",
}
"""Arguments of build_raw that are options, and must not be in --kwargs, too."""


class _Kind(NamedTuple):
    """Type of a value in --kwargs."""

    types: tuple[type, ...]
    text: str


_OBJECT = _Kind((dict,), "a JSON object")
KINDS = {
    **{name: _Kind(o.types, o.kind) for name, (_, o) in FORMAT_OPTIONS.items()},
    "hdf5_settings": _OBJECT,
    "db_dict": _OBJECT,
    "column_settings": _OBJECT,
}
"""Options that --kwargs can give; other names are keywords of the specification."""


class UsageError(ValueError):
    """The command line is invalid; the conversion has not begun."""


def parse_kwargs(text: str) -> dict[str, Any]:
    """Read further arguments of build_raw, and keywords."""
    options = parse_json(text.strip() or "{}", "--kwargs")
    if not isinstance(options, dict):
        msg = f"--kwargs must be a JSON object, not {show(options)}"
        raise UsageError(msg)
    for name, option in HAVE_OPTIONS.items():
        if name in options:
            msg = f"'{name}' in --kwargs: use the option {option}"
            raise UsageError(msg)
    for name, value in options.items():
        kind = KINDS.get(name)
        # true and false are numbers in Python
        if kind and (not isinstance(value, kind.types) or isinstance(value, bool)):
            msg = f"{show(name)} in --kwargs is {show(value)}: it must be {kind.text}"
            raise UsageError(msg)
    return options


def parse_limit(text: str) -> int:
    """Read the memory limit."""
    from ..resources.memory import MIN_LIMIT, parse_size  # noqa: PLC0415

    limit = parse_size(text)
    if limit < MIN_LIMIT:
        msg = f"--memory-limit must be at least {MIN_LIMIT >> 20}M, got {text}"
        raise UsageError(msg)
    return limit


def check_json_file(json_file: str | None, others: list[str]) -> None:
    """Check that the report can be written, before data are read."""
    if json_file is None or json_file == "-":
        return
    path = Path(json_file)
    if identity(path) in {identity(other) for other in others if other}:
        msg = f"the report would overwrite {json_file}"
        raise UsageError(msg)
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        msg = f"cannot write the report to {json_file}"
        raise UsageError(msg)


def check_inputs(files: tuple[str, ...]) -> tuple[str, ...]:
    """Check that all inputs exist, each once, before the first is read.

    Links to missing files are left to the conversion: one of them in a folder stops no
    other input.

    Returns
    -------
    files
        with ``~`` and environment variables expanded.
    """
    expanded = tuple(map(expand_path, files))
    for file in expanded:
        path = Path(file.removeprefix("file://"))
        if not file:
            msg = "an input has an empty name"
            raise UsageError(msg)
        if file != "-" and not (path.exists() or path.is_symlink()):
            msg = f"input file {file} not found"
            raise UsageError(msg)
        if path.is_dir():
            msg = f"input {file} is a directory"
            raise UsageError(msg)
    first: dict[tuple[int, int] | str, str] = {}
    for file in expanded:
        key = identity(file)
        if key in first:
            msg = f"an input is given twice: {first[key]} and {file} are one file"
            raise UsageError(msg)
        first[key] = file
    return expanded


def targets_of(
    files: tuple[str, ...],
    out_spec: OutSpecs,
    keywords: dict[str, Any],
    channel_map: ChannelMaps = None,
) -> dict[str, Target]:
    """Return the target of each input.

    Parameters
    ----------
    files
        the inputs.
    out_spec
        output or specifications from the user, if any.
    keywords
        values of keywords, besides those from the inputs' names.
    channel_map
        see :func:`.load_channel_map`.

    Raises
    ------
    UsageError
        if two inputs would write to one file.
    """
    from ..buffers.places import is_folder  # noqa: PLC0415
    from ..conversion.targets import load_spec, target_for, target_in  # noqa: PLC0415

    spec = load_spec(out_spec or None, channel_map)
    in_folder = isinstance(spec, str) and is_folder(expand_path(spec))
    targets: dict[str, Target] = {}
    writers: dict[str, str] = {}
    for file in files:
        own = {"orig_basename": basename_of(file)} | keywords
        if in_folder:
            target = target_in(spec, basename_of(file), own)
        else:
            target = target_for(spec, file, own)
        targets[file] = target
        for output in [*target.files, *target.templates]:
            path = os.path.realpath(output)
            if path in writers:
                msg = f"{writers[path]} and {file} would both write {output}; "
                raise UsageError(msg + _way_out(writers[path], file, out_spec))
            writers[path] = file
    return targets


def _way_out(one: str, other: str, out_spec: OutSpecs) -> str:
    """Return advice for two inputs that would write one file."""
    name = basename_of(other)
    if basename_of(one) != name:
        if out_spec and "{orig_basename}" not in str(out_spec):
            return "use '{orig_basename}' in the output, or a directory"
        return "convert them one by one, with different outputs (-o)"
    # equal names: '{orig_basename}' does not help
    folder = Path(os.path.abspath(other)).parent.name
    example = f"{folder}_{name}.lh5" if folder else f"other_{name}.lh5"
    return (
        f"both are called '{name}': convert them one by one, with different outputs, "
        f"as -o {example}"
    )


def basename_of(file: str) -> str:
    """Return the name of an input without directory and extension.

    Only one extension is removed, as in legend-daq2lh5; compressed files lose two.
    """
    return "stdin" if file == "-" else without_ending(Path(file)).stem


def message_of(error: BaseException) -> str:
    """Return the message of an error in one line."""
    if lacks_memory(error):
        text = f"out of memory: {MEMORY_ADVICE}"
    elif isinstance(error, KeyError) and error.args:
        text = str(error.args[0])
    elif isinstance(error, OSError) and error.strerror:
        names = [str(n) for n in (error.filename, error.filename2) if n is not None]
        text = ": ".join([*names, error.strerror])
        if error.errno in (errno.EMFILE, errno.ENFILE):
            text += f" ({HANDLES_ADVICE})"
    else:
        text = str(error) or type(error).__name__
        if "error message = '" in text:
            # HDF5's message has the text twice, with addresses
            text = "cannot write: " + text.split("error message = '")[-1].split("'")[0]
    return " ".join(text.split())

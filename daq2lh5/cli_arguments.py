"""What the command line is given, checked before anything is read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from .reading.magic import without_ending

HAVE_OPTIONS = {
    "in_stream": "FILE",
    "in_stream_type": "--stream-type",
    "out_spec": "--out-spec",
    "buffer_size": "--buffer-size",
    "n_max": "--max-rows",
    "overwrite": "--overwrite",
    "threads": "--threads",
    "memory_limit": "--memory-limit",
    "extra_columns": "--extra-columns",
}
"""Arguments of build_raw that --kwargs must not give a second time."""

NAMED_OPTIONS = (
    *("compass_config_file", "compass_layout", "compass_sampling_period"),
    *("llama_time_zone", "hdf5_settings", "db_dict"),
)
"""What --kwargs can give that is no keyword of an output specification."""


class UsageError(Exception):
    """Something that the user must change before anything is done."""


def parse_kwargs(text: str) -> dict[str, Any]:
    """Read further arguments of build_raw, and keywords."""
    try:
        options = json.loads(text or "{}")
    except json.JSONDecodeError as e:
        msg = f"--kwargs is not JSON: {e}"
        raise UsageError(msg) from None
    if not isinstance(options, dict):
        msg = "--kwargs must be a JSON object"
        raise UsageError(msg)
    for name, option in HAVE_OPTIONS.items():
        if name in options:
            msg = f"'{name}' in --kwargs: use the option {option}"
            raise UsageError(msg)
    for name in ("hdf5_settings", "db_dict"):
        if not isinstance(options.get(name, {}), dict):
            msg = f"'{name}' in --kwargs must be a JSON object"
            raise UsageError(msg)
    return options


def parse_limit(text: str) -> int:
    """Read the memory limit."""
    from .writing.memory import MIN_LIMIT, parse_size  # noqa: PLC0415

    limit = parse_size(text)
    if limit < MIN_LIMIT:
        msg = f"--memory-limit {text} is too little: at least {MIN_LIMIT >> 20}M"
        raise UsageError(msg)
    return limit


def check_json_file(json_file: str | None, others: list[str]) -> None:
    """Make sure that the report can be written before anything is read."""
    if json_file is None or json_file == "-":
        return
    path = Path(json_file)
    if any(path.resolve() == Path(o).resolve() for o in others):
        msg = f"the report would overwrite {json_file}"
        raise UsageError(msg)
    if path.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
        msg = f"cannot write the report to {json_file}"
        raise UsageError(msg)


def check_inputs(files: tuple[str, ...]) -> None:
    """Make sure that all inputs exist before the first is read."""
    for file in files:
        path = Path(os.path.expandvars(file).removeprefix("file://"))
        if file != "-" and not path.exists():
            msg = f"input file {file} not found"
            raise UsageError(msg)
        if path.is_dir():
            msg = f"input {file} is a directory"
            raise UsageError(msg)


def outputs_of(
    files: tuple[str, ...], out_spec: str | None, options: dict[str, Any]
) -> tuple[dict[str, str | dict | None], list[str]]:
    """Return the output specification for each input, and the files it names.

    Raises
    ------
    UsageError
        if two inputs would write to one file.
    """
    from .build_raw import default_output  # noqa: PLC0415
    from .out_spec import split_out_stream  # noqa: PLC0415
    from .raw_buffer import RawBufferLibrary  # noqa: PLC0415
    from .utils import is_spec_file, load_dict  # noqa: PLC0415

    paths = {f if f == "-" else os.path.realpath(f) for f in files}
    if len(paths) < len(files):
        msg = "an input is given twice"
        raise UsageError(msg)
    specs: dict[str, str | dict | None] = {}
    writers: dict[str, str] = {}
    for file in files:
        keywords = {"orig_basename": basename_of(file)} | options
        spec: str | dict | None = out_spec
        if out_spec is None:
            outputs = [] if file == "-" else [default_output(os.path.expandvars(file))]
        elif is_spec_file(out_spec):
            spec = load_dict(os.path.expandvars(out_spec))
            if not isinstance(spec, dict):
                msg = f"{out_spec} is not an output specification"
                raise UsageError(msg)
            # expanded once for the names, and again when the file is converted
            library = RawBufferLibrary(json.loads(json.dumps(spec)), dict(keywords))
            outputs = library.get_list_of("out_stream")
        else:
            spec = os.path.expandvars(out_spec)
            if os.path.isdir(spec) or spec.endswith(os.sep):
                spec = str(Path(spec) / f"{basename_of(file)}.lh5")
            elif "{" in spec:
                try:
                    spec = spec.format(**keywords)
                except (ValueError, LookupError) as e:
                    msg = f"output '{out_spec}' cannot be formatted: {message_of(e)}"
                    raise UsageError(msg) from None
            outputs = [spec]
        specs[file] = spec
        for output in {split_out_stream(o)[0] for o in outputs}:
            if not output:
                continue
            path = os.path.realpath(output)
            if path in writers:
                msg = (
                    f"{writers[path]} and {file} would both write {output}; use "
                    "'{orig_basename}' in the output, or a directory"
                )
                raise UsageError(msg)
            writers[path] = file
    return specs, list(writers)


def basename_of(file: str) -> str:
    """Return the name of an input without directory and extension.

    As in the peer only one extension goes, except where that says how the file is
    compressed.
    """
    return "stdin" if file == "-" else without_ending(Path(file)).stem


def message_of(error: BaseException) -> str:
    """Return what went wrong as one line."""
    if isinstance(error, KeyError) and error.args:
        text = str(error.args[0])
    elif isinstance(error, OSError) and error.strerror:
        names = [str(n) for n in (error.filename, error.filename2) if n is not None]
        text = ": ".join([*names, error.strerror])
    else:
        text = str(error) or type(error).__name__
        if "error message = '" in text:
            # HDF5 says it twice, with addresses
            text = "cannot write: " + text.split("error message = '")[-1].split("'")[0]
    return " ".join(text.split())

"""The arguments of a conversion, restored from the report in an output."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from .. import formats
from ..buffers.keys import MAX_KEYS
from ..buffers.table_settings import SETTINGS, TableSettings
from ..errors import show
from ..raw_buffer import RawBuffer, RawBufferLibrary, RawBufferList
from .provenance import (
    CHANGE_OUTPUTS,
    file_entry,
    hash_of_settings,
    keys_of,
    settings_file_beside,
)
from .targets import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LostSettingsError",
    "check_settings_file",
    "restored_arguments",
    "restored_name",
    "restored_target",
]


class LostSettingsError(ValueError):
    """The report lacks settings of its conversion, or they were changed."""


def restored_name(report: Mapping[str, Any], output: str) -> str:
    """Return the name that the conversion gave an output, in its current folder."""
    name = report.get("output")
    if name is None:
        return output
    return os.path.join(os.path.dirname(os.path.abspath(output)), name)


def restored_target(report: Mapping[str, Any], output: str) -> Target:
    """Return the target of a conversion.

    Parameters
    ----------
    report
        the report in one of its outputs.
    output
        path of that output; the folder of all outputs follows from it.

    Raises
    ------
    LostSettingsError
        if the report lacks the specification, or it was changed.
    """
    if "specification" in report.get("left_out", ()) or "settings" not in report:
        msg = "its report lacks the specification: it cannot be decoded in the same way"
        raise LostSettingsError(msg)
    if hash_of_settings(report) != report["settings"]:
        msg = "the settings in its report were changed: their hash is another"
        raise LostSettingsError(msg)
    try:
        return _target_in(report, output)
    except (TypeError, ValueError, KeyError, AttributeError) as e:
        msg = f"the specification in its report is damaged: {e}"
        raise LostSettingsError(msg) from e


def _target_in(report: Mapping[str, Any], output: str) -> Target:
    specification = report.get("specification")
    if specification is None or "group" in specification:
        group = (specification or {}).get("group", "")
        return Target(None, f"{output}:/{group}", [])
    folder = os.path.dirname(os.path.abspath(output))
    library = RawBufferLibrary()
    library.settings = TableSettings.parse(specification, "the stored specification")
    for decoder, entries in specification.items():
        if decoder in SETTINGS:
            continue
        library[decoder] = RawBufferList()
        for entry in entries:
            library[decoder].extend(_buffers(entry, folder))
    return Target(library, "", [])


def _buffers(entry: Mapping[str, Any], folder: str) -> list[RawBuffer]:
    out_stream = entry.get("out_stream", "")
    if out_stream:
        out_stream = os.path.join(folder, out_stream)
    aliases = entry.get("aliases", {})
    proc_spec = entry.get("proc_spec")
    if proc_spec is not None and (
        not isinstance(proc_spec, dict) or isinstance(proc_spec.get("dsp_config"), str)
    ):
        # names of files are replaced by their content before it is stored
        msg = f"proc_spec is {show(proc_spec)}"
        raise ValueError(msg)
    buffers = []
    for name, ranges in entry["tables"].items():
        keys = list(islice(keys_of(ranges), MAX_KEYS + 1))
        if len(keys) > MAX_KEYS:
            msg = f"more than {MAX_KEYS} keys of the table {name}"
            raise ValueError(msg)
        rb = RawBuffer(
            key_list=keys,
            out_stream=out_stream,
            out_name=name,
            proc_spec=proc_spec,
        )
        settings = {**entry, "aliases": aliases.get(name)}
        rb.settings = TableSettings.parse(settings, f"the stored table {name}")
        buffers.append(rb)
    return buffers


def restored_arguments(
    report: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of :func:`.build_raw.convert` that changed the output.

    Parameters
    ----------
    report
        the report in the output, see :func:`restored_target`.
    options
        options of formats; they replace the stored ones.

    Raises
    ------
    LostSettingsError
        if a settings file was given: its content is not in the report; or if the report
        has other arguments.
    """
    stored = dict(report.get("arguments") or {})
    unknown = stored.keys() - CHANGE_OUTPUTS.keys() - formats.OPTIONS.keys()
    if unknown:
        msg = f"its report has arguments that change no output: {show(sorted(unknown))}"
        raise LostSettingsError(msg)
    of_formats = {k: stored.pop(k) for k in [*stored] if k in formats.OPTIONS}
    of_formats |= options
    for name, value in of_formats.items():
        if name not in options and formats.OPTIONS[name][1].is_path:
            given = value.get("name") if isinstance(value, dict) else "a file"
            msg = (
                f"it was made with {name}={given}: give that file with -k "
                f'\'{{"{name}": "FILE"}}\''
            )
            raise LostSettingsError(msg)
    return {**stored, "options": of_formats}


def check_settings_file(
    report: Mapping[str, Any], in_stream: str, options: Mapping[str, Any]
) -> None:
    """Check that the settings file beside an input is that of the conversion.

    Parameters
    ----------
    report
        the report in the output, see :func:`restored_target`.
    in_stream
        name of the input.
    options
        options of formats: a settings file in them replaces the one beside the input.

    Raises
    ------
    LostSettingsError
        if it is missing, or another.
    OSError
        if it cannot be read.
    """
    name = report.get("format", "")
    wanted, paths = report.get("settings_file"), formats.paths_of_settings(name)
    stored = report.get("arguments") or {}
    if any(key in stored for key in paths):
        return
    given = [options[key] for key in paths if options.get(key) is not None]
    found = file_entry(given[0]) if given else settings_file_beside(name, in_stream, {})
    if wanted is None and found is None:
        return
    if wanted is None:
        msg = f"it was made without a settings file, and there is one: {found['name']}"
        raise LostSettingsError(msg)
    if found is not None and found["sha256"] == wanted.get("sha256"):
        return
    state = "is missing" if found is None else "has another content"
    msg = (
        f"it was made with the settings file {wanted.get('name')} beside the data, "
        f'which {state}: give it with -k \'{{"{paths[0]}": "FILE"}}\''
    )
    raise LostSettingsError(msg)

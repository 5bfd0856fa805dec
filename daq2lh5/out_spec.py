"""The shorthand of output specifications, expanded."""

from __future__ import annotations

import os
import re
import string
from typing import Any

from .errors import OutSpecError, did_you_mean

BUFFER_FIELDS = ("key_list", "out_stream", "out_name", "proc_spec")
"""What the description of a buffer may say."""


def has_wildcard(key: object) -> bool:
    """Whether a key of a key list is a pattern."""
    return isinstance(key, str) and "*" in key


HDF5_ENDINGS = (".lh5", ".h5", ".hdf5", ".hdf", ".he5")
"""Endings of file names behind which a colon begins a group."""

_BEHIND_ENDING = re.compile(
    # the last one: folders may end so, too
    rf"(.*(?:{'|'.join(map(re.escape, HDF5_ENDINGS))})):(.*)",
    re.DOTALL | re.IGNORECASE,
)
_BEFORE_SLASH = re.compile(r"(.*):(/.*|)", re.DOTALL)
_BEFORE_WORD = re.compile(r"(.*):((?![0-9])[\w{][^:.]*)", re.DOTALL)


def split_out_stream(out_stream: str) -> tuple[str, str]:
    """Split ``file:group`` into file and group (``/`` if there is none).

    A colon belongs to the path unless what follows can only be a group:

    - behind an ending of HDF5 files (``.lh5``, ``.h5``, ``.hdf5``, ``.hdf``, ``.he5``)
      a group begins, unless what follows ends so itself;
    - in a name without such an ending, a group begins behind the last colon if a slash
      or nothing follows it, or a word: it begins with a letter, and has no dot. What
      exists under the whole name, or has a colon in a folder that exists, is a path.
    """
    return _split(out_stream, _BEFORE_SLASH, _BEFORE_WORD)


def as_out_stream(name: str) -> str:
    """Return the `out_stream` for a name that the user gave for a file.

    There a word behind a colon is no group: ``out:geds`` is that file.
    """
    if split_out_stream(name) == _split(name, _BEFORE_SLASH):
        return name
    return f"{name}:/"


def _split(out_stream: str, *without_ending: re.Pattern[str]) -> tuple[str, str]:
    if ":" not in out_stream or out_stream.lower().endswith(HDF5_ENDINGS):
        return out_stream, "/"
    match = _BEHIND_ENDING.fullmatch(out_stream)
    if match is None and not _is_there(out_stream):
        found = (pattern.fullmatch(out_stream) for pattern in without_ending)
        match = next(filter(None, found), None)
    if match is None:
        return out_stream, "/"
    file, group = match.groups()
    return file, group or "/"


def _is_there(path: str) -> bool:
    """Whether there is such a file, or a folder for it with a colon in its name."""
    folder = os.path.dirname(path)
    return os.path.exists(path) or (":" in folder and os.path.isdir(folder))


def fill_in(template: str, values: dict[str, Any], keep: tuple[str, ...] = ()) -> str:
    """Format `template`, leaving the fields named in `keep` as they stand.

    A field that `values` lacks, or cannot be formatted as asked, is a KeyError or a
    ValueError as of :meth:`str.format`.
    """
    parts = list(string.Formatter().parse(template))
    # what is formatted again later keeps its doubled braces
    again = any(name in keep and name not in values for _, name, _, _ in parts)
    out = []
    for literal, name, spec, conversion in parts:
        out.append(literal.replace("{", "{{").replace("}", "}}") if again else literal)
        if name is None:
            continue
        field = "{" + name
        field += f"!{conversion}" if conversion else ""
        field += f":{spec}" if spec else ""
        field += "}"
        if name in keep and name not in values:
            out.append(field)
        else:
            out.append(field.format(**values))
    return "".join(out)


def expand_rblist_dict(config: dict, kw_dict: dict[str, str]) -> None:
    """Expand the shorthand of one decoder's buffers, in place.

    See :meth:`.RawBufferLibrary.set_from_dict`.
    """
    if not isinstance(config, dict):
        msg = f"the buffers of a decoder are a dictionary by name, not {config!r}"
        raise OutSpecError(msg)
    for name in list(config):
        info = config[name]
        _check_description(name, info)
        _expand_ranges(name, info["key_list"])
        if "{key" in name and not _is_pattern(info):
            del config[name]
            for key in dict.fromkeys(info["key_list"]):
                expanded = name.format(key=key)
                if expanded in config:
                    msg = f"'{name}' expands to '{expanded}', which there is already"
                    raise OutSpecError(msg)
                config[expanded] = info | {"key_list": [key]}

    for name, info in config.items():
        values: dict[str, Any] = {"name": name} | kw_dict
        if len(info["key_list"]) == 1 and not _is_pattern(info):
            values["key"] = info["key_list"][0]
        for field in ("out_stream", "out_name"):
            if field not in info:
                continue
            # what a pattern stands for is known when the stream is open
            keep = ("key",) if _is_pattern(info) else ()
            if field == "out_name":
                keep = ("key", "name")
            try:
                info[field] = fill_in(info[field], values, keep)
            except KeyError as e:
                msg = f"{e} in {field} of buffer '{name}' is not defined"
                raise KeyError(msg) from None
        if "out_stream" in info:
            info["out_stream"] = os.path.expandvars(info["out_stream"])


def fill_in_decoder(decoder: str, buffers: Any) -> None:
    """Fill in the decoder in the names of its buffers, in place."""
    short = str(decoder).removesuffix("Decoder")
    for name in list(buffers) if isinstance(buffers, dict) else ():
        # all are put back, so that they stay in order
        info = buffers.pop(name)
        # in YAML a name may be a number
        filled_in = str(name).replace("{name}", short)
        if filled_in in buffers:
            msg = f"{decoder}: '{name}' is '{filled_in}', which there is already"
            raise OutSpecError(msg)
        buffers[filled_in] = info


def _check_description(name: str, info: Any) -> None:
    """Refuse a description of a buffer that cannot be meant so."""
    if name == "":
        msg = "a buffer needs a name"
        raise OutSpecError(msg)
    if not isinstance(info, dict):
        msg = f"buffer '{name}': expected a dictionary with a key_list, not {info!r}"
        raise OutSpecError(msg)
    for field in info:
        if field not in BUFFER_FIELDS:
            hint = did_you_mean(str(field), BUFFER_FIELDS)
            msg = f"buffer '{name}': unknown field '{field}'{hint}"
            raise OutSpecError(msg)
    if "key_list" not in info:
        msg = f"buffer '{name}' has no key_list"
        raise OutSpecError(msg)
    if not isinstance(info["key_list"], list):
        msg = f"buffer '{name}': key_list is {info['key_list']!r}, not a list"
        raise OutSpecError(msg)


def _is_pattern(info: dict) -> bool:
    """Whether the keys of a buffer are known only when the stream is open."""
    return any(has_wildcard(key) for key in info["key_list"])


def _expand_ranges(name: str, key_list: list) -> None:
    """Replace each list of two integers by the range from one to the other."""
    i = 0
    while i < len(key_list):
        entry = key_list[i]
        if not isinstance(entry, list):
            i += 1
            continue
        if (
            len(entry) != 2
            or not all(isinstance(end, int) for end in entry)
            or entry[0] > entry[1]
        ):
            msg = f"buffer '{name}': {entry!r} in key_list is no range [first, last]"
            raise OutSpecError(msg)
        keys = range(entry[0], entry[1] + 1)
        key_list[i : i + 1] = keys
        i += len(keys)

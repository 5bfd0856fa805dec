"""The shorthand of output specifications, expanded.

Names and keys are expanded in the user's dictionary, as in legend-daq2lh5, whose users
read them there. Values of keywords and environment variables are not: the dictionary is
as good for the next file.
"""

from __future__ import annotations

import os
import re
import string
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import numpy as np

from .errors import OutSpecError, UndefinedKeywordError, did_you_mean, show
from .paths import (
    LITERAL_DOLLAR,
    bound_variables,
    escape,
    expand_home,
    expand_variables,
    literal,
)

BUFFER_FIELDS = ("key_list", "out_stream", "out_name", "proc_spec")
"""What the description of a buffer may say."""

MAX_KEYS = 2**20
"""Keys of a decoder. More than any experiment has: such a range is meant as ``*``."""

MAX_BUFFERS = 2**16
"""Buffers of a decoder: each is a table with datasets of its own."""

MAX_WIDTH = 1000
"""Largest number in the format of a field, such as a width."""

LITERAL_KEYWORDS = ("orig_basename", "name", "key")
"""Keywords whose values have no environment variables in them."""


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


# ---- templates -----------------------------------------------------------------------


def fields_of(template: str) -> set[str]:
    """Return the names of the fields in a template.

    Raises
    ------
    ValueError
        if it is none.
    """
    fields = set()
    for _, name, spec, _ in string.Formatter().parse(template):
        if name is not None:
            fields |= {_root(name)} | fields_of(spec or "")
    return fields


def fill_in(
    template: str,
    values: Mapping[str, Any],
    keep: tuple[str, ...] = (),
    again: bool | None = None,
) -> str:
    """Format `template`, leaving the fields named in `keep` as they stand.

    Parameters
    ----------
    template
        text as for :meth:`str.format`. ``${NAME}``, where `values` have none of this
        name, is an environment variable and stays.
    values
        by name of the field.
    keep
        fields that stay where `values` have none of the name.
    again
        whether the result is formatted again, so that braces which are no fields are
        doubled; by default if a field stays.

    Raises
    ------
    KeyError
        if `values` lack a field.
    ValueError
        if the template is none, or a value cannot be formatted as asked.
    """
    if "{" not in template and "}" not in template:
        return template
    parts = list(string.Formatter().parse(template))
    if again is None:
        again = any(
            name is not None and _stays(name, values, keep) for _, name, _, _ in parts
        )
    protect = escape if again else str
    out: list[str] = []
    for text, name, spec, conversion in parts:
        out.append(protect(text))
        if name is None:
            continue
        field = "{" + name
        field += f"!{conversion}" if conversion else ""
        field += f":{spec}" if spec else ""
        field += "}"
        if _stays(name, values, keep):
            out.append(field)
        elif text.endswith("$") and field == "{" + name + "}" and name not in values:
            out.append(protect(field))
        else:
            out.append(protect(_formatted(field, name, spec or "", values)))
    return "".join(out)


def _root(field: str) -> str:
    """Return the name at the start of a field like ``run.number[0]``."""
    return field.partition(".")[0].partition("[")[0]


def _stays(name: str, values: Mapping[str, Any], keep: tuple[str, ...]) -> bool:
    return _root(name) in keep and _root(name) not in values


def _formatted(field: str, name: str, spec: str, values: Mapping[str, Any]) -> str:
    """Return the value of a field."""
    if _root(name) not in values:
        raise KeyError(_root(name))
    value = values[_root(name)]
    if value is None or isinstance(value, (Mapping, list, tuple, set)):
        msg = f"'{_root(name)}' is {show(value)}: neither text nor number"
        raise ValueError(msg)
    spec = spec.format_map(values) if "{" in spec else spec
    digits = "".join(c if c in string.digits else " " for c in spec).split()
    if any(len(d) > 9 or int(d) > MAX_WIDTH for d in digits):
        msg = f"the format of '{show(field)}' is wider than {MAX_WIDTH}"
        raise ValueError(msg)
    try:
        return field.format_map(values)
    except Exception as e:
        # values are of any type, with errors of their own
        msg = f"{show(value)} cannot be formatted as {show(field)}: {show(str(e))}"
        raise ValueError(msg) from e


# ---- names and keys ------------------------------------------------------------------


def expand_spec(config: Any) -> dict[str, dict[str, dict]]:
    """Return a specification with names and keys expanded, as a new dictionary."""
    if not isinstance(config, dict):
        msg = f"expected a dictionary of decoders, not {show(config)}"
        raise OutSpecError(msg)
    return {
        decoder: expand_buffers(_with_decoder(decoder, buffers))
        for decoder, buffers in config.items()
    }


def expand_buffers(buffers: Any) -> dict[str, dict]:
    """Return the buffers of a decoder with names and keys expanded, as new dictionary.

    What is expanded already comes out as it is.
    """
    if not isinstance(buffers, dict):
        msg = f"the buffers of a decoder are a dictionary by name, not {show(buffers)}"
        raise OutSpecError(msg)
    expanded: dict[str, dict] = {}

    def add(name: str, info: dict) -> None:
        if name in expanded:
            msg = f"there are two buffers {show(name)}, once all names are expanded"
            raise OutSpecError(msg)
        if len(expanded) >= MAX_BUFFERS:
            msg = f"more than {MAX_BUFFERS} buffers: use '*' for all other keys"
            raise OutSpecError(msg)
        expanded[name] = info

    later = []
    n_keys = 0
    for given, description in buffers.items():
        name = _name_of(given)
        _check_description(name, description)
        info = dict(description)
        info["key_list"] = keys_of(info["key_list"], f"buffer {show(name)}")
        n_keys += len(info["key_list"])
        if n_keys > MAX_KEYS:
            msg = f"more than {MAX_KEYS} keys up to buffer {show(name)}: use patterns"
            raise OutSpecError(msg)
        if "{key" in name and not _is_pattern(info):
            later.append((name, info))
        else:
            add(name, info)
    for name, info in later:
        for key in dict.fromkeys(info["key_list"]):
            add(_name_with_key(name, key), info | {"key_list": [key]})
    return expanded


def put_back(config: dict, expanded: dict) -> None:
    """Give the user's dictionary the expanded content."""
    config.clear()
    for key, value in expanded.items():
        config[key] = value


def put_back_spec(config: dict, expanded: dict[str, dict[str, dict]]) -> None:
    """Give the user's specification, and the dictionaries in it, expanded content."""
    seen = set()
    for decoder, buffers in expanded.items():
        if id(config[decoder]) in seen:
            # two decoders had one dictionary, and names may differ by decoder
            config[decoder] = buffers
        else:
            seen.add(id(config[decoder]))
            put_back(config[decoder], buffers)


def plain_keys(keys: Iterable) -> list | range:
    """Return keys as a list, where NumPy's numbers are plain ones; a range stays."""
    if isinstance(keys, range):
        return keys
    return [k.item() if isinstance(k, np.generic) else k for k in keys]


def keys_of(key_list: Any, whose: str) -> list[int | str]:
    """Return a list of keys, where ranges are replaced by their keys.

    Parameters
    ----------
    key_list
        list, tuple, range, set or array of keys; two integers in a list or tuple in it
        are the ends of a range.
    whose
        what has the keys, for messages.
    """
    keys: list[int | str] = []
    for entry in _entries(key_list, whose):
        if isinstance(entry, (list, tuple)):
            keys += _range_of(entry, whose)
        elif isinstance(entry, range):
            keys += islice(entry, MAX_KEYS + 1)
        else:
            keys.append(_key_of(entry, whose))
        if len(keys) > MAX_KEYS:
            msg = f"{whose}: more than {MAX_KEYS} keys in key_list; '*' stands for all"
            raise OutSpecError(msg)
    return keys


def _entries(key_list: Any, whose: str) -> list:
    """Return what is in a list of keys, of whatever type."""
    if isinstance(key_list, range):
        return [key_list]
    if isinstance(key_list, np.ndarray) and key_list.ndim > 0:
        key_list = key_list.tolist()
    elif isinstance(key_list, (set, frozenset)):
        # their order is another one in each process
        key_list = sorted(
            key_list, key=lambda k: (isinstance(k, str), str(k).zfill(20))
        )
    no_list = isinstance(key_list, (str, bytes, Mapping))
    if no_list or not isinstance(key_list, Iterable):
        msg = f"{whose}: key_list is {show(key_list)}, not a list"
        if isinstance(key_list, (str, int)):
            msg += f": write [{show(key_list)}]"
        raise OutSpecError(msg)
    if isinstance(key_list, (list, tuple)):
        return list(key_list)
    return list(islice(key_list, MAX_KEYS + 1))


def _key_of(entry: Any, whose: str) -> int | str:
    """Return a key as plain number or text."""
    if isinstance(entry, str):
        return str(entry)
    if isinstance(entry, (np.generic, np.ndarray)) and entry.ndim == 0:
        entry = entry.item()
    if isinstance(entry, float) and entry.is_integer():
        entry = int(entry)
    if not isinstance(entry, int) or isinstance(entry, bool):
        msg = f"{whose}: {show(entry)} in key_list is neither a number nor text"
        raise OutSpecError(msg)
    return entry


def _range_of(ends: list | tuple, whose: str) -> list[int]:
    """Return the integers from one to another."""
    wrong = f"{whose}: {show(ends)} in key_list is no range [first, last]"
    if len(ends) != 2 or any(isinstance(end, (list, tuple)) for end in ends):
        raise OutSpecError(wrong)
    first, last = (_key_of(end, whose) for end in ends)
    if isinstance(first, str) or isinstance(last, str) or first > last:
        raise OutSpecError(wrong)
    if last - first >= MAX_KEYS:
        msg = (
            f"{whose}: the range {show(ends)} has more than {MAX_KEYS} keys; "
            "'*' stands for all"
        )
        raise OutSpecError(msg)
    return list(range(first, last + 1))


def _name_of(name: Any) -> str:
    """Return the name of a buffer; in YAML it may be a number or a date."""
    if name is None or isinstance(name, (bool, float, tuple)):
        msg = f"a buffer is called {show(name)}: put its name in quotes"
        raise OutSpecError(msg)
    return str(name)


def _name_with_key(name: str, key: int | str) -> str:
    try:
        return fill_in(name, {"key": key})
    except KeyError as e:
        msg = (
            f"{e} in the name of buffer {show(name)}: only {{key}} and {{name}} can "
            "stand there, keywords belong in out_stream and out_name"
        )
        raise OutSpecError(msg) from None
    except ValueError as e:
        msg = f"buffer {show(name)}, key {show(key)}: {e}"
        raise OutSpecError(msg) from None


def _with_decoder(decoder: Any, buffers: Any) -> Any:
    """Return buffers with the decoder filled in in their names."""
    if decoder == "*" or not isinstance(buffers, dict):
        return buffers
    short = str(decoder).removesuffix("Decoder")
    filled_in: dict[str, Any] = {}
    for name, info in buffers.items():
        full = _name_of(name).replace("{name}", short)
        if full in filled_in:
            msg = f"{show(decoder)}: there are two buffers {show(full)}"
            raise OutSpecError(msg)
        filled_in[full] = info
    return filled_in


def _check_description(name: str, info: Any) -> None:
    """Refuse a description of a buffer that cannot be meant so."""
    if name == "":
        msg = "a buffer needs a name"
        raise OutSpecError(msg)
    if not isinstance(info, dict):
        msg = (
            f"buffer {show(name)}: expected a dictionary with a key_list, not "
            f"{show(info)}"
        )
        raise OutSpecError(msg)
    for field in info:
        if field not in BUFFER_FIELDS:
            hint = did_you_mean(str(field), BUFFER_FIELDS)
            msg = f"buffer {show(name)}: unknown field {show(field)}{hint}"
            raise OutSpecError(msg)
    if "key_list" not in info:
        msg = f"buffer {show(name)} has no key_list"
        raise OutSpecError(msg)


def _is_pattern(info: dict) -> bool:
    """Whether the keys of a buffer are known only when the stream is open."""
    return any(has_wildcard(key) for key in info["key_list"])


# ---- what goes where -----------------------------------------------------------------


def describe(
    name: str,
    info: dict,
    keywords: Mapping[str, Any],
    decoder: str = "",
    lenient: bool = True,
) -> dict[str, Any]:
    """Return the arguments of :class:`.RawBuffer` for an expanded description.

    Parameters
    ----------
    name, info
        the buffer.
    keywords
        values of keywords.
    decoder
        whose buffer it is.
    lenient
        leave environment variables that are not set as they stand.
    """
    out_stream = _out_stream_of(name, info.get("out_stream", ""))
    out_name = _out_name_of(name, info)
    values: dict[str, Any] = {"name": name} | dict(keywords)
    pattern = _is_pattern(info)
    if len(info["key_list"]) == 1 and not pattern:
        values.setdefault("key", info["key_list"][0])
    if decoder == "*" and "name" not in keywords:
        # the name is itself a template
        out_stream = out_stream.replace("{name}", name)
        if "out_name" in info:
            out_name = out_name.replace("{name}", name)
        del values["name"]
    # what a pattern stands for is known when the stream is open
    again = decoder == "*" or (
        "key" not in values and "{key" in out_name + (out_stream if pattern else "")
    )
    keep = ("key", "name") if again else ()
    filled = {}
    bounded = bound_variables(out_stream)
    for field, text in (("out_stream", bounded), ("out_name", out_name)):
        if field == "out_name" and "out_name" not in info:
            filled[field] = out_name
            continue
        try:
            filled[field] = fill_in(text, _Masked(values), keep, again)
        except KeyError as e:
            msg = f"{e} in {field} of buffer {show(name)} is not defined"
            raise UndefinedKeywordError(msg) from None
        except ValueError as e:
            msg = f"{field} of buffer {show(name)}: {e}"
            raise OutSpecError(msg) from None
    filled["out_name"] = literal(filled["out_name"])
    try:
        filled["out_stream"] = expand_out_stream(filled["out_stream"], again, lenient)
    except ValueError as e:
        msg = f"out_stream of buffer {show(name)}: {e}"
        raise OutSpecError(msg) from None
    if not again:
        check_place(filled["out_stream"], filled["out_name"], f"buffer {show(name)}")
    return {
        "key_list": info["key_list"],
        "proc_spec": info.get("proc_spec"),
        **filled,
    }


def check_place(out_stream: str, out_name: str, whose: str) -> None:
    """Refuse paths that no table of an HDF5 file can have."""
    group = split_out_stream(out_stream)[1]
    parts = [p for p in out_name.split("/") if p]
    wrong = {".", ".."}.intersection([*parts, *group.split("/")])
    if wrong or not parts or "\0" in out_name + group:
        path = f"{group}/{out_name}".replace("//", "/")
        msg = f"{whose}: {show(path)} cannot be the path of a table"
        raise OutSpecError(msg)


class _Masked(dict):
    """Values of keywords, where ``$`` begins no variable if they are not for that."""

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, str) and "\0" in value:
            msg = "there is a null byte in it"
            raise ValueError(msg)
        if name in LITERAL_KEYWORDS and isinstance(value, str):
            return value.replace("$", LITERAL_DOLLAR)
        return value


def _out_stream_of(name: str, value: Any) -> str:
    if not isinstance(value, (str, os.PathLike)):
        msg = (
            f"buffer {show(name)}: out_stream is {show(value)}; give the name of a "
            "file, or leave it out if rows are not to be written"
        )
        raise OutSpecError(msg)
    text = os.fsdecode(value)
    if "\0" in text:
        msg = f"buffer {show(name)}: there is a null byte in the out_stream"
        raise OutSpecError(msg)
    return text


def _out_name_of(name: str, info: dict) -> str:
    value = info.get("out_name", name)
    number = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (number or (isinstance(value, str) and value and "\0" not in value)):
        msg = f"buffer {show(name)}: out_name is {show(value)}; give a table's name"
        raise OutSpecError(msg)
    return str(value)


def expand_out_stream(
    out_stream: str, template: bool = False, lenient: bool = False
) -> str:
    """Return where a buffer goes with ``~`` and environment variables expanded."""
    file, _ = split_out_stream(literal(out_stream))
    rest = out_stream
    known = ""
    if "$" in file and os.path.exists(file):
        # the first as many characters
        known, rest = out_stream[: len(file)], out_stream[len(file) :]
    rest = expand_variables(rest, template=template, lenient=lenient)
    return expand_home(literal(known) + rest)


def expand_rblist_dict(config: dict, kw_dict: dict[str, str]) -> None:
    """Expand the shorthand of one decoder's buffers, in place, keywords included.

    See :meth:`.RawBufferLibrary.set_from_dict`.
    """
    expanded = expand_buffers(config)
    for name, info in expanded.items():
        described = describe(name, info, kw_dict)
        info |= {f: described[f] for f in ("out_stream", "out_name") if f in info}
    put_back(config, expanded)

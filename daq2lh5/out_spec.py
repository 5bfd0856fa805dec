"""Expansion of the shorthand in output specifications.

Names and keys are expanded in the user's dictionary, where users of legend-daq2lh5 read
them. Values of keywords and environment variables stay out of it, so that the same
dictionary serves for the next file.
"""

from __future__ import annotations

import os
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
from .places import check_file, check_place, split_out_stream

BUFFER_FIELDS = ("key_list", "out_stream", "out_name", "proc_spec")
"""Fields in the description of a buffer."""

MAX_KEYS = 2**20
"""Most keys of a decoder, more than any experiment has; ``*`` stands for all."""

MAX_BUFFERS = 2**16
"""Most buffers of a decoder; each is a table with datasets of its own."""

MAX_WIDTH = 1000
"""Largest number in a field's format, such as a width."""

LITERAL_KEYWORDS = ("orig_basename", "name", "key")
"""Keywords in whose values ``$`` is an ordinary character."""


def has_wildcard(key: object) -> bool:
    """Whether a key of a key list is a pattern."""
    return isinstance(key, str) and "*" in key


# ---- templates -----------------------------------------------------------------------


def fields_of(template: str) -> set[str]:
    """Return the names of the fields in a template.

    Raises
    ------
    ValueError
        if it is invalid.
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
        text as for :meth:`str.format`. ``${NAME}`` is an environment variable and
        stays, unless `values` has the name.
    values
        by name of the field.
    keep
        fields that stay if `values` lacks them.
    again
        whether the result is a template, in which literal braces are doubled; by
        default if a field stays.

    Raises
    ------
    KeyError
        if `values` lacks a field.
    ValueError
        if the template is invalid, or does not fit a value.
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


def fill_in_field(
    template: str,
    values: Mapping[str, Any],
    where: str,
    keep: tuple[str, ...] = (),
    again: bool | None = None,
) -> str:
    """Format a template of the specification; see `fill_in` for the arguments.

    Raises
    ------
    UndefinedKeywordError, OutSpecError
        with `where` the template stands.
    """
    try:
        return fill_in(template, values, keep, again)
    except KeyError as e:
        msg = f"{e} in {where} is not defined"
        raise UndefinedKeywordError(msg) from None
    except ValueError as e:
        msg = f"{where}: {e}"
        raise OutSpecError(msg) from None


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

    Expanding the result again changes nothing.
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
    """Replace the content of the user's dictionary by the expanded one."""
    config.clear()
    for key, value in expanded.items():
        config[key] = value


def put_back_spec(config: dict, expanded: dict[str, dict[str, dict]]) -> None:
    """Replace the content of the user's specification and of its dictionaries."""
    seen = set()
    for decoder, buffers in expanded.items():
        if id(config[decoder]) in seen:
            # two decoders share the dictionary, but names may differ by decoder
            config[decoder] = buffers
        else:
            seen.add(id(config[decoder]))
            put_back(config[decoder], buffers)


def plain_keys(keys: Iterable) -> list | range:
    """Return keys as a list with NumPy's numbers as Python's; a range stays."""
    if isinstance(keys, range):
        return keys
    return [k.item() if isinstance(k, np.generic) else k for k in keys]


def keys_of(key_list: Any, whose: str) -> list[int | str]:
    """Return a list of keys with ranges expanded.

    Parameters
    ----------
    key_list
        list, tuple, range, set or array of keys; an inner list or tuple of two integers
        is a range, from the first to the last.
    whose
        owner of the keys, for messages.
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
    """Return the entries of a key list of any type."""
    if isinstance(key_list, range):
        return [key_list]
    if isinstance(key_list, np.ndarray):
        # one without dimensions becomes a number
        key_list = key_list.tolist()
    elif isinstance(key_list, (set, frozenset)):
        # sorted, since the order in a set differs from process to process
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
    """Return a key as Python's number or text."""
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
    """Return buffers with ``{name}`` in their names replaced by the decoder."""
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
    """Refuse an invalid description of a buffer."""
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
    """Whether a buffer has key patterns, which need the stream's keys."""
    return any(has_wildcard(key) for key in info["key_list"])


# ---- files and tables ----------------------------------------------------------------


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
        keep unset environment variables as text.
    """
    out_stream = _out_stream_of(name, info.get("out_stream", ""))
    out_name = _out_name_of(name, info)
    values: dict[str, Any] = {"name": name} | dict(keywords)
    pattern = _is_pattern(info)
    if len(info["key_list"]) == 1 and not pattern:
        values.setdefault("key", info["key_list"][0])
    if decoder == "*" and "name" not in keywords:
        # the name is a template
        out_stream = out_stream.replace("{name}", name)
        if "out_name" in info:
            out_name = out_name.replace("{name}", name)
        del values["name"]
    # patterns are filled in once the stream is open
    again = decoder == "*" or (
        "key" not in values and "{key" in out_name + (out_stream if pattern else "")
    )
    keep = ("key", "name") if again else ()
    whose = f"buffer {show(name)}"
    masked = MaskedKeywords(values)
    if "out_name" in info:
        where = f"out_name of {whose}"
        out_name = fill_in_field(out_name, masked, where, keep, again)
    where = f"out_stream of {whose}"
    out_stream = bound_variables(out_stream)
    out_stream = fill_in_field(out_stream, masked, where, keep, again)
    try:
        out_stream = expand_out_stream(out_stream, again, lenient)
    except ValueError as e:
        msg = f"{where}: {e}"
        raise OutSpecError(msg) from None
    out_name = literal(out_name)
    check_file(out_stream, where)
    if not again:
        check_place(out_stream, out_name, whose)
    return {
        "key_list": info["key_list"],
        "proc_spec": info.get("proc_spec"),
        "out_stream": out_stream,
        "out_name": out_name,
    }


class MaskedKeywords(dict):
    """Values of keywords, in some of which ``$`` begins no variable.

    Parameters
    ----------
    values
        by name.
    literal
        names of those.
    """

    def __init__(
        self, values: Mapping[str, Any], literal: Iterable[str] = LITERAL_KEYWORDS
    ) -> None:
        super().__init__(values)
        self._literal = frozenset(literal)

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, str) and "\0" in value:
            msg = "there is a null byte in it"
            raise ValueError(msg)
        if name in self._literal and isinstance(value, str):
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
    """Return an `out_stream` with ``~`` and environment variables expanded."""
    file, _ = split_out_stream(literal(out_stream))
    rest = out_stream
    known = ""
    if "$" in file and os.path.exists(file):
        # (LITERAL_DOLLAR is one character, too)
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

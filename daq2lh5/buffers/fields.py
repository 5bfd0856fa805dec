"""Fields in braces, as in ``{run:03d}``: names, keys and keywords of the user."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import OutSpecError, UndefinedKeywordError, show
from ..resources.paths import LITERAL_DOLLAR, escape

__all__ = ["MaskedKeywords", "fields_of", "fill_in", "fill_in_field"]

MAX_WIDTH = 1000
"""Largest number in a field's format, such as a width."""

LITERAL_KEYWORDS = ("orig_basename", "name", "key", "channel")
"""Keywords in whose values ``$`` is an ordinary character."""


class MaskedKeywords(dict):
    """Values of keywords for a text whose environment variables are expanded later.

    Parameters
    ----------
    values
        by name.
    literal
        names of the keywords in whose values ``$`` is an ordinary character.
    """

    def __init__(
        self, values: Mapping[str, Any], literal: Iterable[str] = LITERAL_KEYWORDS
    ) -> None:
        super().__init__(values)
        self._literal = frozenset(literal)

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if isinstance(value, str) and "\0" in value:
            msg = f"the value of '{name}' has a null byte"
            raise ValueError(msg)
        if name in self._literal and isinstance(value, str):
            return value.replace("$", LITERAL_DOLLAR)
        return value


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
    """Fill in the fields of a template; those named in `keep` may stay.

    Parameters
    ----------
    template
        text as for :meth:`str.format`. ``${NAME}`` is an environment variable and
        stays, unless `values` has the name.
    values
        by name of the field.
    keep
        fields that stay as they are if `values` lacks them.
    again
        whether the result is a template, too, in which literal braces are doubled; by
        default it is one if a field stays.

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
    """Fill in a template of the specification; see `fill_in` for the arguments.

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
        msg = f"'{_root(name)}' is {show(value)}; expected text or a number"
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

"""Channel maps: names of channels, and their selection by a specification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from ..errors import OutSpecError, did_you_mean, show

__all__ = ["CHANNEL", "ChannelMap"]

CHANNEL = "channel"
"""Field in braces for the name of a channel."""

RAWID = "daq.rawid"
"""Field of an entry that has the key of the channel."""


class ChannelMap:
    """The entries of a channel map.

    Parameters
    ----------
    entries
        a dictionary for each channel, by name. Its ``daq.rawid`` is the channel's key;
        ``name``, if given, is its name.
    where
        name of the map, for messages.

    Raises
    ------
    OutSpecError
        (a ValueError) if `entries` has another form, or two channels one name.
    """

    def __init__(self, entries: Any, where: str = "the channel map") -> None:
        self._where = where
        if not isinstance(entries, Mapping):
            msg = f"{where} is {show(entries)}; expected a dictionary of channels"
            raise OutSpecError(msg)
        self._fields: dict[str, dict[str, Any]] = {}
        for key, entry in entries.items():
            if not isinstance(entry, Mapping):
                msg = (
                    f"{where}: the entry {show(key)} is {show(entry)}; expected a "
                    "dictionary with the fields of the channel"
                )
                raise OutSpecError(msg)
            fields = {"name": str(key)} | dict(_fields_of(entry))
            name = str(fields["name"])
            if name in self._fields:
                msg = f"{where} has two channels with the name {show(name)}"
                raise OutSpecError(msg)
            self._fields[name] = fields

    @cached_property
    def names(self) -> dict[int, str]:
        """Names of the channels by key; channels without a key are left out."""
        return {key: names[0] for key, names in self._by_key.items()}

    @cached_property
    def _by_key(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for name, fields in self._fields.items():
            if _is_key(fields.get(RAWID)):
                found.setdefault(fields[RAWID], []).append(name)
        return found

    def select(self, wanted: Mapping[str, Any], whose: str) -> list[int]:
        """Return the keys of the channels whose fields have certain values, sorted.

        Parameters
        ----------
        wanted
            values by field: ``{"system": "geds", "daq.crate": [0, 1]}``. One of the
            values in a list is enough; in text ``*`` stands for anything.
        whose
            owner of the selection, for messages.

        Raises
        ------
        OutSpecError
            (a ValueError) if no entry has a field or value, or no channel has all of
            them; or if a selected channel has no key, or shares it with another.
        """
        if not wanted:
            msg = f"{whose}: {{}} in key_list; expected fields of the channel map"
            raise OutSpecError(msg)
        found = set(self._fields)
        for field, values in wanted.items():
            found &= self._with_values(str(field), values, whose)
        if not found:
            msg = (
                f"{whose}: no channel of {self._where} has all of {show(dict(wanted))}"
            )
            raise OutSpecError(msg)
        keys = sorted(map(self._key_of, found))
        for key in keys:
            self.name_of(key, whose)
        return keys

    def name_of(self, key: Any, whose: str) -> str:
        """Return the name of the channel with a key.

        Raises
        ------
        OutSpecError
            (a ValueError) if the map has no such channel, or two.
        """
        names = self._by_key.get(key, [])
        if not names:
            msg = f"{whose}: {self._where} has no channel with the {RAWID} {show(key)}"
            raise OutSpecError(msg)
        if len(names) > 1:
            msg = (
                f"{self._where}: {show(names[0])} and {show(names[1])} have the same "
                f"{RAWID} {key}"
            )
            raise OutSpecError(msg)
        return names[0]

    def _with_values(self, field: str, values: Any, whose: str) -> set[str]:
        """Return the names of the channels whose field has one of the values."""
        there = {n: f[field] for n, f in self._fields.items() if field in f}
        if not there:
            known = {name for fields in self._fields.values() for name in fields}
            msg = (
                f"{whose}: no channel of {self._where} has a field {show(field)}"
                f"{did_you_mean(field, known)}"
            )
            raise OutSpecError(msg)
        found: set[str] = set()
        for value in values if isinstance(values, (list, tuple)) else [values]:
            fitting = {n for n, v in there.items() if _fits(v, value)}
            if not fitting:
                hint = did_you_mean(
                    str(value), sorted({str(v) for v in there.values()})
                )
                msg = (
                    f"{whose}: no channel of {self._where} has the {field} "
                    f"{show(value)}{hint}"
                )
                raise OutSpecError(msg)
            found |= fitting
        return found

    def _key_of(self, name: str) -> int:
        key = self._fields[name].get(RAWID)
        if not _is_key(key):
            msg = (
                f"{self._where}: {RAWID} of {show(name)} is {show(key)}; expected the "
                "key of the channel, an integer"
            )
            raise OutSpecError(msg)
        return key


def _is_key(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fields_of(entry: Mapping, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields of an entry; names of nested fields have dots."""
    for name, value in entry.items():
        if isinstance(value, Mapping):
            yield from _fields_of(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def _fits(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and isinstance(found, str):
        return found == wanted or ("*" in wanted and fnmatchcase(found, wanted))
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)

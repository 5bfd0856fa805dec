"""Settings of single columns: how their datasets are compressed and chunked."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from ..buffers.column import VECTOR_DATATYPE
from ..errors import did_you_mean
from ..writing.codecs import codec_of
from ..writing.merging import merge_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ColumnSettings"]

WAVEFORM_MEMBERS = ("values", "t0", "dt")


class _Settings(NamedTuple):
    """Settings of a column: HDF5 settings, and a codec of waveforms or None."""

    hdf5: dict[str, Any]
    codec: Any


class _Given:
    """Settings by path, parsed, and the paths of existing datasets."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        # kept, because its id identifies it
        self.given = given
        self.parsed = {str(p): _parsed(str(p), value) for p, value in given.items()}
        self.used: set[str] = set()

    def everywhere(self, path: str) -> Iterator[_Settings]:
        """Yield the settings of a path in any table."""
        if path in self.parsed:
            self.used.add(path)
            yield self.parsed[path]

    def of_tables(self, path: str, names: list[str]) -> Iterator[_Settings]:
        """Yield the settings of a path behind a name, if one of `names` fits."""
        for given, settings in self.parsed.items():
            pattern = given.removesuffix(f"/{path}")
            if pattern != given and any(fnmatchcase(n, pattern) for n in names):
                self.used.add(given)
                yield settings


NOTHING = _Given({})


class ColumnSettings:
    """Settings of single columns, by path.

    Settings for one table win over settings for all tables; otherwise the argument wins
    over the specification.

    Parameters
    ----------
    given
        by the path of a column in its table (``"baseline"``, ``"waveform/values"``),
        which may follow the name of a table or decoder and a slash, also with the
        wildcards of :mod:`fnmatch`: HDF5 settings, or a codec of waveforms.
    specified
        the same, from the top level of the specification.

    Raises
    ------
    ValueError
        if a codec is unknown, or has unknown parameters.
    """

    def __init__(
        self, given: Mapping[str, Any], specified: Mapping[str, Any] | None = None
    ) -> None:
        self._argument = _Given(given)
        self._specified = _Given(specified or {})
        # of single buffers, by id of the dictionary
        self._own: dict[int, _Given] = {}
        self._seen: set[str] = set()

    def applied(
        self,
        columns: dict[str, dict[str, Any]],
        names: Iterable[str],
        own: Mapping[str, Any] | None = None,
    ) -> dict[str, dict[str, Any]]:
        """Return the columns of a table with their settings.

        Parameters
        ----------
        columns
            as in `decoded_values` of a decoder; they are not changed.
        names
            of the table and its decoder.
        own
            settings in the specification for this table.

        Raises
        ------
        ValueError
            if settings are given for a waveform as a whole.
        """
        mine = self._given_for(own) if own else NOTHING
        if not any(g.parsed for g in (self._argument, self._specified, mine)):
            return columns
        changed = dict(columns)
        names = list(names)
        for name, description in columns.items():
            members = _members_of(description)
            if members == WAVEFORM_MEMBERS and [*self._of(name, names, mine)]:
                wanted = ", ".join(f"'{name}/{m}'" for m in WAVEFORM_MEMBERS)
                msg = f"column_settings: '{name}' is a waveform: give {wanted}"
                raise ValueError(msg)
            for member in members:
                path = f"{name}/{member}" if member else name
                self._seen.add(path)
                for settings in self._of(path, names, mine):
                    changed[name] = _with_settings(changed[name], member, settings)
        return changed

    def _given_for(self, own: Mapping[str, Any]) -> _Given:
        if id(own) not in self._own:
            self._own[id(own)] = _Given(own)
        return self._own[id(own)]

    def _of(self, path: str, names: list[str], mine: _Given) -> Iterator[_Settings]:
        """Yield the settings of a column; later ones win."""
        yield from self._specified.everywhere(path)
        yield from self._argument.everywhere(path)
        yield from self._specified.of_tables(path, names)
        yield from mine.everywhere(path)
        yield from self._argument.of_tables(path, names)

    def unused(self) -> list[str]:
        """Return a message for each path that no dataset had."""
        unused = [
            path
            for given in (self._specified, self._argument, *self._own.values())
            for path in given.parsed
            if path not in given.used
        ]
        return [
            f"column_settings: no table has a dataset '{path}'"
            f"{did_you_mean(path, self._seen)}"
            for path in dict.fromkeys(unused)
        ]


def _parsed(path: str, value: Any) -> _Settings:
    codec = codec_of(value, path)
    if codec is not None:
        return _Settings({}, value)
    settings = dict(value) if isinstance(value, Mapping) else {"compression": value}
    compression = settings.get("compression")
    codec = codec_of(compression, path)
    if codec is not None:
        del settings["compression"]
        return _Settings(settings, compression)
    if isinstance(compression, Mapping):
        # an object of hdf5plugin
        settings |= compression
    return _Settings(settings, None)


def _members_of(description: dict[str, Any]) -> tuple[str, ...]:
    """Return the members of a column that take settings; "" is the column itself."""
    datatype = description.get("datatype")
    if datatype == "waveform":
        return WAVEFORM_MEMBERS
    # a vector is a group of two datasets, which take none
    return () if datatype == VECTOR_DATATYPE else ("",)


def _with_settings(
    description: dict[str, Any], member: str, settings: _Settings
) -> dict[str, Any]:
    """Return the description of a column with the settings of one of its members."""
    changed = dict(description)
    if not member:
        if settings.codec is not None:
            changed["compression"] = settings.codec
        before = changed.get("hdf5_settings", {})
        changed["hdf5_settings"] = merge_settings(before, settings.hdf5)
        return changed
    own = dict(changed.get("hdf5_settings", {}))
    own[member] = merge_settings(own.get(member, {}), settings.hdf5)
    changed["hdf5_settings"] = own
    compression = dict(changed.get("compression", {}))
    if settings.codec is not None:
        compression[member] = settings.codec
    elif "compression" in settings.hdf5:
        # replaces a codec
        compression.pop(member, None)
    changed["compression"] = compression
    return changed

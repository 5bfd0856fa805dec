"""Settings of single columns: how their datasets are compressed and chunked."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from ..buffers.column import VECTOR_DATATYPE
from ..errors import did_you_mean
from ..writing.codecs import codec_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ColumnSettings"]

WAVEFORM_MEMBERS = ("values", "t0", "dt")


class _Settings(NamedTuple):
    """Settings of a column: HDF5 settings, and a codec of waveforms or None."""

    hdf5: dict[str, Any]
    codec: Any


class ColumnSettings:
    """Settings of single columns, by path.

    Parameters
    ----------
    given
        by the path of a column in its table (``"baseline"``, ``"waveform/values"``),
        which may follow the name of a table or decoder and a slash, also with the
        wildcards of :mod:`fnmatch`: HDF5 settings, or a codec of waveforms.

    Raises
    ------
    ValueError
        if a codec is unknown, or has unknown parameters.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = {
            str(path): _parsed(str(path), value) for path, value in given.items()
        }
        self._used: set[str] = set()
        self._seen: set[str] = set()

    def applied(
        self, columns: dict[str, dict[str, Any]], names: Iterable[str]
    ) -> dict[str, dict[str, Any]]:
        """Return the columns of a table with their settings.

        Parameters
        ----------
        columns
            as in `decoded_values` of a decoder; they are not changed.
        names
            of the table and its decoder.

        Raises
        ------
        ValueError
            if settings are given for a waveform as a whole.
        """
        if not self._given:
            return columns
        changed = dict(columns)
        names = list(names)
        for name, description in columns.items():
            members = _members_of(description)
            if members == WAVEFORM_MEMBERS and [*self._of(name, names)]:
                wanted = ", ".join(f"'{name}/{m}'" for m in WAVEFORM_MEMBERS)
                msg = f"column_settings: '{name}' is a waveform: give {wanted}"
                raise ValueError(msg)
            for member in members:
                path = f"{name}/{member}" if member else name
                self._seen.add(path)
                for settings in self._of(path, names):
                    changed[name] = _with_settings(changed[name], member, settings)
        return changed

    def _of(self, path: str, names: list[str]) -> Iterator[_Settings]:
        """Yield the settings of a column: of all tables, then of its own."""
        if path in self._given:
            self._used.add(path)
            yield self._given[path]
        for given, settings in self._given.items():
            pattern = given.removesuffix(f"/{path}")
            if pattern != given and any(fnmatchcase(n, pattern) for n in names):
                self._used.add(given)
                yield settings

    def unused(self) -> list[str]:
        """Return a message for each path that no dataset had."""
        return [
            f"column_settings: no table has a dataset '{path}'"
            f"{did_you_mean(path, self._seen)}"
            for path in self._given
            if path not in self._used
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
        changed["hdf5_settings"] = changed.get("hdf5_settings", {}) | settings.hdf5
        return changed
    own = dict(changed.get("hdf5_settings", {}))
    own[member] = own.get(member, {}) | settings.hdf5
    changed["hdf5_settings"] = own
    compression = dict(changed.get("compression", {}))
    if settings.codec is not None:
        compression[member] = settings.codec
    elif "compression" in settings.hdf5:
        # replaces a codec
        compression.pop(member, None)
    changed["compression"] = compression
    return changed

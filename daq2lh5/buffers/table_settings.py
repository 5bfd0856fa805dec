"""Settings of tables in output specifications: how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import OutSpecError, show

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SETTINGS", "TableSettings"]

SETTINGS = ("hdf5_settings", "column_settings")
"""Settings in the description of a buffer, or beside the decoders."""


@dataclass(frozen=True)
class TableSettings:
    """How one table, or all tables of a specification, are written.

    Attributes
    ----------
    hdf5_settings
        arguments of h5py's ``create_dataset`` for all datasets; for all tables also
        settings of files.
    column_settings
        settings of single columns, by path in the table.
    aliases
        further names of the table: in its group, or from the root if they begin with a
        slash. Aliases of a template are templates.
    """

    hdf5_settings: dict[str, Any] = field(default_factory=dict)
    column_settings: dict[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @classmethod
    def parse(cls, given: Mapping[str, Any], whose: str) -> TableSettings:
        """Check and parse the settings among the fields of a specification.

        Parameters
        ----------
        given
            all fields.
        whose
            their owner, for messages.

        Raises
        ------
        OutSpecError
            (a ValueError) if one is not a dictionary with text as keys, or aliases are
            not names.
        """
        found: dict[str, dict[str, Any]] = {}
        for name in SETTINGS:
            value = given.get(name)
            if value is None:
                continue
            if not isinstance(value, Mapping):
                msg = f"{whose}: {name} is {show(value)}; expected a dictionary"
                raise OutSpecError(msg)
            wrong = next((key for key in value if not isinstance(key, str)), None)
            if wrong is not None:
                msg = f"{whose}: {name} has the key {show(wrong)}; expected text"
                raise OutSpecError(msg)
            found[name] = dict(value)
        return cls(**found, aliases=_aliases_of(given.get("aliases"), whose))

    def renamed(self, rename: Callable[[str], str]) -> TableSettings:
        """Return the settings with other aliases: the results of a function."""
        if not self.aliases:
            return self
        return replace(self, aliases=tuple(map(rename, self.aliases)))


def _aliases_of(value: Any, whose: str) -> tuple[str, ...]:
    names = [] if value is None else [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(name, str) and name and "\0" not in name for name in names
    ):
        msg = f"{whose}: aliases is {show(value)}; expected a name, or a list of names"
        raise OutSpecError(msg)
    return tuple(dict.fromkeys(names))

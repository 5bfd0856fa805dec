"""Settings of tables in output specifications: how they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import OutSpecError, show

__all__ = ["SETTINGS", "TableSettings"]

SETTINGS = ("hdf5_settings", "column_settings")
"""Settings that stand in a buffer, or at the top level of a specification."""


@dataclass(frozen=True)
class TableSettings:
    """How one table, or all tables of a specification, are written.

    Attributes
    ----------
    hdf5_settings
        arguments of h5py's ``create_dataset`` for all datasets; of all tables also
        those of files.
    column_settings
        settings of single columns, by path in the table.
    """

    hdf5_settings: dict[str, Any] = field(default_factory=dict)
    column_settings: dict[str, Any] = field(default_factory=dict)

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
            (a ValueError) if one is not a dictionary with names.
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
        return cls(**found)

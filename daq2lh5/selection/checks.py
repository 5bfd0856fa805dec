"""Checks of buffers, before data are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import OutSpecError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..raw_buffer import RawBuffer

__all__ = ["check_aliases", "check_processing"]


def check_aliases(tables: Iterable[tuple[tuple[str, str], list[str]]]) -> None:
    """Check that aliases differ from the names of tables, and are outside of tables.

    Parameters
    ----------
    tables
        file and path of each table, and the paths of its aliases.

    Raises
    ------
    OutSpecError
        (a ValueError) if an alias is the name of another table, or inside a table.
    """
    tables = list(tables)
    if not any(aliases for _, aliases in tables):
        return
    # the table of each name
    owners = {place: place[1] for place, _ in tables}
    for (file, path), aliases in tables:
        for alias in aliases:
            owner = owners.setdefault((file, alias), path)
            if owner != path or alias == path:
                msg = (
                    f"alias '{alias}' of the table '{path}': the table '{owner}' has "
                    f"this name in {file}; give another"
                )
                raise OutSpecError(msg)
    for file, name in owners:
        parts = name.split("/")
        above = ["/".join(parts[:n]) for n in range(1, len(parts))]
        inside = next((a for a in above if (file, a) in owners), None)
        if inside is not None:
            msg = f"'{name}' in {file} would be inside the table '{inside}'"
            raise OutSpecError(msg)


def check_processing(rb: RawBuffer) -> list[str]:
    """Check a buffer's processing before data are read.

    Returns
    -------
    warnings
        a line for each part of the specification that has no effect.

    Raises
    ------
    OutSpecError
        (a ValueError) if the specification is invalid.
    ModuleNotFoundError
        if it needs dspeed, which is not installed.
    """
    try:
        spec = rb.processing
    except OutSpecError as e:
        msg = f"buffer '{rb.out_name}': {e}"
        raise OutSpecError(msg) from e
    if spec is None:
        return []
    if rb.plan is not None and rb.plan.needs_dspeed:
        from ..processing.steps import check_dspeed  # noqa: PLC0415

        check_dspeed()
    return spec.warnings

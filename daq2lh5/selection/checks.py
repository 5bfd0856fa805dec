"""Checks of buffers, before data are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import OutSpecError

if TYPE_CHECKING:
    from ..raw_buffer import RawBuffer

__all__ = ["check_processing"]


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

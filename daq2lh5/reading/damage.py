"""Messages about damaged compressed input."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .raw_input import RawInput


class DamagedError(Exception):
    """The compressed input breaks off or breaks its format."""


def cut_off(raw: RawInput) -> DamagedError:
    """Return the error for input that ends too early."""
    return DamagedError(
        f"the {raw.compression} stream is cut off: its input ends at byte "
        f"{raw.position}, in the middle of compressed data"
    )


def damaged(raw: RawInput, at: int, reason: object) -> DamagedError:
    """Return the error for input that cannot be decoded from an offset on."""
    return DamagedError(
        f"the {raw.compression} stream cannot be decoded at byte {at} of its input: "
        f"{reason}"
    )


def too_large(
    raw: RawInput, at: int, window: int | None, limit: int, command: str
) -> DamagedError:
    """Return the error for input that needs too much memory.

    Parameters
    ----------
    at
        offset in the input of the request.
    window
        bytes needed; None if unknown.
    command
        command that can decompress it.
    """
    needs = f"{window >> 20}" if window is not None else f"more than {limit >> 20}"
    return DamagedError(
        f"the {raw.compression} stream needs a window of {needs} MiB at byte {at} of "
        f"its input; the limit is {limit >> 20} MiB: decompress it by '{command}', and "
        "convert the result"
    )


def foreign(raw: RawInput, head: bytes, magics: tuple[bytes, ...]) -> DamagedError:
    """Return the error for uncompressed data behind compressed data."""
    if any(len(head) < len(magic) and magic.startswith(head) for magic in magics):
        return cut_off(raw)
    return DamagedError(
        f"the {raw.compression} stream ends at byte {raw.position - len(head)} of its "
        "input, but other data follow"
    )

"""What can go wrong, as exceptions with a message for the user.

Damage inside a stream is never an exception: it is passed over, counted and reported
(:mod:`.report`). These are for what makes a conversion impossible.
"""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING
from unicodedata import category

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "DecodeError",
    "OutSpecError",
    "UndefinedKeywordError",
    "UnknownFormatError",
    "VerificationError",
    "did_you_mean",
    "printable",
    "show",
]


class DecodeError(RuntimeError):
    """The input cannot be decoded at all.

    Parameters
    ----------
    problem
        what is wrong.
    source
        name of the input.
    offset
        byte at which it was noticed, after decompression.
    advice
        what the user can do.
    """

    def __init__(
        self,
        problem: str,
        source: str = "",
        offset: int | None = None,
        advice: str = "",
    ) -> None:
        where = f" at byte {offset}" if offset is not None else ""
        super().__init__(
            "".join(
                (
                    f"{source}: " if source else "",
                    problem,
                    where,
                    f"; {advice}" if advice else "",
                )
            )
        )
        self.source = source
        self.offset = offset


class UnknownFormatError(RuntimeError):
    """No supported format was recognized in the input."""


class VerificationError(RuntimeError):
    """A compressed chunk does not give back the bytes that were compressed."""


class OutSpecError(ValueError):
    """The output specification contradicts itself or names what does not exist."""


class UndefinedKeywordError(OutSpecError, KeyError):
    """The output specification has a keyword that nobody gives a value.

    It is a KeyError too, which is what legend-daq2lh5 raises.
    """

    __str__ = BaseException.__str__


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
_short.maxlevel = 3


def show(value: object) -> str:
    """Return a value as the user may have written it: short, and in one line."""
    return " ".join(_short.repr(value).split())


def printable(text: str) -> str:
    """Return text without control characters, which a terminal would obey.

    Names in files and of files may have any.
    """
    return "".join(
        c.encode("unicode_escape").decode() if category(c) == "Cc" else c for c in text
    )


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest of `known`, or nothing."""
    import difflib  # noqa: PLC0415  (only where something is misspelled)

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""

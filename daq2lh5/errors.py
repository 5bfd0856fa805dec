"""Exceptions with a message for the user.

Damage inside a stream raises no exception: it is skipped, counted and reported
(:mod:`.report`). These exceptions end a conversion.
"""

from __future__ import annotations

import re
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
    "WriteError",
    "did_you_mean",
    "lacks_memory",
    "printable",
    "show",
    "told",
]


class DecodeError(RuntimeError):
    """The input cannot be decoded at all.

    Parameters
    ----------
    problem
        what was found.
    source
        name of the input.
    offset
        byte of the decompressed stream.
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
                    told(problem),
                    where,
                    f"; {advice}" if advice else "",
                )
            )
        )
        self.source = source
        self.offset = offset


class WriteError(OSError):
    """An output cannot be completed; arguments as of OSError.

    Its type does not depend on the error number, as that of an OSError does: a missing
    folder of an output must not look like a missing input (FileNotFoundError).
    """


class UnknownFormatError(RuntimeError):
    """No supported format was recognized in the input."""


class VerificationError(RuntimeError):
    """A compressed chunk does not give back the bytes that were compressed."""


class OutSpecError(ValueError):
    """The output specification is invalid."""


class UndefinedKeywordError(OutSpecError, KeyError):
    """The output specification has a keyword without a value.

    It is a KeyError too, as in legend-daq2lh5.
    """

    __str__ = BaseException.__str__


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
_short.maxlevel = 3


def show(value: object) -> str:
    """Return a value as Python writes it, shortened, in one line."""
    return " ".join(_short.repr(value).split())


NOT_SHOWN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode categories of control characters and invisible characters, for example marks
that make text run from right to left."""

MAX_TOLD = 1000
"""Most characters of a text with names from the input."""


def printable(text: str) -> str:
    """Return text with control characters as escapes: a terminal would obey them.

    Names of files, and names in files, may have any.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode() if category(c) in NOT_SHOWN else c
        for c in text
    )


def told(text: str) -> str:
    """Return a text with names from the input, made printable and short."""
    if len(text) > MAX_TOLD:
        # both ends matter
        half = MAX_TOLD // 2
        text = f"{text[:half]}...{text[-half:]}"
    return printable(text)


_NO_MEMORY = re.compile(
    "memory allocation failed|(can't|can not|cannot|unable to) allocate|out of memory|"
    "failed to map segment|not enough memory",
    re.IGNORECASE,
)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error means that memory is exhausted.

    Libraries report it in various ways: HDF5 has one type for all errors.
    """
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest of `known`, or nothing."""
    import difflib  # noqa: PLC0415  (only where something is misspelled)

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""

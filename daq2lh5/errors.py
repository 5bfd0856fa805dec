"""What can go wrong, as exceptions with a message for the user.

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
                    told(problem),
                    where,
                    f"; {advice}" if advice else "",
                )
            )
        )
        self.source = source
        self.offset = offset


class WriteError(OSError):
    """An output that was begun cannot be completed; arguments as of OSError.

    Its type never depends on the error number, as that of an OSError does: a missing
    folder of an output is no missing input.
    """


class UnknownFormatError(RuntimeError):
    """No supported format was recognized in the input."""


class VerificationError(RuntimeError):
    """A compressed chunk does not give back the bytes that were compressed."""


class OutSpecError(ValueError):
    """The output specification contradicts itself or names what does not exist."""


class UndefinedKeywordError(OutSpecError, KeyError):
    """The output specification has a keyword without a value.

    It is a KeyError too, which is what legend-daq2lh5 raises.
    """

    __str__ = BaseException.__str__


_short = reprlib.Repr()
_short.maxstring = _short.maxother = 80
_short.maxlevel = 3


def show(value: object) -> str:
    """Return a value as Python writes it, shortened, in one line."""
    return " ".join(_short.repr(value).split())


NOT_SHOWN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Unicode categories of invisible characters and of control characters.

Among them are marks that have text run from right to left.
"""

MAX_TOLD = 1000
"""Characters of a text with names from the input."""


def printable(text: str) -> str:
    """Return text without control characters, which a terminal would obey.

    Names in files and of files may have any.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c.encode("unicode_escape").decode() if category(c) in NOT_SHOWN else c
        for c in text
    )


def told(text: str) -> str:
    """Return a text with names from the input as it can be told: printable, short."""
    if len(text) > MAX_TOLD:
        # both ends tell something
        half = MAX_TOLD // 2
        text = f"{text[:half]}...{text[-half:]}"
    return printable(text)


_NO_MEMORY = re.compile(
    "memory allocation failed|(can't|can not|cannot|unable to) allocate|out of memory|"
    "failed to map segment|not enough memory",
    re.IGNORECASE,
)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error is for want of memory, which libraries say in ways of their own.

    HDF5, for instance, has one type of error for all of them.
    """
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the nearest of `known`, or nothing."""
    import difflib  # noqa: PLC0415  (only where something is misspelled)

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""

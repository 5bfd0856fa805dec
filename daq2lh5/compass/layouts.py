"""Layouts of CoMPASS records, and their detection.

Files of CoMPASS 2 begin with a header word that defines the layout; files of CoMPASS 1,
and files that continue another file, begin with the first record. Sections are those of
the CoMPASS format.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from ..errors import DecodeError
from ..reading.source import open_source
from ._framing import count_in_chains, walk
from .wire import HEAD

if TYPE_CHECKING:
    from .compass_config_parser import Settings

__all__ = [
    "CompassLayout",
    "board_like_a_header",
    "detect_layout",
    "first_length",
    "has_header",
    "may_be_headerless",
    "records_contradict",
]

HEAD_BYTES = 2**20
"""Bytes to read from another file of the same run."""

MAX_RECORDS = 64
"""Number of records that suffice to accept a layout (3)."""

CHAIN = 8
"""Consecutive usual records that determine the layout of a damaged file."""

ADVICE = (
    "give the settings file (compass_config_file), or the layout (compass_layout): "
    "another file of the same run, its header word ('CAED'), or 'V1:5' for CoMPASS 1 "
    "(bit 0 energy, bit 1 calibrated energy, bit 2 energy short), 'V0:5' for its "
    "oldest versions"
)


@dataclass(frozen=True)
class CompassLayout:
    """Layout of a record.

    Attributes
    ----------
    version
        major version of CoMPASS; 0 is CoMPASS 1 with flags of 16 bits.
    energy, calibrated, short_energy
        whether a record has energies: in ADC channels, calibrated, of the short gate.
    waveforms
        whether a record of version 2 has samples; always true for version 1, where the
        number of samples may be 0.
    """

    version: int
    energy: bool
    calibrated: bool
    short_energy: bool
    waveforms: bool = True

    @classmethod
    def from_bits(cls, version: int, bits: int) -> CompassLayout:
        """Return the layout from the lowest bits of a header word.

        CoMPASS format, 1.1.
        """
        energy, calibrated, short, waveforms = (bool(bits >> i & 1) for i in range(4))
        return cls(version, energy, calibrated, short, waveforms or version < 2)

    @classmethod
    def parse(cls, text: str) -> CompassLayout:
        """Return the layout from the user's text.

        Parameters
        ----------
        text
            a header word, ``CAE0`` to ``CAEF``; or a version and bits: ``V1:5``; or
            the name of another file of the same run with a header word, or with
            records of an unambiguous layout.

        Raises
        ------
        ValueError
            if the text is invalid.
        """
        if os.path.isfile(text):
            with open_source(text) as source:
                head = bytes(source.fill(HEAD_BYTES)[:HEAD_BYTES])
            if has_header(head):
                return cls.from_bits(2, head[0])
            try:
                return detect_layout(head, len(head) < HEAD_BYTES)
            except DecodeError as e:
                msg = (
                    f"'{text}' has no header, and the layout of its records is in "
                    "doubt: give another file of the same run"
                )
                raise ValueError(msg) from e
        match = re.fullmatch(r"(?i)(?:0x)?CAE([0-9A-F])|V([01]):([0-7])", text.strip())
        if match is None:
            msg = f"'{text}' is not a layout of CoMPASS records: {ADVICE}"
            raise ValueError(msg)
        if match[1] is not None:
            return cls.from_bits(2, int(match[1], 16))
        return cls.from_bits(int(match[2]), int(match[3]))

    @property
    def parts(self) -> tuple[int, bool, bool, bool, bool]:
        """Arguments of the compiled functions: version, energies, waveforms."""
        return (
            *(self.version, self.energy, self.calibrated),
            *(self.short_energy, self.waveforms),
        )

    @property
    def bits(self) -> int:
        """The lowest bits of the header word of version 2."""
        return (
            self.energy
            | self.calibrated << 1
            | self.short_energy << 2
            | self.waveforms << 3
        )

    @property
    def word(self) -> int:
        """The header word."""
        return 0xCAE0 | self.bits

    @property
    def has_count(self) -> bool:
        """Whether records contain their number of samples."""
        return self.version < 2 or self.waveforms

    @property
    def head_bytes(self) -> int:
        """Bytes of a record before its samples (2)."""
        return HEAD.bytes_when(
            has_energy=self.energy,
            has_calibrated=self.calibrated,
            has_short_energy=self.short_energy,
            is_v0=self.version == 0,
            has_code=self.version == 2 and self.waveforms,
            has_count=self.has_count,
        )

    def __str__(self) -> str:
        if self.version == 2:
            return f"{self.word:X}"
        return f"V{self.version}:{self.bits & 7}"


def has_header(head: bytes | memoryview) -> bool:
    """Whether a file begins with a header word (format 1.1)."""
    return len(head) >= 2 and head[1] == 0xCA and head[0] & 0xF0 == 0xE0


def candidates() -> list[CompassLayout]:
    """Return all layouts that can be detected from records (3)."""
    versions = ((2, True), (1, True), (2, False))
    energies = ((True, False), (False, True), (True, True))
    return [
        CompassLayout(version, energy, calibrated, short, waveforms)
        for (version, waveforms), (energy, calibrated), short in product(
            versions, energies, (False, True)
        )
    ]


def may_be_headerless(head: bytes) -> bool:
    """Whether a file may begin with a record; weak evidence."""
    for wide, layout in product((False, True), candidates()):
        n_records, _, _, end, _ = walk(head, *layout.parts, 2, False, wide)
        if len(head) < layout.head_bytes:
            continue
        # a single incomplete record suffices with a usual board number
        if n_records or (end == "cut" and not wide):
            return True
    return False


def detect_layout(
    head: bytes | memoryview,
    at_end: bool,
    settings: Settings | None = None,
    source: str = "",
) -> CompassLayout:
    """Detect the layout of a file without a header from its records (3).

    The layout must fit up to the end, or for 64 records. In a damaged file it is the
    layout of most records, counted in sequences of at least eight.

    Parameters
    ----------
    head
        start of the file.
    at_end
        whether `head` is the whole file.
    settings
        settings of the run, if known.
    source
        name of the file, for messages.

    Raises
    ------
    DecodeError
        if no layout fits, or several layouts fit.
    """
    tries = candidates()
    fitting = [] if settings is None else [x for x in tries if is_allowed(x, settings)]
    found: list[CompassLayout] = []
    # usual board numbers first, then any
    for look, wide in product((_best, _by_chains), (False, True)):
        # a single record suffices only together with settings
        found = look(head, at_end, fitting, wide, 1) or look(
            head, at_end, tries, wide, 2
        )
        if found:
            break
    if len(found) == 1:
        return found[0]
    problem = "the file has no header, and its records fit no layout"
    single = [] if found else _best(head, at_end, tries, True, 1)
    if found or single:
        names = ", ".join(map(str, found or single))
        match = "its records fit" if found else "a single record fits"
        problem = f"the file has no header, and {match} several layouts: {names}"
    raise DecodeError(problem, source, advice=ADVICE)


def is_allowed(layout: CompassLayout, settings: Settings) -> bool:
    """Whether the settings allow a layout (format 3)."""
    if settings.energy_format == "ADCCH" and (not layout.energy or layout.calibrated):
        return False
    firmwares = {board.dpp_type for board in settings.boards}
    if firmwares == {"DPP_PSD"} and not layout.short_energy:
        return False
    if firmwares == {"DPP_PHA"} and layout.short_energy:
        return False
    return settings.mode != "WAVES" or layout.has_count


def _best(
    head: bytes | memoryview,
    at_end: bool,
    tries: list[CompassLayout],
    wide: bool,
    least: int,
) -> list[CompassLayout]:
    """Return the layouts with the best fit: several if they are equal."""
    ranked = []
    for layout in tries:
        n_records, score, same, end, _ = walk(
            head, *layout.parts, MAX_RECORDS, at_end, wide
        )
        if n_records >= least and end != "bad":
            ranked.append(((same, score, n_records, end != "cut"), layout))
    best = max((rank for rank, _ in ranked), default=None)
    return [layout for rank, layout in ranked if rank == best]


def _by_chains(
    head: bytes | memoryview,
    at_end: bool,  # noqa: ARG001
    tries: list[CompassLayout],
    wide: bool,
    least: int,  # noqa: ARG001
) -> list[CompassLayout]:
    """Return the layouts with the most records; only one if it has the majority.

    Some records can fit another layout by chance, or from an offset between records.
    """
    counts = {x: count_in_chains(head, *x.parts, CHAIN, wide) for x in tries}
    most = max(counts.values(), default=0)
    return [x for x in tries if counts[x] > most / 2]


def board_like_a_header(
    head: bytes | memoryview, at_end: bool, given: CompassLayout | None = None
) -> CompassLayout | None:
    """Return the layout of a file whose first board number equals a header word.

    There are sixteen such numbers. None if the word is a header, or in doubt; `given`
    is the user's layout.
    """
    header = CompassLayout.from_bits(2, head[0])
    if walk(head[2:], *header.parts, 1, at_end)[3] != "bad" or has_header(head[2:]):
        return None
    tries = candidates() if given is None else [given]
    found = _best(head, at_end, tries, True, 2 if given is None else 1)
    return found[0] if len(found) == 1 else None


def records_contradict(
    head: bytes | memoryview, at_end: bool, layout: CompassLayout
) -> CompassLayout | None:
    """Return the layout of records that contradict the file's header.

    None if they agree with the header's `layout`, or in doubt; `head` begins behind the
    header.
    """
    n_records, _, _, end, n_bytes = walk(head, *layout.parts, 2, at_end)
    if n_records == 2 or end != "bad" or has_header(head[n_bytes:]):
        return None
    if count_in_chains(head, *layout.parts, CHAIN):
        return None
    tries = [x for x in candidates() if x.version == 2]
    found = _by_chains(head, at_end, tries, False, CHAIN)
    return found[0] if len(found) == 1 else None


def first_length(head: bytes | memoryview, layout: CompassLayout) -> int:
    """Return the number of samples of the first record; 0 for an empty file."""
    count_at = layout.head_bytes - 4
    if not layout.has_count or len(head) < layout.head_bytes:
        return 0
    if walk(head, *layout.parts, 1, False)[3] == "bad":
        return 0
    return int.from_bytes(head[count_at : count_at + 4], "little")

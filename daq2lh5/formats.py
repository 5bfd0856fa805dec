"""The input formats, and how they are recognized.

A new format is a folder with a streamer and an entry in :data:`FORMATS`.
"""

from __future__ import annotations

import importlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .compass.options import OPTIONS as COMPASS_OPTIONS
from .errors import (
    DecodeError,
    OutSpecError,
    UnknownFormatError,
    did_you_mean,
    show,
)
from .llama.options import OPTIONS as LLAMA_OPTIONS
from .orca.decoder_names import DECODERS as ORCA_DECODERS
from .reading.magic import without_ending
from .reading.source import open_source
from .resources.paths import URL_PREFIX, expand_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .data_streamer import DataStreamer
    from .reading.source import Source
    from .streaming.options import FormatOption

__all__ = [
    "FORMATS",
    "OPTIONS",
    "Format",
    "by_extension",
    "check_joined",
    "check_options",
    "detect",
    "find",
    "known_decoders",
    "make_streamer",
]

HEAD_BYTES = 4096
"""Bytes at the start of the input that recognition may look at."""


HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Format:
    """A format of DAQ data.

    Attributes
    ----------
    name
        for ``in_stream_type``.
    description
        for the user: the program that writes it.
    extensions
        usual endings of file names, without the dot.
    decoders
        names of the decoders, as they stand in an output specification.
    probe
        returns the reason why the first bytes are of this format, or None.
    streamer
        ``module:class`` of its streamer inside the package.
    probe_if_named
        as `probe`, on weaker evidence: used if no probe fits, but the extension does.
    empty_if_named
        whether an empty file of the given name belongs to the format.
    options
        keywords of its streamer.
    can_join
        whether several files can be read as one stream.
    """

    name: str
    description: str
    extensions: tuple[str, ...]
    decoders: tuple[str, ...]
    probe: Callable[[bytes], str | None]
    streamer: str
    probe_if_named: Callable[[bytes], str | None] | None = None
    empty_if_named: Callable[[str], bool] | None = None
    options: tuple[FormatOption, ...] = ()
    can_join: bool = True

    def has_extension(self, ending: str) -> bool:
        """Whether the format has this file name extension, in any letter case."""
        return ending.lower() in {e.lower() for e in self.extensions}


def _probe_fcio(head: bytes) -> str | None:
    if head.startswith(b"\xff\x35\x65\xc4FlashCamV1"):
        return "FCIO handshake"
    return None


def _probe_orca(head: bytes) -> str | None:
    # a header packet: lengths, and the text of a property list
    return "ORCA header" if head[8:13] == b"<?xml" else None


def _probe_compass(head: bytes) -> str | None:
    # constant bits of the header word
    known = len(head) >= 2 and head[1] == 0xCA and head[0] & 0xF0 == 0xE0
    return "CoMPASS header word" if known else None


def _probe_compass_records(head: bytes) -> str | None:
    from .compass.layouts import may_be_headerless  # noqa: PLC0415  (rarely needed)

    return "CoMPASS record" if may_be_headerless(head) else None


def _is_name_of_compass(name: str) -> bool:
    from .compass.run_files import is_name_of_compass  # noqa: PLC0415  (rarely needed)

    return is_name_of_compass(name)


def _probe_llama(head: bytes) -> str | None:
    # the second is an older version, which the streamer refuses
    return "llamaDAQ header" if head[:4] in (b"LArI", b"LArU") else None


def _probe_root(head: bytes) -> str | None:
    # the directory is at the end of the file: the streamer reads it
    return "ROOT file" if head[:4] == b"root" else None


FORMATS = (
    Format(
        "FlashCam",
        "FlashCam readout in the FCIO format",
        ("fcio",),
        (
            "FCConfigDecoder",
            "FCStatusDecoder",
            "FCEventDecoder",
            "FCEventHeaderDecoder",
            "FSPConfigDecoder",
            "FSPEventDecoder",
            "FSPStatusDecoder",
        ),
        _probe_fcio,
        "fc.fc_streamer:FCStreamer",
    ),
    Format(
        "ORCA",
        "ORCA",
        ("orca",),
        ("OrcaHeaderDecoder", *ORCA_DECODERS),
        _probe_orca,
        "orca.orca_streamer:OrcaStreamer",
    ),
    Format(
        "Compass",
        "CAEN CoMPASS",
        ("bin", "BIN"),
        ("CompassHeaderDecoder", "CompassEventDecoder"),
        _probe_compass,
        "compass.compass_streamer:CompassStreamer",
        _probe_compass_records,
        _is_name_of_compass,
        COMPASS_OPTIONS,
    ),
    Format(
        "LlamaDaq",
        "llamaDAQ (Struck SIS3316)",
        ("bin",),
        ("LLAMAHeaderDecoder", "LLAMAEventDecoder"),
        _probe_llama,
        "llama.llama_streamer:LLAMAStreamer",
        options=LLAMA_OPTIONS,
    ),
    Format(
        "MGDO",
        "MGDO trees of GERDA (ROOT files)",
        ("root",),
        ("MGDOHeaderDecoder", "GETGERDADigitizerDataDecoder"),
        _probe_root,
        "mgdo.mgdo_streamer:MGDOStreamer",
        can_join=False,
    ),
)


OPTIONS = {option.name: (f, option) for f in FORMATS for option in f.options}
"""Options that belong to one format, by name, with the format."""


def check_options(given: dict[str, Any]) -> dict[str, Any]:
    """Check options of formats, and expand paths; None stands for the default.

    Raises
    ------
    TypeError
        if a value has another type than the option.
    """
    checked = {}
    for name, value in given.items():
        option = OPTIONS[name][1]
        # the streamer checks numbers, which may be NumPy scalars
        is_number = float in option.types
        if value is not None and not is_number and not isinstance(value, option.types):
            msg = f"bad {name} {show(value)}: it must be {option.kind}"
            raise TypeError(msg)
        is_path = value is not None and option.is_path
        checked[name] = expand_path(value) if is_path else value
    return checked


def paths_of_settings(name: str) -> list[str]:
    """Return the options of a format that are settings files."""
    return [key for key, (f, o) in OPTIONS.items() if f.name == name and o.is_path]


def settings_beside(name: str, in_stream: str) -> str | None:
    """Return the settings file that a format finds beside an input; None without one.

    Parameters
    ----------
    name
        of the format.
    in_stream
        name of the input.
    """
    if name != "Compass":
        return None
    from .compass.compass_config_parser import find_settings  # noqa: PLC0415

    settings = find_settings(in_stream)
    return None if settings is None else settings.path


def known_decoders() -> set[str]:
    """Return the names of the decoders of all formats."""
    return {name for format_ in FORMATS for name in format_.decoders}


def find(name: str) -> Format:
    """Return the format with a name, or an extension, in any letter case.

    Raises
    ------
    NotImplementedError
        if no format has it, or several have.
    """
    lower = name.strip().lower()
    for format_ in FORMATS:
        if format_.name.lower() == lower:
            return format_
    names = [f.name for f in FORMATS]
    found = [f for f in FORMATS if f.has_extension(lower.removeprefix("."))]
    if len(found) == 1:
        return found[0]
    if found:
        several = " and ".join(f.name for f in found)
        msg = f"'{name}' is the extension of {several}: name one of them"
        raise NotImplementedError(msg)
    msg = (
        f"unknown input stream type {show(name)}{did_you_mean(name, names)}; "
        f"known types: {', '.join(names)}"
    )
    raise NotImplementedError(msg)


def by_extension(name: str) -> Format | None:
    """Return the first format with a file name's extension, in any letter case."""
    ending = without_ending(Path(name)).suffix.removeprefix(".")
    return next((f for f in FORMATS if f.has_extension(ending)), None)


def detect(name: str, source: Source | None) -> Format:
    """Find out the format of an input from its first bytes.

    Parameters
    ----------
    name
        name of the input; its extension decides where the content cannot be read or
        fits several formats.
    source
        the opened input, or None if it cannot be read.

    Raises
    ------
    UnknownFormatError
        (a RuntimeError) if no format was recognized.
    """
    by_name = by_extension(name)
    tried = []
    if source is not None:
        head = bytes(source.fill(HEAD_BYTES)[:HEAD_BYTES])
        matches = [f for f in FORMATS if f.probe(head)]
        if by_name in matches:
            return by_name
        if matches:
            return matches[0]
        weak = None if by_name is None else by_name.probe_if_named
        if weak is not None and weak(head):
            return by_name
        names = ", ".join(f.name for f in FORMATS)
        tried.append(f"its first bytes fit none of {names}")
        if head and source.error is not None:
            tried.append(source.error)
        if not head:
            for format_ in FORMATS:
                if format_.empty_if_named is not None and format_.empty_if_named(name):
                    return format_
            if source.error is not None:
                raise DecodeError(source.error, name)
            msg = f"{name} is empty"
            raise UnknownFormatError(msg)
        if head.startswith(HDF5_MAGIC):
            msg = (
                f"{name} is an HDF5 file, not DAQ data; to process a converted file, "
                "use daq2lh5 process"
            )
            raise UnknownFormatError(msg)
        for format_ in FORMATS:
            if format_.probe_if_named is not None and format_.probe_if_named(head):
                tried.append(
                    f"they may be a {format_.name} file's without a header: then "
                    f"-t {format_.name} reads it"
                )
    elif by_name is not None:
        return by_name
    if by_name is None:
        tried.append("its extension is unknown")
    msg = (
        f"{name}: format not recognized ({'; '.join(tried)}); "
        "give in_stream_type (-t) if you know it"
    )
    raise UnknownFormatError(msg)


def can_be_read(name: str) -> bool:
    """Whether `name` is a file, a pipe or standard input."""
    if name == "-":
        return True
    try:
        mode = os.stat(name.removeprefix("file://")).st_mode
    except OSError:
        return False
    return not stat.S_ISDIR(mode)


def make_streamer(format_: Format, **kwargs: Any) -> DataStreamer:
    """Return a new streamer of a format."""
    module, _, name = format_.streamer.partition(":")
    return getattr(importlib.import_module(f"daq2lh5.{module}"), name)(**kwargs)


def check_joined(
    names: Sequence[str], format_: Format, *, is_given: bool = False
) -> None:
    """Check that files can be read as one stream of a format.

    Pipes and standard input can be read only once: they are not looked at.

    Parameters
    ----------
    names
        names of the files.
    format_
        format of the first.
    is_given
        whether the user gives the format: files need not be recognized then.

    Raises
    ------
    NotImplementedError
        if files of this format cannot be joined.
    OutSpecError
        (a ValueError) if one of the files is of another format.
    UnknownFormatError, DecodeError
        (RuntimeErrors) if the format of a file is not recognized, or it is empty.
    OSError, ImportError
        if a file cannot be opened.
    """
    if not format_.can_join:
        msg = (
            f"{format_.name} files cannot be joined: each has its own index; "
            "convert each file to its own output"
        )
        raise NotImplementedError(msg)
    for name in names:
        path = name.removeprefix(URL_PREFIX)
        if name == "-" or (os.path.exists(path) and not os.path.isfile(path)):
            continue
        with open_source(name) as source:
            try:
                other = detect(name, source)
            except UnknownFormatError:
                if is_given and source.fill(1):
                    continue
                raise
        if other is not format_:
            msg = (
                f"{names[0]} is {format_.name} data and {name} {other.name} data: "
                "join files of one format"
            )
            raise OutSpecError(msg)

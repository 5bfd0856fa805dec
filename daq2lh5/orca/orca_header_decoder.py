r"""Decoder of header packets.

::

    word 0    id 0, length of the packet in words (its lowest 18 bits)
    word 1    length of the text in bytes
    word 2..  the text: an XML property list, and one to four zero bytes

The text is the same in files of either byte order. Length and order are found together
(:func:`find_header`).
"""

from __future__ import annotations

import base64
import json
import logging
import plistlib
import struct
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.parsers import expat

from ..errors import DecodeError
from ..writing.layout import Layout, scalar
from .orca_base import OrcaDecoder
from .orca_header import OrcaHeader
from .orca_packet import ID_SHIFT, LENGTH_MASK, header_n_words

if TYPE_CHECKING:
    import datetime as dt

    import lgdo
    import numpy as np

    from ..raw_buffer import RawBuffer, RawBufferLibrary
    from .orca_packet import OrcaPacket

log = logging.getLogger(__name__)

__all__ = ["HeaderFrame", "OrcaHeaderDecoder", "find_header", "parse_header_packet"]

TEXT_START = 8
TEXT_MAGIC = b"<?xml"
MAX_WORDS = 1 << 24
"""More than a header has: so much memory is taken before its end is seen."""

MAX_ELEMENTS = 1_000_000
"""Elements of a property list; real ones have some 10,000."""

CONTROL_CHARACTERS = bytes(c for c in range(0x20) if c not in b"\t\n\r")
LATIN_1_OF_ESCAPED = {0xDC00 + c: c for c in range(0x80, 0x100)}
"""What a byte stands for that "surrogateescape" has not decoded."""

ADVICE = (
    "nothing can be decoded without the header: "
    "compare the file with the original, or copy it again"
)


class HeaderFrame(NamedTuple):
    """How a header packet lies in a file.

    Attributes
    ----------
    byte_order
        ``little`` or ``big``: that of all packets after it.
    n_words
        length of the packet. It can be more than word 0 can say.
    n_text
        length of the text in bytes.
    """

    byte_order: str
    n_words: int
    n_text: int


def find_header(data: bytes) -> HeaderFrame | None:
    """Look for a header packet at the start of `data`.

    Parameters
    ----------
    data
        at least 13 bytes: the lengths and the start of the text.

    Returns
    -------
    frame
        None if there is no header. Nothing says that `data` has all of it.
    """
    if bytes(data[TEXT_START : TEXT_START + len(TEXT_MAGIC)]) != TEXT_MAGIC:
        return None
    for byte_order, code in (("little", "<II"), ("big", ">II")):
        word, n_text = struct.unpack_from(code, data)
        if word >> ID_SHIFT:
            continue
        # of a text of 1 MiB or more, word 0 has only the lowest bits of the length
        n_words = header_n_words(n_text)
        if n_words > MAX_WORDS:
            continue
        if n_words & LENGTH_MASK == word:
            return HeaderFrame(byte_order, n_words, n_text)
        if n_text + TEXT_START <= 4 * word:
            return HeaderFrame(byte_order, word, n_text)
    return None


def parse_header_packet(
    data: bytes, *, source: str = "", start: int = 0
) -> tuple[OrcaHeader, str]:
    """Read a header packet.

    Dates and binary data in it become strings, in ISO 8601 and base64. If the text is
    no XML for its control characters, or because it is not in UTF-8 throughout, it is
    read without those characters, or those bytes as Latin-1, with a warning.

    Parameters
    ----------
    data
        the packet's bytes, as they are in the file. What follows does not matter.
    source
        name of the input, for messages.
    start
        byte of the input at which the packet starts, for messages.

    Returns
    -------
    header
        the header.
    text
        the same as JSON.

    Raises
    ------
    DecodeError
        if there is no header, or only a part of it, or it cannot be read.
    """

    def failure(problem: str, offset: int, advice: str = ADVICE) -> DecodeError:
        return DecodeError(f"ORCA header: {problem}", source, start + offset, advice)

    frame = find_header(data)
    if frame is None:
        if bytes(data[: len(TEXT_MAGIC)]) == TEXT_MAGIC:
            problem = "text without packet lengths, as the oldest versions wrote it"
            raise failure(problem, 0, "this form is not supported: convert it by ORCA")
        problem = "no property list of a length that agrees with the packet's"
        raise failure(problem, 0, "check that this is an ORCA file")
    end = TEXT_START + frame.n_text
    if len(data) < end:
        raise cut_header(len(data), frame, source, start)

    try:
        text = bytes(data[TEXT_START:end])
        # each has a tag at its beginning, and most have one at their end
        if text.count(b"<") > 2 * MAX_ELEMENTS:
            problem = f"more elements than any header has ({MAX_ELEMENTS})"
            raise _UnreadableError(problem)
        text, repair = _as_xml(text)
        if repair:
            where = f"{source}: " if source else ""
            log.warning("%sORCA header at byte %d: %s", where, start, repair)
        content = _plist(text)
        as_json = json.dumps(content, default=_as_string)
        return OrcaHeader(jsons=as_json), as_json
    except _UnreadableError as error:
        problem, index, advice = error.args
        raise failure(problem, TEXT_START + index, advice) from error.__cause__
    except RecursionError:
        problem = "its property list is nested too deeply"
        raise failure(problem, TEXT_START) from None


def cut_header(
    n_bytes: int, frame: HeaderFrame, source: str = "", start: int = 0
) -> DecodeError:
    """Return the error for a header of which no more than some bytes are there."""
    problem = f"ORCA header: cut off ({n_bytes} of {4 * frame.n_words} bytes are there)"
    return DecodeError(problem, source, start + n_bytes, ADVICE)


class _UnreadableError(Exception):
    """A text is no property list."""

    def __init__(self, problem: str, index: int = 0, advice: str = ADVICE) -> None:
        super().__init__(problem, index, advice)


def _as_xml(text: bytes) -> tuple[bytes, str]:
    """Make XML of a text that may not quite be XML.

    Returns
    -------
    text, repair
        what has been done to it; empty if it is as it was.
    """
    error = _find_error(text)
    if error is None:
        return text, ""
    cleaned = text.translate(None, CONTROL_CHARACTERS)
    as_utf_8 = cleaned.decode("utf-8", "surrogateescape").translate(LATIN_1_OF_ESCAPED)
    problem = f"no valid XML ({error[0]})"
    for repaired, how in (
        (cleaned, "without control characters"),
        (as_utf_8.encode(), "without control characters, in part as Latin-1"),
    ):
        if _find_error(repaired) is None:
            return repaired, f"{problem}; it is read {how}"
    raise _UnreadableError(problem, error[1])


def _find_error(text: bytes) -> tuple[str, int] | None:
    """Look for an error in a text that should be XML.

    plistlib does not tell the byte, and entities must be refused whatever it does:
    replacing them can take any time and memory.

    Returns
    -------
    problem, index
        what is wrong at which byte; None if nothing is.
    """

    def refuse(*_: object) -> None:
        problem = "the XML declares entities, which ORCA never does"
        index = parser.CurrentByteIndex
        raise _UnreadableError(problem, index, "do not trust this file")

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        return expat.ErrorString(error.code), parser.ErrorByteIndex
    except (LookupError, ValueError) as error:
        # an encoding that Python does not know, or that expat cannot use
        return str(error), 0
    return None


def _plist(text: bytes) -> dict[str, Any]:
    """Return the dictionary that a property list is."""
    try:
        content = plistlib.loads(text, fmt=plistlib.FMT_XML)
    except (ValueError, OverflowError) as error:
        problem = f"no valid property list ({error})"
        raise _UnreadableError(problem) from error
    except (AttributeError, TypeError, LookupError) as error:
        # how plistlib fails on these two
        problem = "no valid property list (malformed date, or key in no dictionary)"
        raise _UnreadableError(problem) from error
    if not isinstance(content, dict):
        problem = "the property list is no dictionary"
        raise _UnreadableError(problem)
    return content


def _as_string(value: dt.datetime | bytes) -> str:
    """Return what JSON has no type for as a string."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.isoformat() + "Z"


class OrcaHeaderDecoder(OrcaDecoder):
    """Decode header packets: the header as one string, in JSON.

    See :mod:`.orca_header_decoder` for the packet.

    Parameters
    ----------
    header
        kept for compatibility: the header comes from the packet.
    **kwargs
        those of :class:`.DataDecoder`.

    Attributes
    ----------
    header
        the header that was decoded last; empty before.
    text
        the same in JSON, as it is written.
    """

    header: OrcaHeader

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if header is not None:
            log.warning("the decoder of headers was given a header: it is ignored")
        self.header = OrcaHeader()
        self.text = ""

    def make_lgdo(
        self,
        key: int | None = None,  # noqa: ARG002
        size: int | None = None,  # noqa: ARG002
    ) -> lgdo.Scalar:
        """Return the header as a string; an empty one before it is decoded."""
        import lgdo  # noqa: PLC0415  (takes a second; a conversion needs none)

        return lgdo.Scalar(self.text)

    def describe_lgdo(self) -> tuple[Layout, list[np.ndarray]]:
        """Return how the string is written."""
        return Layout(scalars={"": scalar(self.text, {})}), []

    def decode_packet(
        self,
        packet: OrcaPacket,
        packet_id: int,
        rbl: RawBufferLibrary | list[RawBuffer] | None = None,
    ) -> bool:
        """Decode a header packet.

        The header of an earlier packet is replaced, not changed.

        Parameters
        ----------
        packet
            the words as they are in the file, whatever its byte order.
        packet_id
            number of the packet; that of a file's header is 0.
        rbl
            a list of one buffer with a scalar: where to put the string.

        Returns
        -------
        full
            True: there is room for one header.

        Raises
        ------
        DecodeError
            if the packet cannot be read.
        ValueError
            if `rbl` is something else.
        """
        header, text = parse_header_packet(bytes(packet), source=f"packet {packet_id}")
        if self.header:
            self.header = OrcaHeader()
        self.header.update(header)
        self.text = text
        if rbl is not None:
            import lgdo  # noqa: PLC0415

            if len(rbl) != 1 or not isinstance(rbl[0].lgdo, lgdo.Scalar):
                msg = "the header goes to a list of one buffer with an lgdo.Scalar"
                raise ValueError(msg)
            rbl[0].lgdo.value = text
            rbl[0].loc = 1
        return True

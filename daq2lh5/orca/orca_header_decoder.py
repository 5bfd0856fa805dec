r"""Decoder of header packets.

A packet is :ref:`wire-orca_header`, whose text is an XML property list, and one to four
zero bytes (ORCA format, 1.2). The text does not depend on the byte order.
:func:`find_header` determines length and byte order together.
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
"""Latin-1 characters of bytes that "surrogateescape" left undecoded."""

ADVICE = (
    "nothing can be decoded without the header: "
    "compare the file with the original, or copy it again"
)


class HeaderFrame(NamedTuple):
    """Byte order and lengths of a header packet.

    Attributes
    ----------
    byte_order
        ``little`` or ``big``: byte order of the header and of all later packets.
    n_words
        length of the packet; it may exceed the 18 bits in word 0.
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
        None without a header. `data` may end before the header does.
    """
    if bytes(data[TEXT_START : TEXT_START + len(TEXT_MAGIC)]) != TEXT_MAGIC:
        return None
    for byte_order, code in (("little", "<II"), ("big", ">II")):
        word, n_text = struct.unpack_from(code, data)
        if word >> ID_SHIFT:
            continue
        # for texts of 1 MiB or more, word 0 has only the lowest bits of the length
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

    Dates and binary data become strings, in ISO 8601 and base64. If control characters
    make the text invalid XML, they are left out, with a warning; if some bytes are not
    valid UTF-8, they are read as Latin-1, with a warning.

    Parameters
    ----------
    data
        the packet's bytes, as they are in the file; later bytes are ignored.
    source
        name of the input, for messages.
    start
        offset of the packet in the input, for messages.

    Returns
    -------
    header
        the header.
    text
        the header as JSON.

    Raises
    ------
    DecodeError
        if the header is missing, incomplete or unreadable.
    """

    def failure(problem: str, offset: int, advice: str = ADVICE) -> DecodeError:
        return DecodeError(f"ORCA header: {problem}", source, start + offset, advice)

    frame = find_header(data)
    if frame is None:
        if bytes(data[: len(TEXT_MAGIC)]) == TEXT_MAGIC:
            problem = "text without packet lengths, a form of the oldest versions"
            advice = "this form is not supported: convert the file with ORCA"
            raise failure(problem, 0, advice)
        problem = "no property list whose length agrees with the packet's"
        raise failure(problem, 0, "check that this is an ORCA file")
    end = TEXT_START + frame.n_text
    if len(data) < end:
        raise cut_header(len(data), frame, source, start)

    try:
        text = bytes(data[TEXT_START:end])
        # an element has a start tag, and usually an end tag
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
    """Return the error for a header that is cut off after `n_bytes`."""
    problem = f"ORCA header: cut off ({n_bytes} of {4 * frame.n_words} bytes are there)"
    return DecodeError(problem, source, start + n_bytes, ADVICE)


class _UnreadableError(Exception):
    """A text is not a property list."""

    def __init__(self, problem: str, index: int = 0, advice: str = ADVICE) -> None:
        super().__init__(problem, index, advice)


def _as_xml(text: bytes) -> tuple[bytes, str]:
    """Repair a text that is not valid XML.

    Returns
    -------
    text, repair
        the text, and a description of its repair; empty if unchanged.
    """
    error = _find_error(text)
    if error is None:
        return text, ""
    cleaned = text.translate(None, CONTROL_CHARACTERS)
    as_utf_8 = cleaned.decode("utf-8", "surrogateescape").translate(LATIN_1_OF_ESCAPED)
    problem = f"not valid XML ({error[0]})"
    for repaired, how in (
        (cleaned, "without control characters"),
        (as_utf_8.encode(), "without control characters, in part as Latin-1"),
    ):
        if _find_error(repaired) is None:
            return repaired, f"{problem}; read {how}"
    raise _UnreadableError(problem, error[1])


def _find_error(text: bytes) -> tuple[str, int] | None:
    """Look for an error in an XML text.

    plistlib does not report the byte. Entities are always refused: their expansion can
    take unlimited time and memory.

    Returns
    -------
    problem, index
        the error and its byte; None without an error.
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
        # an encoding that Python or expat does not support
        return str(error), 0
    return None


def _plist(text: bytes) -> dict[str, Any]:
    """Parse a property list that contains a dictionary."""
    try:
        content = plistlib.loads(text, fmt=plistlib.FMT_XML)
    except (ValueError, OverflowError) as error:
        problem = f"invalid property list ({error})"
        raise _UnreadableError(problem) from error
    except (AttributeError, TypeError, LookupError) as error:
        # plistlib raises these for the two causes below
        problem = "invalid property list (malformed date, or key outside a dictionary)"
        raise _UnreadableError(problem) from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        problem = f"the property list is not a dictionary (found: {kind})"
        raise _UnreadableError(problem)
    return content


def _as_string(value: dt.datetime | bytes) -> str:
    """Return a value without a JSON type as a string."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value.isoformat() + "Z"


class OrcaHeaderDecoder(OrcaDecoder):
    """Decode header packets: the header becomes one string, in JSON.

    For the layout of the packet see :mod:`.orca_header_decoder`.

    Parameters
    ----------
    header
        kept for compatibility: the header comes from the packet.
    **kwargs
        see :class:`.DataDecoder`.

    Attributes
    ----------
    header
        the last decoded header; empty before the first.
    text
        the header in JSON, as it is written.
    """

    header: OrcaHeader

    def __init__(self, header: OrcaHeader | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if header is not None:
            log.warning("argument header is ignored: the header comes from its packet")
        self.header = OrcaHeader()
        self.text = ""

    def make_lgdo(
        self,
        key: int | None = None,  # noqa: ARG002
        size: int | None = None,  # noqa: ARG002
    ) -> lgdo.Scalar:
        """Return the header as a string; empty before a header is decoded."""
        import lgdo  # noqa: PLC0415  (takes a second; conversions do not need it)

        return lgdo.Scalar(self.text)

    def describe_lgdo(self) -> tuple[Layout, list[np.ndarray]]:
        """Return the layout of the string in HDF5."""
        return Layout(scalars={"": scalar(self.text, {})}), []

    def decode_packet(
        self,
        packet: OrcaPacket,
        packet_id: int,
        rbl: RawBufferLibrary | list[RawBuffer] | None = None,
    ) -> bool:
        """Decode a header packet.

        A new header replaces the previous one; the old object does not change.

        Parameters
        ----------
        packet
            the words as they are in the file, in its byte order.
        packet_id
            number of the packet; the header at the start of a file is packet 0.
        rbl
            a list of one buffer with a scalar, for the string.

        Returns
        -------
        full
            True: the buffer holds one header.

        Raises
        ------
        DecodeError
            if the packet cannot be read.
        ValueError
            if `rbl` is not such a list.
        """
        header, text = parse_header_packet(bytes(packet), source=f"packet {packet_id}")
        if self.header:
            self.header = OrcaHeader()
        self.header.update(header)
        self.text = text
        if rbl is not None:
            import lgdo  # noqa: PLC0415

            if len(rbl) != 1 or not isinstance(rbl[0].lgdo, lgdo.Scalar):
                msg = "expected a list of one buffer with an lgdo.Scalar"
                raise ValueError(msg)
            rbl[0].lgdo.value = text
            rbl[0].loc = 1
        return True

"""Packets, also behind damage (ORCA format, 1)."""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field

from kit.reference.orca.headers import Header, parse_plist


class NotOrcaError(ValueError):
    """The data do not start with a header packet."""


@dataclass
class Packet:
    """A packet as it stands in the file (format 1.1).

    ``length`` counts words, ``start`` is the word where the content starts: 0 of a
    short packet, 1 of a long one, 2 of an extended one. ``data`` are the bytes,
    little-endian but for text (format 1.3).
    """

    index: int
    offset: int
    length: int
    data_id: int
    start: int
    data: bytes
    decoder: str | None
    """Name in the header; None of a header packet."""

    def content(self) -> bytes:
        """Give the bytes as those of a long packet: content from word 1 on.

        In this form the words of an extended packet count as those of a long one.
        """
        return self.data[:4] + self.data[8:] if self.start == 2 else self.data

    def words(self) -> tuple[int, ...]:
        content = self.content()
        return struct.unpack(f"<{len(content) // 4}I", content)

    def signed(self, word: int) -> int:
        return struct.unpack_from("<i", self.content(), 4 * word)[0]

    def floats(self, word: int, n: int, step: int = 1) -> list[float]:
        """Read n words as float32, every ``step``-th one."""
        content = self.content()
        return [
            struct.unpack_from("<f", content, 4 * (word + i * step))[0]
            for i in range(n)
        ]


@dataclass
class Framing:
    """Packets of a file, and what is no packet.

    Parameters
    ----------
    packets
        all complete packets, header packets among them.
    headers
        for each packet the header in force; a header packet's is its own.
    zeros
        start and end of each block of zero words (format 7.4).
    damaged
        start and end of what was skipped (format 1.7).
    truncated
        where the last packet starts if it is cut off (format 1.6).
    big_endian
        whether the words of the file are swapped (format 1.3).
    """

    packets: list[Packet] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    zeros: list[tuple[int, int]] = field(default_factory=list)
    damaged: list[tuple[int, int]] = field(default_factory=list)
    truncated: int | None = None
    big_endian: bool = False

    def counts(self) -> dict[str, int]:
        """Count the packets by decoder; "header" stands for header packets."""
        return dict(Counter(packet.decoder or "header" for packet in self.packets))


def _header_length(data: bytes, offset: int, order: str) -> int | None:
    """Tell the words of a header packet, or None if there is none (format 1.2)."""
    if len(data) - offset < 13 or data[offset + 8 : offset + 13] != b"<?xml":
        return None
    word, n_bytes = struct.unpack_from(f"{order}2I", data, offset)
    if word >> 18 or not word:
        return None
    by_text = 2 + n_bytes // 4 + 1
    if by_text & 0x3FFFF == word & 0x3FFFF:
        return by_text
    return word if n_bytes <= 4 * word - 8 else None


class _Invalid(Exception):  # noqa: N818
    """No packet can start here."""


class _Cut(Exception):  # noqa: N818
    """The data end before the packet does."""


MAX_CHAIN = 8
"""Packets in a row that prove each other (format 1.7)."""

MAX_EXTENDED = 2**24
"""Longest extended packet in words that a search believes in (format 1.7)."""


class Scanner:
    """Finds packets; knows the data ids of the header in force."""

    def __init__(self, data: bytes, order: str) -> None:
        self.data = data
        self.order = order
        self.ids: dict[int, tuple[str, str, str]] = {}
        self.streams: set[int] = set()

    def word(self, offset: int) -> int:
        if len(self.data) - offset < 4:
            raise _Cut
        return struct.unpack_from(f"{self.order}I", self.data, offset)[0]

    def at(self, offset: int) -> tuple[int, int, int]:
        """Tell data id, length and start of content of a packet (format 1.1)."""
        word = self.word(offset)
        if word >> 31:
            data_id, length, start = word & 0xFC000000, 1, 0
        else:
            data_id, length, start = word & 0xFFFC0000, word & 0x3FFFF, 1
        if data_id == 0:
            if not length:
                raise _Invalid
            of_header = _header_length(self.data, offset, self.order)
            if of_header is None:
                raise _Invalid
            length = of_header
        elif data_id not in self.ids:
            raise _Invalid
        elif not length:
            length, start = self.word(offset + 4), 2
            if length < 2:
                raise _Invalid
        if 4 * length > len(self.data) - offset:
            raise _Cut
        return data_id, length, start

    def chains(self, offset: int) -> bool:
        """Tell whether packets in a row prove that one starts here (format 1.7)."""
        n = 0
        structure = True
        while n < MAX_CHAIN and offset < len(self.data):
            try:
                data_id, length, start = self.at(offset)
            except (_Invalid, _Cut):
                return n >= 3 and structure
            packet = self.packet(offset, data_id, length, start)
            structure = structure and self.is_sound(packet) is True
            offset += 4 * length
            n += 1
        return n > 0

    def goes_on(self, offset: int) -> bool:
        """Tell whether packets follow up to a sound one, or to the end."""
        for _ in range(MAX_CHAIN):
            if offset == len(self.data):
                return True
            try:
                data_id, length, start = self.at(offset)
            except (_Invalid, _Cut):
                return False
            if self.is_sound(self.packet(offset, data_id, length, start)) is True:
                return True
            offset += 4 * length
        return True

    def packet(self, offset: int, data_id: int, length: int, start: int) -> Packet:
        """Take a packet out of the data, its words little-endian (format 1.3)."""
        decoder = self.ids[data_id][2] if data_id else None
        content = self.data[offset : offset + 4 * length]
        if self.order == ">":
            content = _little_endian(content, decoder)
        return Packet(-1, offset, length, data_id, start, content, decoder)

    def is_sound(self, packet: Packet) -> bool | None:
        """Tell whether a packet is as its decoder wants it; None if no one knows."""
        decoder = packet.decoder
        if decoder is None:
            return True
        w = packet.words()
        if decoder == "ORRunDecoderForRun":
            return packet.length == 4
        if decoder.startswith("ORFCIO"):
            if len(w) < 3 or not (
                w[1] in self.streams or decoder == "ORFCIOConfigDecoder"
            ):
                return False
            tag = -struct.unpack_from("<i", packet.content(), 8)[0]
            return tag in (*range(1, 11), 1_000_000_001) and _frames_fit(
                packet.content()[8:]
            )
        if decoder in ("ORFlashCamADCWaveformDecoder", "ORFlashCamWaveformDecoder"):
            if len(w) < 20:
                return False
            expected = (w[1] >> 28) + (w[1] >> 22 & 0x3F) + (w[1] >> 6 & 0xFFFF) // 2
            return len(w) == expected or w[1] >> 28 == 0 or w[1] >> 6 & 0xFFFF == 0
        if decoder == "ORFlashCamListenerConfigDecoder":
            if len(w) < 13:
                return False
            n, n_cards = w[3], w[11]
            return len(w) in (2413, 13 + n + -(-n_cards // 4) + 2 * n_cards)
        if decoder == "ORFlashCamListenerStatusDecoder":
            return len(w) >= 15 and len(w) >= 15 + 39 * w[13]
        if decoder == "ORSIS3302DecoderForEnergy":
            return len(w) >= 10 and w[-1] == 0xDEADBEEF
        return None

    def next_packet(self, offset: int, stop: int | None = None) -> int | None:
        """Search for a packet after damage (format 1.7)."""
        end = len(self.data) - 3
        for candidate in range(offset + 1, end if stop is None else min(end, stop)):
            word = self.word(candidate)
            if word >> 31:
                continue
            try:
                _, length, start = self.at(candidate)
            except (_Invalid, _Cut):
                continue
            if start == 2 and length > MAX_EXTENDED:
                continue
            if self.chains(candidate):
                return candidate
        return None


def _frames_fit(payload: bytes) -> bool:
    """Tell whether FCIO records fill a packet (format 4.4)."""
    position = 0
    while len(payload) - position >= 4:
        (word,) = struct.unpack_from("<i", payload, position)
        if word < -1_000_000_001:
            return False
        position += 68 if word == -1_000_000_001 else 4 + max(word, 0)
    return position <= len(payload)


def _swapped(data: bytes, first: int, last: int) -> bytes:
    """Swap the words outside of some bytes of text (format 1.3)."""

    def swap(part: bytes) -> bytes:
        return b"".join(part[i : i + 4][::-1] for i in range(0, len(part), 4))

    return swap(data[:first]) + data[first:last] + swap(data[last:])


def _little_endian(data: bytes, decoder: str | None) -> bytes:
    if decoder is None:
        return _swapped(data, 8, len(data))
    if decoder == "ORScriptDecoderForRecord":
        return _swapped(data, 20, len(data))
    if decoder == "OR1DHistoDecoder":
        n = int.from_bytes(data[4:8], "big")
        return _swapped(data, 8, 8 + 4 * n)
    return _swapped(data, 0, 0)


def read_packets(data: bytes) -> Framing:
    """Split a file into packets (format 1).

    Blocks of zeros and damage are skipped, and a cut packet at the end is left out
    (format 1.6, 1.7 and 7.4).
    """
    if _header_length(data, 0, "<") is not None:
        order = "<"
    elif _header_length(data, 0, ">") is not None:
        order = ">"
    else:
        raise NotOrcaError("the data do not start with a header packet")
    framing = Framing(big_endian=order == ">")
    scanner = Scanner(data, order)
    header: Header | None = None
    offset = 0
    while offset < len(data):
        zeros = offset
        while data[zeros : zeros + 8] == bytes(8):
            zeros += 4
        if zeros > offset or data[offset:] == bytes(4):
            # The block ends with a word that another one does not follow.
            zeros += 4
            framing.zeros.append((offset, zeros))
            offset = zeros
            continue
        try:
            data_id, length, start = scanner.at(offset)
            packet = scanner.packet(offset, data_id, length, start)
            if framing.packets and not scanner.goes_on(offset):
                # What may be no packet says nothing of the one before.
                last = framing.packets[-1]
                if last.offset + 4 * last.length == offset and (
                    scanner.next_packet(last.offset, offset) is not None
                ):
                    raise _Invalid
        except (_Invalid, _Cut) as error:
            # A packet followed by none has a wrong length if it is unsound, or if
            # others begin inside of it.
            last = framing.packets[-1] if framing.packets else None
            was_cut = isinstance(error, _Cut)
            after = offset
            if framing.zeros and framing.zeros[-1][1] == offset:
                after = framing.zeros[-1][0]
            if (
                last is not None
                and last.offset + 4 * last.length == after
                and (
                    scanner.is_sound(last) is False
                    or scanner.next_packet(last.offset, offset) is not None
                )
            ):
                framing.packets.pop()
                framing.headers.pop()
                if after < offset:
                    framing.zeros.pop()
                offset = last.offset
                was_cut = False
            found = scanner.next_packet(offset)
            if found is None:
                # Less than two words left are no packet (format 7.1).
                if was_cut or len(data) - offset < 8:
                    framing.truncated = offset
                else:
                    framing.damaged.append((offset, len(data)))
                break
            framing.damaged.append((offset, found))
            offset = found
            continue
        packet.index = len(framing.packets)
        decoder, content = packet.decoder, packet.data
        if decoder is None:
            (n_bytes,) = struct.unpack_from("<I", content, 4)
            try:
                header = Header(parse_plist(content[8 : 8 + n_bytes]))
            except Exception:
                if header is None:
                    raise
                # In mid-file the header in force holds on.
                framing.damaged.append((offset, offset + 4 * length))
                offset += 4 * length
                continue
            scanner.ids = header.decoders()
        elif decoder == "ORFCIOConfigDecoder" and len(packet.content()) >= 8:
            scanner.streams.add(packet.words()[1])
        framing.packets.append(packet)
        assert header is not None
        framing.headers.append(header)
        offset += 4 * length
    return framing

"""Rows, and what is known from packet to packet (ORCA format)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from kit.reference.orca.columns import SCHEMAS, as_declared
from kit.reference.orca.tables import Key, table_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kit.reference.orca.fcio_inside import Stream
    from kit.reference.orca.flashcam import ListenerConfig
    from kit.reference.orca.framing import Framing, Packet
    from kit.reference.orca.headers import Header


class Row(NamedTuple):
    """A row that a packet gives; ``schema`` is a name in `SCHEMAS`."""

    schema: str
    key: Key
    values: dict[str, Any]
    header: Header
    """The current header."""


@dataclass
class Reading:
    """All that comes out of a file.

    Parameters
    ----------
    framing
        the packets.
    header
        the first header, whose text is the OrcaHeader.
    rows
        for each decoder its rows, in the order of the file.
    dropped
        what could not be decoded: how often, by decoder and reason.
    """

    framing: Framing
    header: Header
    rows: dict[str, list[Row]]
    dropped: Counter[tuple[str, str]]

    def columns(self, decoder: str, schema: str | None = None) -> dict[str, list[Any]]:
        """Arrange all rows of a decoder, whatever their keys, by column.

        Parameters
        ----------
        schema
            the kind of rows, for decoders of FCIO, which have several.
        """
        schema = schema or decoder
        rows = [row for row in self.rows.get(decoder, []) if row.schema == schema]
        return by_column(schema, rows)

    def keys(self, decoder: str, schema: str | None = None) -> list[Key]:
        """List the keys of the rows that `columns` arranges."""
        schema = schema or decoder
        return [row.key for row in self.rows.get(decoder, []) if row.schema == schema]

    def tables(self) -> dict[str, dict[str, list[Any]]]:
        """Arrange all rows as the tables of the output (format 3)."""
        found: dict[str, tuple[str, list[Row]]] = {}
        for decoder, rows in self.rows.items():
            for row in rows:
                name = table_name(decoder, row.key, row.schema, row.header)
                found.setdefault(name, (row.schema, []))[1].append(row)
        return {name: by_column(schema, rows) for name, (schema, rows) in found.items()}


def by_column(schema: str, rows: list[Row]) -> dict[str, list[Any]]:
    return {
        column: [as_declared(row.values[column], dtype) for row in rows]
        for column, dtype in SCHEMAS[schema].items()
    }


class DropError(Exception):
    """A packet, or what is left of it, cannot be decoded; says why."""


def require(is_good: object, reason: str) -> None:
    if not is_good:
        raise DropError(reason)


class State:
    """State from packet to packet, and the rows so far."""

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.header = framing.headers[0]
        self.rows: dict[str, list[Row]] = {}
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.start_anew()
        # found when a trace needs it: see there
        self.other_split: set[tuple[str, int]] | None = None

    def start_anew(self) -> None:
        """Forget what listeners and streams have sent."""
        self.listener_configs: dict[int, ListenerConfig] = {}
        self.streams: dict[int, Stream] = {}
        # samples of the first traces of SIS3320 cards, by key
        self.lengths: dict[int, int] = {}

    def add(
        self,
        packet: Packet,
        key: Key,
        values: dict[str, Any],
        *,
        decoder: str | None = None,
        schema: str | None = None,
    ) -> None:
        decoder = decoder or packet.decoder
        assert decoder is not None
        schema = schema or decoder
        if "packet_id" in SCHEMAS[schema]:
            values = {"packet_id": packet.index, **values}
        assert values.keys() == SCHEMAS[schema].keys(), values.keys()
        self.rows.setdefault(decoder, []).append(Row(schema, key, values, self.header))

    def drop(self, packet: Packet, reason: str) -> None:
        assert packet.decoder is not None
        self.dropped[packet.decoder, reason] += 1


def place_of(word: int) -> tuple[int, int, int]:
    """Read crate, card and channel where most cards have them."""
    return word >> 21 & 0xF, word >> 16 & 0x1F, word >> 8 & 0xFF


def place_columns(crate: int, card: int, channel: int) -> dict[str, int]:
    return {"crate": crate, "card": card, "channel": channel}


def halves_of(words: Iterable[int]) -> list[int]:
    """Split words into half-words, low one first."""
    return [half for word in words for half in (word & 0xFFFF, word >> 16)]


def trace_columns(samples: list[int], period: float, length: int = 0) -> dict[str, Any]:
    """Make the columns of a waveform; see the choices at the top."""
    return {
        "waveform/values": samples + [0] * (length - len(samples)),
        "waveform/t0": 0,
        "waveform/dt": period,
    }

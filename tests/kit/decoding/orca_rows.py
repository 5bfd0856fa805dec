"""Rows of ORCA files, each by its packet, as the reference reader finds them."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from kit.decoding.orca import (
    SUPPORTED,
    Tables,
)
from kit.generators.damage import COLUMNS
from kit.generators.orca import (
    CONFIG,
    EVENT,
    EVENT_HEADER,
    LISTENER,
    NEW_WAVEFORM,
    OLD_WAVEFORM,
    STATUS,
)
from kit.reference import orca as reference

if TYPE_CHECKING:
    from kit.generators.orca_damage import Sample


def signature(name: str, columns: list[str], row: list[Any]) -> tuple[bytes, ...]:
    """Describe a row by what its own bytes and the configuration say."""
    parts = [name.encode()]
    for column, value in zip(columns, row, strict=True):
        array = np.asarray(value)
        if column == "waveform/values":
            array = np.trim_zeros(array, "b")
        if array.dtype.kind == "S":
            array = array.astype("S7")
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), np.nan, array)
        parts.append(array.tobytes())
    return tuple(parts)


CONFIGURED = ("board_id", "fc_input", "timestamp", "channel")
"""Columns of traces in which the configuration of their listener has a part."""


def columns_of_interest(columns: Any, *, raw: bool = False) -> list[str]:
    """Leave out the number of the packet, and what earlier packets say.

    With `raw`, that is also what the configuration of a listener says.
    """
    more = ("channel", "waveform/values", "tracelist")
    chosen = [c for c in (*COLUMNS, *more) if c in columns]
    if "mu_offset_sec" not in columns or "obs_wps_sum_value" in columns:
        chosen = [c for c in columns if c != "packet_id"]
    elif "crate" in columns:
        left_out = ("packet_id", *(CONFIGURED if raw else ()))
        chosen = [c for c in columns if c not in left_out]
    return sorted(chosen)


def signatures(tables: Tables, *, raw: bool = False) -> Counter[Any]:
    """Count the rows of each kind, whatever their tables."""
    found: Counter[Any] = Counter()
    for name, columns in tables.items():
        chosen = columns_of_interest(columns, raw=raw)
        for row in zip(*(columns[c] for c in chosen), strict=True):
            found[signature(kind_of(name), chosen, list(row))] += 1
    return found


def kind_of(table: str) -> str:
    """Name the decoder of a table, whose name may go on with keys."""
    names = [n.removesuffix("Decoder") for n in SUPPORTED]
    return max((n for n in names if table.startswith(n)), key=len)


CONFIGURABLE = (OLD_WAVEFORM, NEW_WAVEFORM, EVENT, EVENT_HEADER, STATUS)
"""Packets of which a configuration tells how to read them, or in part what they say."""


class Origin(NamedTuple):
    """A row, its packet, and whether its configuration is one of the file."""

    packet: reference.Packet
    decoder: str
    row: reference.Row
    is_configured: bool

    def signature(self, *, raw: bool) -> tuple[bytes, ...]:
        schema = reference.SCHEMAS[self.row.schema]
        chosen = columns_of_interest(schema, raw=raw)
        values = self.row.values
        declared = [reference.as_declared(values[c], schema[c]) for c in chosen]
        return signature(kind_of(self.decoder), chosen, declared)


class _Tracing(reference.Reader):
    """Reference reader that knows the packet of each row.

    And whether the configuration that it needs, if any, is one of the undamaged file.
    """

    def __init__(self, framing: reference.Framing, of: Sample | None) -> None:
        super().__init__(framing)
        self.origins: list[Origin] = []
        self.of = of
        self.whole: dict[tuple[str, int], bool] = {}

    def add(self, packet: reference.Packet, *args: Any, **options: Any) -> None:
        super().add(packet, *args, **options)
        decoder = options.get("decoder") or packet.decoder
        row = self.rows[decoder][-1]
        is_configured = True
        if decoder in (CONFIG, LISTENER):
            self.whole[listener_of(packet, row)] = (
                self.of is None or packet.data in self.of.packets
            )
        elif decoder in CONFIGURABLE:
            is_configured = self.whole.get(listener_of(packet, row), False)
        self.origins.append(Origin(packet, decoder, row, is_configured))


def listener_of(packet: reference.Packet, row: reference.Row) -> tuple[str, int]:
    """Tell the generation of a packet, and the listener or the stream."""
    if packet.decoder.startswith("ORFCIO"):
        return "fcio", packet.words()[1]
    return "flashcam", int(row.values["fcid"])


def origins(data: bytes, of: Sample | None = None) -> list[Origin]:
    """Read the rows of a file that may be a damaged one of a sample."""
    framing = reference.read_packets(data)
    # of a damaged header in mid-file: ids that two decoders share mean nothing
    ids = framing.headers[0].decoders()
    is_sound = {id(h): h.decoders() == ids for h in framing.headers}
    if of is not None:
        add_lone_packets(framing, data, of, ids)
    reader = _Tracing(framing, of)
    reader.read()
    return [
        o
        for o in reader.origins
        if o.decoder in SUPPORTED
        and (of is None or is_sound[id(framing.headers[o.packet.index])])
    ]


def add_lone_packets(
    framing: reference.Framing, data: bytes, of: Sample, ids: dict[int, Any]
) -> None:
    """Add undamaged packets of a sample to those that the reference reader has found.

    It believes in three or more that follow each other only.
    """
    ranges = [*framing.damaged]
    if framing.truncated is not None:
        ranges.append((framing.truncated, len(data)))
    scanner = reference.Scanner(data, "<")
    scanner.ids = ids
    order = [p.offset for p in framing.packets]
    for start, end in ranges:
        for kind, content in of.events_and_configurations:
            at = data.find(content, start, end)
            while at >= 0:
                where = bisect(order, at)
                packet = scanner.packet(at, *scanner.at(at))
                is_first = not any(
                    p.decoder == kind and p.content()[4:8] == packet.content()[4:8]
                    for p in framing.packets[:where]
                )
                # a later configuration is not believed by itself
                if kind not in (CONFIG, LISTENER) or is_first:
                    order.insert(where, at)
                    framing.packets.insert(where, packet)
                    framing.headers.insert(where, framing.headers[where - 1])
                at = data.find(content, at + 1, end)
    for i, packet in enumerate(framing.packets):
        packet.index = i


@lru_cache(maxsize=32)
def rows_by_packet(data: bytes) -> dict[int, Counter[Any]]:
    """Count the rows that each packet gives, by where the packet is."""
    found: dict[int, Counter[Any]] = {}
    for origin in origins(data):
        rows = found.setdefault(origin.packet.offset, Counter())
        rows[origin.signature(raw=False)] += 1
    return found

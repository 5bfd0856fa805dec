"""Records of FCIO inside ORCA (ORCA format, 4.4)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from kit.reference import fcio
from kit.reference.orca.state import DropError, State, require

if TYPE_CHECKING:
    from kit.reference.orca.framing import Packet


class Stream(fcio.Reader):
    """State of one stream; its rows have the packet ids of ORCA."""

    def __init__(self) -> None:
        super().__init__()
        self.orca_index = 0
        self.found: list[tuple[str, str | int, dict[str, Any]]] = []
        self.history: list[tuple[int, list[tuple[int, list[bytes]]]]] = []

    def take_packet(
        self, index: int, records: list[tuple[int, list[bytes]]]
    ) -> list[tuple[str, str | int, dict[str, Any]]]:
        """Read the records of a packet and return their rows."""
        self.orca_index = index
        self.found = []
        # Records of the software trigger describe what follows in the same packet.
        self.previous_tag = None
        for tag, frames in records:
            self.take(tag, frames)
        self.history.append((index, records))
        return self.found

    def add_row(self, table: str, key: int | str, row: dict[str, Any]) -> None:
        # The configuration of the software trigger: see below.
        if table != "FSPConfig":
            self.found.append((table, key, {**row, "packet_id": self.orca_index}))

    def take_config(self, frames: list[bytes]) -> None:
        super().take_config(frames)
        config = self.config
        assert config is not None
        (row,) = self.rows["FCConfig"]
        self.rows["FCConfig"].clear()
        row["packet_id"] = self.orca_index
        self.found.append(("FCConfig", f"fcid_{config.fcid}/config", row))
        if self.previous_tag == 8:
            row = {"packet_id": self.orca_index, **self.fsp_config}
            for name in ("wps", "hwm", "ct"):
                column = f"dsp_{name}_tracemap_label"
                # Empty past the mapped ones (FCIO format, 6.4).
                row[column] = row[column] + [b""] * (2400 - len(row[column]))
            self.found.append(("FSPConfig", f"swtid_{config.fcid}/config", row))


FCIO_DECODERS = {
    1: "ORFCIOConfigDecoder",
    3: "ORFCIOEventDecoder",
    4: "ORFCIOStatusDecoder",
    6: "ORFCIOEventDecoder",
    7: "ORFCIOEventHeaderDecoder",
}


def fcio_packet(state: State, packet: Packet) -> None:
    assert packet.decoder is not None
    content = packet.content()
    require(len(content) >= 8, "too short")
    (streamid,) = struct.unpack_from("<I", content, 4)
    payload = content[8:]
    # The protocol is in packets with a configuration only, where there may be
    # two in a row: harmless.
    start = b"\xff\x35\x65\xc4" + b"FlashCamV1".ljust(64, b"\0")
    try:
        records = [*fcio.read_records(start + payload)]
    except fcio.NotWellFormedError as error:
        raise DropError("damaged FCIO record") from error
    wanted = [tag for tag, name in FCIO_DECODERS.items() if name == packet.decoder]
    if packet.decoder == "ORFCIODecoder":
        wanted = [*FCIO_DECODERS]
    kept = []
    for tag, frames in records:
        if tag in (8, 9, 10) or tag in wanted:
            kept.append((tag, frames))
        if tag in wanted:
            break
    require(kept and kept[-1][0] in wanted, "no such record")

    stream = state.streams.get(streamid)
    if stream is None:
        require(kept[-1][0] == 1, "no configuration")
        stream = state.streams[streamid] = Stream()
    try:
        rows = stream.take_packet(packet.index, kept)
        config = stream.config
        assert config is not None
        if config.fcid != streamid & 0xFFFF:
            raise fcio.NotWellFormedError("another stream's record")
    except (fcio.NotWellFormedError, struct.error) as error:
        _forget(state, streamid, packet.index)
        raise DropError("damaged FCIO record") from error
    _add_fcio_rows(state, packet, rows)


def _forget(state: State, streamid: int, index: int) -> None:
    """Put a stream back to where it was before a bad packet."""
    history = state.streams.pop(streamid).history
    if any(of < index for of, _ in history):
        again = state.streams[streamid] = Stream()
        for of, records in history:
            if of < index:
                again.take_packet(of, records)


def _add_fcio_rows(
    state: State,
    packet: Packet,
    rows: list[tuple[str, str | int, dict[str, Any]]],
) -> None:
    names = {
        "FCConfig": "ORFCIOConfigDecoder",
        "FSPConfig": "ORFCIOConfigDecoder",
        "FCEvent": "ORFCIOEventDecoder",
        "FCEventHeader": "ORFCIOEventHeaderDecoder",
        "FCStatus": "ORFCIOStatusDecoder",
        "FSPStatus": "ORFCIOStatusDecoder",
    }
    for schema, key, values in rows:
        decoder = names.get(schema)
        if decoder is None:
            part = str(key).rpartition("/")[2]
            decoder = (
                "ORFCIOEventDecoder" if part == "event" else "ORFCIOEventHeaderDecoder"
            )
        state.add(packet, key, values, decoder=decoder, schema=schema)

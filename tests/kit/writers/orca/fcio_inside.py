"""Packets that hold records of FCIO (ORCA format, 4.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.writers import fcio
from kit.writers.orca.data_ids import DATA_IDS
from kit.writers.orca.framing import encode, extended_packet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_FCIO_DECODERS = {
    fcio.TAG_CONFIG: "ORFCIOConfigDecoder",
    fcio.TAG_EVENT: "ORFCIOEventDecoder",
    fcio.TAG_SPARSE_EVENT: "ORFCIOEventDecoder",
    fcio.TAG_EVENT_HEADER: "ORFCIOEventHeaderDecoder",
    fcio.TAG_STATUS: "ORFCIOStatusDecoder",
}


def _tag(record: bytes) -> int:
    return -int.from_bytes(record[:4], "little", signed=True)


def fcio_packet(
    *records: bytes,
    streamid: int = 0x10001,
    padding: int = 0,
    data_id: int | None = None,
) -> bytes:
    """Write an extended packet with FCIO records (format 4.4).

    Parameters
    ----------
    records
        whole records; in front of a Config belongs `fcio.handshake`.
    streamid
        ``readout_id << 16 | fcid``.
    padding
        zero words at the end, as of a writer that reserved too much.
    data_id
        the one that belongs to the last record if not given.
    """
    if data_id is None:
        data_id = DATA_IDS[_FCIO_DECODERS[_tag(records[-1])]]
    return extended_packet(
        data_id, encode(streamid, b"".join(records)) + bytes(4 * padding)
    )


def fcio_packets(
    records: Iterable[bytes], *, streamid: int = 0x10001, data_id: int | None = None
) -> Iterator[bytes]:
    """Put the records of an FCIO stream into packets.

    A record of the software trigger goes in front of the next one, and a handshake
    in front of each Config (format 4.4).
    """
    waiting: list[bytes] = []
    for record in records:
        waiting.append(record)
        if _tag(record) in (fcio.TAG_FSP_CONFIG, fcio.TAG_FSP_EVENT, 10):
            continue
        if _tag(record) == fcio.TAG_CONFIG:
            waiting.insert(0, fcio.handshake())
        yield fcio_packet(*waiting, streamid=streamid, data_id=data_id)
        waiting = []

"""Columns that many tables of ORCA data share."""

from __future__ import annotations

from ..columns import Column

PACKET_ID = Column(
    "packet_id",
    "uint32",
    "Number of the packet in the file; the header is packet 0.",
    source="ORCA format, 3",
)

CRATE = Column("crate", "uint8", "Crate of the card.", source="w[1]")
CARD = Column("card", "uint8", "Slot of the card.", source="w[1]")
CHANNEL = Column("channel", "uint8", "Channel of the card.", source="w[1]")

PLACE = (CRATE, CARD, CHANNEL)

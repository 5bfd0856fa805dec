"""Records of runs (ORCA format, 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.reference.orca.state import State, require

if TYPE_CHECKING:
    from kit.reference.orca.framing import Packet


def run(state: State, packet: Packet) -> None:
    w = packet.words()
    require(len(w) >= 4, "too short")
    word = w[1]
    flags = (
        *("runstartorstop", "quickstartrun", "remotecontrolrun"),
        *("heartbeatrecord", "endsubrunrecord", "startsubrunrecord"),
    )
    row = {
        "subrun_number": word >> 16,
        **{name: bool(word >> bit & 1) for bit, name in enumerate(flags)},
        "run_number": packet.signed(2),
        "time": packet.signed(3),
    }
    state.add(packet, None, row)

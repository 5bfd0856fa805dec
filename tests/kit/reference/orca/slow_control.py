"""Simple records, most of slow control (ORCA format, 5.7)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from kit.reference.orca.state import State, require

if TYPE_CHECKING:
    from kit.reference.orca.framing import Packet


def simple(state: State, packet: Packet) -> None:
    assert packet.decoder is not None
    w = packet.words()
    floats = packet.floats

    def timed(n: int) -> dict[str, Any]:
        """Read n pairs of value and time."""
        return {"id": w[1] & 0xFFFF, "time": [w[3 + 2 * i] for i in range(n)]}

    name = packet.decoder
    row: dict[str, Any]
    if name in ("ORScriptDecoderForState", "ORScriptDecoderForRecord"):
        row = {
            "script_type": w[1] >> 24 & 0xF,
            "id": w[1] & 0xFFFF,
            "time": w[2],
        }
        if name == "ORScriptDecoderForState":
            row["started"] = w[3] != 0
        else:
            text = packet.content()[20 : 20 + w[4]]
            require(len(text) == w[4], "length")
            row |= {"tag": w[3], "text": [*text]}
    elif name == "OR1DHistoDecoder":
        n_key = w[1]
        bins = w[3 + n_key :]
        require(len(bins) >= w[2 + n_key], "length")
        key = packet.content()[8 : 8 + 4 * n_key].rstrip(b"\0")
        row = {"name": [*key], "counts": bins[: w[2 + n_key]]}
    elif name == "ORMJDPreAmpDecoderForAdc":
        row = {
            "id": w[1] & 0xFFF,
            "time": w[2],
            "enabled": w[3] & 0xFFFF,
            "adc": floats(4, 16),
        }
    elif name == "ORiSegHVCardDecoderForHV":
        n = w[1] >> 4 & 0x1F
        row = {
            "crate": w[1] >> 20 & 0xF,
            "card": w[1] >> 16 & 0xF,
            "polarity": bool(w[1] & 1),
            "on_mask": w[2],
            "time": w[4],
            "voltage": floats(5, n, 2),
            "current": floats(6, n, 2),
        }
    elif name in ("ORVHQ224LDecoderForHVStatus", "ORNHQ226LDecoderForHVStatus"):
        row = {
            "id": w[1] & 0xFFFF,
            "time": w[2],
            "status1": [w[3], w[7]],
            "status2": [w[4], w[8]],
            "voltage": floats(5, 2, 4),
            "current": floats(6, 2, 4),
        }
    elif name == "ORLakeShore210DecoderForTemperature":
        row = {
            **timed(8),
            "kelvin": bool(w[1] >> 16 & 1),
            "temperature": floats(2, 8, 2),
        }
    elif name in (
        "ORCTITempDecoderForTemperature",
        "ORKeithley6487DecoderForCurrent",
        "ORKJL2200IonGaugeDecoderForPressure",
    ):
        column = name.rpartition("For")[2].lower()
        row = {"id": w[1] & 0xFFFF, "time": w[3], column: floats(2, 1)[0]}
    elif name == "ORMksPdr2000DecoderForPressure":
        row = {**timed(2), "units": w[1] >> 16 & 0xF, "pressure": floats(2, 2, 2)}
    elif name == "ORTPG256ADecoderForPressure":
        row = {**timed(6), "pressure": floats(2, 6, 2)}
    elif name == "ORBocTIC3DecoderForPressure":
        row = {**timed(3), "pressure": floats(2, 3, 2)}
    elif name == "ORAmi286DecoderForLevel":
        row = {
            **timed(4),
            "fill_state": [w[1] >> 16 + 4 * i & 0xF for i in range(4)],
            "level": floats(2, 4, 2),
        }
    elif name in ("ORPacDecoderForAdc", "ORPacFPDecoderForAdc"):
        row = {
            "id": w[1] & 0xFFFF,
            "time": [w[2 + 2 * i] for i in range(8)],
            "adc": [w[3 + 2 * i] for i in range(8)],
        }
    elif name == "ORLabJackDecoderForIOData":
        row = {
            "id": w[1] & 0xFFFF,
            "differential": w[1] >> 16 & 0xF,
            "adc": floats(2, 8),
            "counter": w[10],
            **dict(zip(("direction", "output", "input"), w[11:14], strict=True)),
            "time": w[14],
        }
    elif name == "ORLabJackUE9DecoderForIOData":
        row = {
            "id": w[1] & 0xFFFF,
            "time": w[2],
            "adc": floats(3, 84),
            "counter": w[87:89],
            "timer": w[89:95],
            **dict(zip(("direction", "output", "input"), w[95:98], strict=True)),
        }
    elif name == "ORXYCom564Decoder":
        row = {
            "crate": w[1] >> 21 & 0xF,
            "card": w[1] >> 16 & 0x1F,
            "time": w[2],
            "time_usec": w[3],
            "channel": [word >> 16 & 0xFF for word in w[4:]],
            "adc": [word & 0xFFFF for word in w[4:]],
        }
    elif name in ("ORIP320DecoderForAdc", "ORIP320DecoderForValue"):
        row = {
            "crate": w[1] >> 21 & 0xF,
            "card": w[1] >> 16 & 0x1F,
            "ip_slot": w[1] & 0xF,
            "time": w[2],
        }
        if name == "ORIP320DecoderForAdc":
            row["channel"] = [word >> 16 & 0xFF for word in w[3:]]
            row["adc"] = [word & 0xFFF for word in w[3:]]
        else:
            n = (len(w) - 3) // 2
            row["channel"] = [w[3 + 2 * i] for i in range(n)]
            row["value"] = floats(4, n, 2)
    elif name in ("ORHVcRIODecoderForAdc", "ORADEIControlDecoderForAdc"):
        (value,) = struct.unpack_from("<d", packet.content(), 16)
        row = {"id": w[1] & 0xFFFF, "time": w[2], "index": w[3], "value": value}
    elif name == "ORMCA927SpectraDecoder":
        row = {
            "id": w[1] & 0xFFF,
            "channel": w[1] >> 12 & 1,
            "zdt": bool(w[1] >> 13 & 1),
            "live_time": w[2],
            "real_time": w[3],
            "zdt_mode": w[4],
            "counts": w[10:],
        }
    elif name == "ORShaperDecoderForShaper":
        word = w[0] if packet.start == 0 else w[1]
        row = {
            "crate": word >> 21 & 0xF,
            "card": word >> 16 & 0x1F,
            "channel": word >> 12 & 0xF,
            "adc": word & 0xFFF,
            "time": w[2] if len(w) > 3 else 0,
            "time_usec": w[3] if len(w) > 3 else 0,
        }
    else:
        row = {"time": w[1], "time_usec": w[2]}
    state.add(packet, None, row)

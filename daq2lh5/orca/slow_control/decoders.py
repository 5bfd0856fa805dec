"""Decoders of slow control and of ORCA's own records (ORCA format, 5.7).

Each record becomes one row. If each value of a record has a time, the row has all of
these times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..orca_packet import is_short
from . import columns as tables
from .record_decoder import (
    OneValueDecoder,
    RecordDecoder,
    TimedValuesDecoder,
    device,
    enough,
    floats,
    place,
    timed_values,
)
from .record_shape import ANY_WORD, Shape

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "OR1DHistoDecoder",
    "ORADEIControlDecoderForAdc",
    "ORAmi286DecoderForLevel",
    "ORBocTIC3DecoderForPressure",
    "ORCTITempDecoderForTemperature",
    "ORHVcRIODecoderForAdc",
    "ORIP320DecoderForAdc",
    "ORIP320DecoderForValue",
    "ORKJL2200IonGaugeDecoderForPressure",
    "ORKeithley6487DecoderForCurrent",
    "ORLabJackDecoderForIOData",
    "ORLabJackUE9DecoderForIOData",
    "ORLakeShore210DecoderForTemperature",
    "ORMCA927SpectraDecoder",
    "ORMJDPreAmpDecoderForAdc",
    "ORMksPdr2000DecoderForPressure",
    "ORNHQ226LDecoderForHVStatus",
    "ORPacDecoderForAdc",
    "ORPacFPDecoderForAdc",
    "ORPollingTimeStampDecoder",
    "ORScriptDecoderForRecord",
    "ORScriptDecoderForState",
    "ORShaperDecoderForShaper",
    "ORTPG256ADecoderForPressure",
    "ORVHQ224LDecoderForHVStatus",
    "ORXYCom564Decoder",
    "ORiSegHVCardDecoderForHV",
]


def _card(w: np.ndarray) -> dict[str, Any]:
    """Return crate and card, and the time in word 2."""
    where = place(int(w[1]))
    return {"crate": where["crate"], "card": where["card"], "time": w[2]}


# --- ORCA itself --------------------------------------------------------------------


class ORScriptDecoderForState(RecordDecoder):
    """Decode starts and stops of scripts."""

    table = tables.SCRIPT_STATE
    shape = Shape(4, time=2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        script_type = int(w[1]) >> 24 & 0xF
        return device(w) | {"script_type": script_type, "started": w[3] != 0}


class ORScriptDecoderForRecord(RecordDecoder):
    """Decode records of scripts: the text of a property list."""

    table = tables.SCRIPT_RECORD
    shape = Shape(5, step=1, count=(4, 2, ANY_WORD >> 2), spare=1, time=2)

    def text_words(self, w: np.ndarray) -> slice:  # noqa: ARG002, D102
        return slice(5, None)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        n_bytes = int(w[4])
        text = w[5:].view("uint8")
        if n_bytes > len(text):
            msg = f"text of {n_bytes} bytes, expected at most {len(text)} in its record"
            raise ValueError(msg)
        script_type = int(w[1]) >> 24 & 0xF
        return device(w) | {
            "script_type": script_type,
            "tag": w[3],
            "text": text[:n_bytes],
        }


class OR1DHistoDecoder(RecordDecoder):
    """Decode histograms that ORCA filled."""

    kind = "histogram"
    table = tables.HISTOGRAM
    shape = Shape(3, step=1)

    def text_words(self, w: np.ndarray) -> slice:  # noqa: D102
        # a damaged packet may end earlier, and some packets are read only in part
        return slice(2, 2 + int(w[1])) if len(w) > 1 else slice(0)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        n_key = int(w[1])
        enough(w, 3 + n_key)
        n_bins = int(w[2 + n_key])
        enough(w, 3 + n_key + n_bins)
        name = w[2 : 2 + n_key].tobytes().rstrip(b"\0")
        return {"name": list(name), "counts": w[3 + n_key :][:n_bins]}


class ORPollingTimeStampDecoder(RecordDecoder):
    """Decode the times at which the hardware was polled."""

    table = tables.POLLING_TIME
    shape = Shape(3, time=1)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return {"time": w[1], "time_usec": w[2]}


# --- high voltage -------------------------------------------------------------------


class ORMJDPreAmpDecoderForAdc(RecordDecoder):
    """Decode the 16 ADCs of preamplifier controllers of the MAJORANA type."""

    table = tables.MJD_PREAMP
    shape = Shape(20, time=2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return {
            "id": int(w[1]) & 0xFFF,
            "time": w[2],
            "enabled": int(w[3]) & 0xFFFF,
            "adc": floats(w)[4:20],
        }


class ORiSegHVCardDecoderForHV(RecordDecoder):
    """Decode voltages and currents of iSeg cards.

    Currents are stored as ORCA writes them; their unit is uncertain.
    """

    table = tables.ISEG_HV
    shape = Shape(5, step=2, count=(1, 4, 0x1F), time=4)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        word = int(w[1])
        n = word >> 4 & 0x1F
        enough(w, 5 + 2 * n)
        pairs = floats(w)[5 : 5 + 2 * n]
        return {
            # in other bits than in other records
            "crate": word >> 20 & 0xF,
            "card": word >> 16 & 0xF,
            "time": w[4],
            "polarity": word & 1,
            "on_mask": w[2],
            "voltage": pairs[::2],
            "current": pairs[1::2],
        }


class ORVHQ224LDecoderForHVStatus(RecordDecoder):
    """Decode status, voltages and currents of VHQ224L supplies."""

    table = tables.HV_STATUS
    shape = Shape(11, time=2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return device(w) | {
            "status1": w[3:11:4],
            "status2": w[4:11:4],
            "voltage": floats(w)[5:11:4],
            "current": floats(w)[6:11:4],
        }


class ORNHQ226LDecoderForHVStatus(ORVHQ224LDecoderForHVStatus):
    """Decode status, voltages and currents of NHQ226L supplies."""


# --- temperature, pressure, level, current ------------------------------------------


class ORCTITempDecoderForTemperature(OneValueDecoder):
    """Decode temperatures of CTI cryogenic pumps."""

    table = tables.CTI_TEMPERATURE


class ORKeithley6487DecoderForCurrent(OneValueDecoder):
    """Decode currents of Keithley 6487 picoammeters."""

    table = tables.KEITHLEY_CURRENT


class ORKJL2200IonGaugeDecoderForPressure(OneValueDecoder):
    """Decode pressures of KJL2200 ion gauges."""

    table = tables.ION_GAUGE_PRESSURE


class ORLakeShore210DecoderForTemperature(TimedValuesDecoder):
    """Decode the eight temperatures of LakeShore 210 monitors."""

    table = tables.LAKE_SHORE
    shape = timed_values(8)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return super().read(w) | {"kelvin": int(w[1]) >> 16 & 1}


class ORMksPdr2000DecoderForPressure(TimedValuesDecoder):
    """Decode the two pressures of MKS PDR2000 gauges."""

    table = tables.MKS_PRESSURE
    shape = timed_values(2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return super().read(w) | {"units": int(w[1]) >> 16 & 0xF}


class ORTPG256ADecoderForPressure(TimedValuesDecoder):
    """Decode the six pressures of TPG256A gauges."""

    table = tables.TPG_PRESSURE
    shape = timed_values(6)


class ORBocTIC3DecoderForPressure(TimedValuesDecoder):
    """Decode the three pressures of BOC TIC gauges."""

    table = tables.BOC_PRESSURE
    shape = timed_values(3)


class ORAmi286DecoderForLevel(TimedValuesDecoder):
    """Decode the four levels of AMI 286 monitors."""

    table = tables.AMI_LEVEL
    shape = timed_values(4)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        states = [int(w[1]) >> shift & 0xF for shift in (16, 20, 24, 28)]
        return super().read(w) | {"fill_state": states}


# --- ADCs and inputs ----------------------------------------------------------------


class ORPacDecoderForAdc(RecordDecoder):
    """Decode the eight ADCs of PAC boxes: the time is in front of each value."""

    table = tables.PAC_ADC
    shape = Shape(18, time=2, n_times=8)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return {"id": int(w[1]) & 0xFFFF, "time": w[2:18:2], "adc": w[3:18:2]}


class ORPacFPDecoderForAdc(ORPacDecoderForAdc):
    """Decode the eight ADCs of PacFP boxes."""


class ORLabJackDecoderForIOData(RecordDecoder):
    """Decode measurements of LabJack U12 devices."""

    table = tables.LAB_JACK
    shape = Shape(15, spare=2, time=14)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return device(w, 14) | {
            "differential": int(w[1]) >> 16 & 0xF,
            "adc": floats(w)[2:10],
            "counter": w[10],
            "direction": w[11],
            "output": w[12],
            "input": w[13],
        }


class ORLabJackUE9DecoderForIOData(RecordDecoder):
    """Decode measurements of LabJack UE9 devices."""

    table = tables.LAB_JACK_UE9
    shape = Shape(98, spare=2, time=2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return device(w) | {
            "adc": floats(w)[3:87],
            "counter": w[87:89],
            "timer": w[89:95],
            "direction": w[95],
            "output": w[96],
            "input": w[97],
        }


class ORXYCom564Decoder(RecordDecoder):
    """Decode ADC values of XYCom 564 cards, of any channels.

    ORCA does not write the lowest bit of the crate's number.
    """

    table = tables.XYCOM_ADC
    shape = Shape(4, step=1, time=2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return _card(w) | {
            "time_usec": w[3],
            "channel": w[4:] >> 16 & 0xFF,
            "adc": w[4:] & 0xFFFF,
        }


class ORIP320DecoderForAdc(RecordDecoder):
    """Decode ADC values of IP320 modules, of any channels.

    ORCA does not write the lowest bit of the crate's number.
    """

    table = tables.IP320_ADC
    shape = Shape(3, step=1, time=2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return _card(w) | {
            "ip_slot": int(w[1]) & 0xF,
            "channel": w[3:] >> 16 & 0xFF,
            "adc": w[3:] & 0xFFF,
        }


class ORIP320DecoderForValue(RecordDecoder):
    """Decode converted values of IP320 modules, of any channels."""

    table = tables.IP320_VALUE
    shape = Shape(3, step=2, time=2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        n = (len(w) - 3) // 2
        return _card(w) | {
            "ip_slot": int(w[1]) & 0xF,
            "channel": w[3 : 3 + 2 * n : 2],
            "value": floats(w)[4 : 3 + 2 * n : 2],
        }


class ORHVcRIODecoderForAdc(RecordDecoder):
    """Decode values of HVcRIO controllers."""

    table = tables.CONTROL_VALUE
    shape = Shape(6, spare=3, time=2)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        return device(w) | {"index": w[3], "value": w[4:6].view("float64")[0]}


class ORADEIControlDecoderForAdc(ORHVcRIODecoderForAdc):
    """Decode values of ADEI controls."""


class ORMCA927SpectraDecoder(RecordDecoder):
    """Decode spectra of MCA927 analyzers."""

    table = tables.MCA927
    shape = Shape(10, step=1)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        word = int(w[1])
        return {
            "id": word & 0xFFF,
            "channel": word >> 12 & 1,
            "zdt": word >> 13 & 1,
            "live_time": w[2],
            "real_time": w[3],
            "zdt_mode": w[4],
            "counts": w[10:],
        }


class ORShaperDecoderForShaper(RecordDecoder):
    """Decode values of shaper cards: one word, or a long record, maybe with a time."""

    table = tables.SHAPER
    shape = Shape(1, spare=3)

    def read(self, w: np.ndarray) -> dict[str, Any]:  # noqa: D102
        if not is_short(w):
            enough(w, 2)
        word = int(w[0] if is_short(w) else w[1])
        return place(word) | {
            "channel": word >> 12 & 0xF,
            "adc": word & 0xFFF,
            "time": w[2] if len(w) > 3 else 0,
            "time_usec": w[3] if len(w) > 3 else 0,
        }

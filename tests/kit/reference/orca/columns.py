"""Columns of the rows of each decoder, and their types (ORCA format)."""

from __future__ import annotations

from typing import Any

import numpy as np

from kit.reference import fcio

_WAVEFORM = {"waveform/t0": "float32", "waveform/dt": "float32"}


def _waveform(dtype: str) -> dict[str, str]:
    return {"waveform/values": f"{dtype}[]", **_WAVEFORM}


def _columns(dtype: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), dtype)


_PLACE = _columns("uint8", "crate card channel")

RUN = {
    "subrun_number": "uint16",
    **_columns(
        "bool",
        "runstartorstop quickstartrun remotecontrolrun heartbeatrecord"
        " endsubrunrecord startsubrunrecord",
    ),
    "run_number": "int32",
    "time": "int32",
}

CONFIG_NAMES = (
    *("streamid", "nadcs", "ntriggers", "nsamples", "adcbits", "sumlength"),
    *("blprecision", "mastercards", "triggercards", "adccards", "gps"),
)

LISTENER_CONFIG = {
    **_columns("uint32", "packet_id packet_len"),
    **_columns("uint16", "readout_id fcid"),
    **dict.fromkeys(CONFIG_NAMES, "int32"),
    **_columns("uint16[]", "ch_board_id ch_inputnum"),
    "board_rev": "uint8[]",
    "board_uid": "uint64[]",
}

LISTENER_STATUS = {
    "packet_id": "uint32",
    **_columns("uint16", "readout_id fcid"),
    "status": "int32",
    **_columns("float64", "statustime cputime startoffset"),
    **_columns("int32", "n_cards card_data_size"),
    **_columns(
        "uint32[]",
        "card_id card_status card_eventnumber card_pps_count card_clock_tick_count"
        " card_max_clock_ticks card_n_env_vals card_n_cti_links card_n_link_states"
        " card_n_errors_tot card_n_env_errors card_n_cti_errors card_n_link_errors"
        " card_n_other_errors card_cti_links card_link_states",
    ),
    **_columns(
        "int32[]",
        "card_temps card_voltages card_main_current card_humidity card_adc_temps",
    ),
}

OFFSET_NAMES = (
    *("mu_offset_sec", "mu_offset_usec", "to_master_sec", "delta_mu_usec"),
    *("abs_delta_mu_usec", "to_start_sec", "to_start_usec"),
)
REGION_NAMES = (
    *("dr_start_pps", "dr_start_ticks", "dr_stop_pps", "dr_stop_ticks"),
    "dr_maxticks",
)
STAMP_NAMES = ("eventnumber", "ts_pps", "ts_ticks", "ts_maxticks")

FLASHCAM_WAVEFORM = {
    "packet_id": "uint32",
    **_columns("uint8", "event_type fcid crate slot fc_input"),
    **_columns("uint16", "board_id channel"),
    "numtraces": "int32",
    **dict.fromkeys((*OFFSET_NAMES, *REGION_NAMES, *STAMP_NAMES), "int32"),
    **_columns("uint16", "baseline daqenergy dr_ch_idx dr_ch_len"),
    **_columns("float64", "runtime timestamp deadtime lifetime"),
    "deadinterval_nsec": "int64",
    **_waveform("uint16"),
}

SIS3302 = {
    **_columns("uint32", "packet_id energy energy_first flags"),
    "timestamp": "uint64",
    **_PLACE,
    "energy_waveform": "uint32[]",
    **_waveform("uint16"),
}

GATES = [f"accSum{i}" for i in range(1, 9)]

SIS3316 = {
    **_columns("uint32", "packet_id energy energy_first information"),
    **_columns("uint32", "peakHighValue peakHighIndex"),
    **dict.fromkeys(GATES, "uint32"),
    **_columns("uint32", "mawMax mawBefore mawAfter startEnergy maxEnergy"),
    "timestamp": "uint64",
    **_PLACE,
    **_waveform("uint16"),
}

GRETINA4M = {
    **_columns("uint32", "packet_id energy"),
    "timestamp": "uint64",
    **_PLACE,
    **_columns("uint16", "board_id serial_number"),
    "fifo_state": "uint8",
    **_waveform("int16"),
}

GRETINA4A = {
    "packet_id": "uint32",
    **_columns("uint64", "timestamp prev_timestamp"),
    "energy": "int32",
    **_columns("uint32", "pre_rise_sum post_rise_sum baseline"),
    "flags": "uint16",
    **_columns("uint8", "event_type header_type"),
    **_columns("uint16", "peak_time trigger_time"),
    **_PLACE,
    "board_id": "uint16",
    "waveform_flags": "uint8[]",
    **_waveform("uint16"),
}

SIS3305 = {
    "packet_id": "uint32",
    "timestamp": "uint64",
    **_columns("uint8", "event_id group channel_mode rate saving_mode"),
    **_PLACE,
    **_waveform("uint16"),
}

SIS3320 = {
    "packet_id": "uint32",
    "timestamp": "uint64",
    **dict.fromkeys(GATES, "uint32"),
    **_PLACE,
    **_waveform("uint16"),
}

_CAEN_COMMON = {
    **_columns("uint32", "packet_id eventnumber"),
    "timestamp": "uint64",
    "timestamp_rollover": "bool",
    "board_id": "uint8",
    "pattern": "uint16",
    "board_fail": "bool",
}
CAEN = {**_CAEN_COMMON, **_PLACE, **_waveform("uint16")}
CAEN_8_BITS = {**_CAEN_COMMON, **_PLACE, **_waveform("uint8")}
CAEN_USB = {
    **_CAEN_COMMON,
    **_columns("uint8", "unit channel"),
    **_waveform("uint16"),
}

_TIMED = {"packet_id": "uint32", "time": "uint32"}
_DEVICE = {**_TIMED, "id": "uint16"}
_DEVICE_TIMES = {"packet_id": "uint32", "time": "uint32[]", "id": "uint16"}

_HV_STATUS = {
    **_DEVICE,
    **_columns("uint32[]", "status1 status2"),
    **_columns("float32[]", "voltage current"),
}

SIMPLE = {
    "ORScriptDecoderForState": {**_DEVICE, "script_type": "uint8", "started": "bool"},
    "ORScriptDecoderForRecord": {
        **_DEVICE,
        "script_type": "uint8",
        "tag": "uint32",
        "text": "uint8[]",
    },
    "OR1DHistoDecoder": {
        "packet_id": "uint32",
        "name": "uint8[]",
        "counts": "uint32[]",
    },
    "ORMJDPreAmpDecoderForAdc": {**_DEVICE, "enabled": "uint16", "adc": "float32[]"},
    "ORiSegHVCardDecoderForHV": {
        **_TIMED,
        **_columns("uint8", "crate card"),
        "polarity": "bool",
        "on_mask": "uint32",
        **_columns("float32[]", "voltage current"),
    },
    "ORLakeShore210DecoderForTemperature": {
        **_DEVICE_TIMES,
        "kelvin": "bool",
        "temperature": "float32[]",
    },
    "ORMksPdr2000DecoderForPressure": {
        **_DEVICE_TIMES,
        "units": "uint8",
        "pressure": "float32[]",
    },
    "ORAmi286DecoderForLevel": {
        **_DEVICE_TIMES,
        "fill_state": "uint8[]",
        "level": "float32[]",
    },
    "ORLabJackDecoderForIOData": {
        **_DEVICE,
        "differential": "uint8",
        "adc": "float32[]",
        **_columns("uint32", "counter direction output input"),
    },
    "ORLabJackUE9DecoderForIOData": {
        **_DEVICE,
        "adc": "float32[]",
        **_columns("uint32[]", "counter timer"),
        **_columns("uint32", "direction output input"),
    },
    "ORXYCom564Decoder": {
        **_TIMED,
        "time_usec": "uint32",
        **_columns("uint8", "crate card"),
        "channel": "uint8[]",
        "adc": "uint16[]",
    },
    "ORIP320DecoderForAdc": {
        **_TIMED,
        **_columns("uint8", "crate card ip_slot"),
        "channel": "uint8[]",
        "adc": "uint16[]",
    },
    "ORIP320DecoderForValue": {
        **_TIMED,
        **_columns("uint8", "crate card ip_slot"),
        "channel": "uint32[]",
        "value": "float32[]",
    },
    "ORMCA927SpectraDecoder": {
        "packet_id": "uint32",
        "id": "uint16",
        "channel": "uint8",
        "zdt": "bool",
        **_columns("uint32", "live_time real_time zdt_mode"),
        "counts": "uint32[]",
    },
    "ORShaperDecoderForShaper": {
        "packet_id": "uint32",
        **_PLACE,
        "adc": "uint16",
        **_columns("uint32", "time time_usec"),
    },
    "ORPollingTimeStampDecoder": {**_TIMED, "time_usec": "uint32"},
    "ORVHQ224LDecoderForHVStatus": _HV_STATUS,
    "ORNHQ226LDecoderForHVStatus": _HV_STATUS,
    **{
        decoder: {**_DEVICE, column: "float32"}
        for decoder, column in (
            ("ORCTITempDecoderForTemperature", "temperature"),
            ("ORKeithley6487DecoderForCurrent", "current"),
            ("ORKJL2200IonGaugeDecoderForPressure", "pressure"),
        )
    },
    "ORTPG256ADecoderForPressure": {**_DEVICE_TIMES, "pressure": "float32[]"},
    "ORBocTIC3DecoderForPressure": {**_DEVICE_TIMES, "pressure": "float32[]"},
    "ORPacDecoderForAdc": {**_DEVICE_TIMES, "adc": "uint32[]"},
    "ORPacFPDecoderForAdc": {**_DEVICE_TIMES, "adc": "uint32[]"},
    "ORHVcRIODecoderForAdc": {**_DEVICE, "index": "uint32", "value": "float64"},
    "ORADEIControlDecoderForAdc": {**_DEVICE, "index": "uint32", "value": "float64"},
}
"""Columns of the simple records (format 5.7)."""

SCHEMAS: dict[str, dict[str, str]] = {
    "ORRunDecoderForRun": RUN,
    "ORFlashCamListenerConfigDecoder": LISTENER_CONFIG,
    "ORFlashCamListenerStatusDecoder": LISTENER_STATUS,
    "ORFlashCamADCWaveformDecoder": FLASHCAM_WAVEFORM,
    "ORFlashCamWaveformDecoder": FLASHCAM_WAVEFORM,
    "FCConfig": fcio.FCCONFIG,
    "FCEvent": fcio.FCEVENT,
    "FCEventHeader": fcio.FCEVENTHEADER,
    "FCStatus": fcio.FCSTATUS,
    # A table in this path, with a packet id (FCIO format, 6.4).
    "FSPConfig": {"packet_id": "uint32", **fcio.FSPCONFIG},
    "FSPEvent": fcio.FSPEVENT,
    "FSPStatus": fcio.FSPSTATUS,
    "ORSIS3302DecoderForEnergy": SIS3302,
    "ORSIS3316WaveformDecoder": SIS3316,
    "ORGretina4MWaveformDecoder": GRETINA4M,
    "ORGretina4AWaveformDecoder": GRETINA4A,
    "ORSIS3305DecoderForWaveform": SIS3305,
    "ORSIS3320WaveformDecoder": SIS3320,
    "ORCV1730WaveformDecoder": CAEN,
    "ORCaen1724WaveformDecoder": CAEN,
    "ORCaen1720WaveformDecoder": CAEN,
    "ORCV1721WaveformDecoder": CAEN_8_BITS,
    "ORDT5725Decoder": CAEN_USB,
    "ORDT5720Decoder": CAEN_USB,
    **SIMPLE,
}
"""Columns of the rows of each decoder; ``[]`` marks a list in every row.

Decoders of FCIO make rows of several kinds, which go by their names there.
"""


def as_declared(value: Any, dtype: str) -> Any:
    """Give a value its fixed width; one that does not fit is an error of ours."""
    if dtype.endswith("[]"):
        return np.array(value, dtype=dtype.removesuffix("[]"))
    return np.dtype(dtype).type(value)

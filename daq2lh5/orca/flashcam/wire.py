"""Wire structs of the packets of FlashCam.

Section numbers refer to the ORCA format. Word 0 is the first word of the packet; words
are numbered as in a long packet. All numbers are little-endian. See
:mod:`daq2lh5._core.wire`.
"""

from __future__ import annotations

from ..._core.wire import Bits, Field, Struct, word

__all__ = ["STRUCTS"]

_READOUT = (
    Bits(16, 16, "readout_id", "number of the readout object"),
    Bits(0, 16, "fcid", "number of the listener"),
)

CONFIG = Struct(
    "listener_config",
    "configuration of a listener; the map of traces follows",
    "ORCA format, 4.3.1",
    52,
    (
        word(1, "readout", bits=_READOUT),
        word(2, "streamid", "number of the stream", type="i32"),
        word(3, "nadcs", "ADC traces", type="i32"),
        word(4, "ntriggers", "trigger traces", type="i32"),
        word(5, "nsamples", "samples of a trace", type="i32"),
        word(6, "adcbits", "bits of the ADC: 12 or 16", type="i32"),
        word(7, "sumlength", "samples of the FPGA's sum", type="i32"),
        word(8, "blprecision", "precision of the FPGA's baseline", type="i32"),
        word(9, "mastercards", "master cards", type="i32"),
        word(10, "triggercards", "trigger cards", type="i32"),
        word(11, "adccards", "ADC cards", type="i32"),
        word(12, "gps", "0: no GPS", type="i32"),
    ),
)

MAPPED = Struct(
    "listener_trace",
    "entry of the map of traces",
    "ORCA format, 4.3.1",
    4,
    (
        word(
            0,
            "word",
            bits=(
                Bits(16, 16, "board_id", "address of the card"),
                Bits(0, 16, "input", "input of the card"),
            ),
        ),
    ),
)

STATUS = Struct(
    "listener_status",
    "status of a listener; the cards follow",
    "ORCA format, 4.3.2",
    60,
    (
        word(1, "readout", bits=_READOUT),
        word(2, "status", "1: no errors", type="i32"),
        word(3, "fpga_sec", "FPGA time", "s", type="i32"),
        word(4, "fpga_usec", "the same, microseconds", "us", type="i32"),
        word(5, "server_sec", "Unix time of the server", "s", type="i32"),
        word(6, "server_usec", "the same, microseconds", "us", type="i32"),
        word(8, "start_sec", "start of the run", "s", type="i32"),
        word(9, "start_usec", "the same, microseconds", "us", type="i32"),
        word(13, "n_cards", "cards that follow", type="i32"),
        word(14, "card_bytes", "bytes of a card in the library, not here", type="i32"),
    ),
)

CARD = Struct(
    "listener_card",
    "card of a listener's status",
    "ORCA format, 4.3.2",
    156,
    (
        word(0, "id", "number of the card"),
        word(1, "status", "1: no errors"),
        word(2, "eventnumber", "number of the event"),
        word(3, "pps_count", "PPS counter", "s"),
        word(4, "clock_tick_count", "clock ticks since the PPS", "clock_ticks"),
        word(5, "max_clock_ticks", "ticks at the last PPS", "clock_ticks"),
        word(6, "n_env_vals", "values of the environment"),
        word(7, "n_cti_links", "CTI links"),
        word(8, "n_link_states", "trigger links"),
        word(10, "n_errors_tot", "all errors"),
        word(11, "n_env_errors", "errors of the environment"),
        word(12, "n_cti_errors", "errors of CTI links"),
        word(13, "n_link_errors", "errors of trigger links"),
        word(14, "n_other_errors", "other errors", count=5),
        word(19, "temps", "temperatures", "mC", type="i32", count=5),
        word(24, "voltages", "voltages", "mV", type="i32", count=6),
        word(30, "main_current", "main current", "mA", type="i32"),
        word(31, "humidity", "humidity", "o/oo", type="i32"),
        word(32, "adc_temps", "temperatures of ADC cards", "mC", type="i32", count=2),
        word(35, "cti_links", "states of CTI links", count=4),
    ),
)

_LENGTHS = word(
    1,
    "lengths",
    bits=(
        Bits(28, 4, "orca_words", "words in front of the FlashCam header; 0: 3"),
        Bits(22, 6, "header_words", "words of the FlashCam header"),
        Bits(6, 16, "n_samples", "samples in this packet"),
        Bits(0, 6, "event_type", "type of the event"),
    ),
)

_CARD = (
    Bits(27, 5, "crate", "crate"),
    Bits(22, 5, "slot", "slot of the crate"),
    Bits(14, 8, "address", "a byte of the address of the card"),
)

WAVEFORM = Struct(
    "flashcam_trace",
    "first words of a trace of ORFlashCamADCWaveformDecoder",
    "ORCA format, 4.3.3",
    12,
    (
        _LENGTHS,
        word(
            2,
            "location",
            bits=(
                *_CARD,
                Bits(10, 4, "input", "input of the card"),
                Bits(0, 10, "trace", "number of the trace"),
            ),
        ),
    ),
)

WAVEFORM_STD = Struct(
    "flashcam_std_trace",
    "first words of a trace of ORFlashCamWaveformDecoder",
    "ORCA format, 4.3.3",
    12,
    (
        _LENGTHS,
        word(
            2,
            "location",
            bits=(
                *_CARD,
                Bits(9, 5, "input", "input of the card"),
                Bits(0, 9, "trace", "number of the trace"),
            ),
        ),
    ),
)

OFFSETS = Struct(
    "flashcam_offsets",
    "time offsets, at the start of the FlashCam header; of 15 words, it lacks two",
    "ORCA format, 4.3.3",
    28,
    (
        word(0, "mu_offset_sec", "server minus FPGA time", "s", type="i32"),
        word(1, "mu_offset_usec", "the same, microseconds", "us", type="i32"),
        word(2, "to_master_sec", "to add with GPS", "s", type="i32"),
        word(3, "delta_mu_usec", "difference of the clocks", "us", type="i32"),
        word(4, "abs_delta_mu_usec", "its absolute value", "us", type="i32"),
        word(5, "to_start_sec", "start of the run", "s", type="i32"),
        word(6, "to_start_usec", "the same, microseconds", "us", type="i32"),
    ),
)

TIMES = Struct(
    "flashcam_times",
    "dead region and time stamp, behind the time offsets",
    "ORCA format, 4.3.3",
    36,
    (
        word(0, "dr_start_pps", "start, PPS counter", "s", type="i32"),
        word(1, "dr_start_ticks", "start, ticks", "clock_ticks", type="i32"),
        word(2, "dr_stop_pps", "stop, PPS counter", "s", type="i32"),
        word(3, "dr_stop_ticks", "stop, ticks", "clock_ticks", type="i32"),
        word(4, "dr_maxticks", "ticks at the last PPS", "clock_ticks", type="i32"),
        word(5, "eventnumber", "number of the event", type="i32"),
        word(6, "ts_pps", "PPS counter", "s", type="i32"),
        word(7, "ts_ticks", "ticks since the PPS", "clock_ticks", type="i32"),
        word(8, "ts_maxticks", "ticks at the last PPS", "clock_ticks", type="i32"),
    ),
)

FPGA = Struct(
    "flashcam_fpga",
    "last word of the FlashCam header",
    "ORCA format, 4.3.3",
    4,
    (
        Field(0, "u16", "baseline", "baseline of the FPGA"),
        Field(2, "u16", "energy", "energy of the FPGA"),
    ),
)

FCIO = Struct(
    "orca_fcio",
    "first words of a packet of FCIO records, which follow",
    "ORCA format, 4.4",
    8,
    (word(1, "stream_id", bits=_READOUT),),
)

STRUCTS = (
    CONFIG,
    MAPPED,
    STATUS,
    CARD,
    WAVEFORM,
    WAVEFORM_STD,
    OFFSETS,
    TIMES,
    FPGA,
    FCIO,
)

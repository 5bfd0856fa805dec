"""The output table of MGDO files.

The source of a column is a member of ``GETGERDADigitizerData`` (MGDO format, 4.3),
unless it names another section: ``MGTEvent`` (format 4.1), ``MGTWaveform`` (format
4.2).
"""

from __future__ import annotations

from ..buffers.declaration import Column, Table

MAX_SAMPLES = 2**24
"""Largest plausible number of samples (MGDO format, 11)."""


def _event(name: str, dtype: str, source: str, description: str) -> Column:
    return Column(name, dtype, description, source=source)


FIELDS = Table(
    "MGDOFields",
    "Columns of a row besides waveforms.",
    (
        _event("packet_id", "uint32", "MGDO format, 8", "Entry of the tree, from 1."),
        _event("channel", "uint32", "fID", "Channel."),
        _event("eventnumber", "int32", "fEventNumber (digitizer)", "Event number."),
        _event(
            "event_type",
            "int32",
            "fEventType (MGDO format, 4.1)",
            "0: real; 1: pulser; 2: simulation; 3: undefined; 4: baseline.",
        ),
        _event(
            "numtraces",
            "int32",
            "fWaveforms (MGDO format, 4.1)",
            "Waveforms in the entry.",
        ),
        Column(
            "timestamp",
            "float64",
            "Unix time.",
            units="s",
            source="fTime (MGDO format, 4.1)",
        ),
        Column("ts_sec", "uint64", "Unix time.", units="s", source="fTimeStamp"),
        Column(
            "ts_nsec",
            "uint32",
            "Fraction of the second.",
            units="ns",
            source="fDecimalTimeStamp",
        ),
        _event(
            "daqenergy",
            "float64",
            "fEnergy",
            "Energy computed by the data acquisition.",
        ),
        _event(
            "energy_total",
            "float64",
            "fETotal (MGDO format, 4.1)",
            "Sum of the entry's energies.",
        ),
        _event("index", "uint64", "fIndex", "Index."),
        Column(
            "clock_frequency",
            "float64",
            "Frequency of the clock.",
            units="GHz",
            source="fClockFrequency",
        ),
        _event("pretrigger", "uint64", "fPretrigger", "Pretrigger; unit unknown."),
        _event("trigger_number", "uint64", "fTriggerNumber", "Number of the trigger."),
        _event("is_mu_vetoed", "bool", "fIsMuVetoed", "In coincidence with a muon."),
        _event("mu_veto_sample", "uint32", "fMuVetoSample", "Sample of the muon."),
        _event(
            "is_inverted", "bool", "fIsInverted", "Whether the polarity is inverted."
        ),
        _event(
            "waveform_tag",
            "int32",
            "fWaveformTag",
            "0: normal; 1: underflow; 2: overflow; 3: undefined; 4: corrupted.",
        ),
    ),
)


def _waveform(name: str, source: str, description: str) -> Column:
    return Column(
        name,
        "uint16",
        description,
        kind="waveform",
        length=MAX_SAMPLES,
        source=f"{source} (MGDO format, 4.2)",
        dt_dtype="float64",
    )


PRESUMMED = _waveform(
    "waveform_presummed",
    "fWaveforms",
    "The whole trace, in GERDA sums of four samples; with an auxiliary waveform.",
)
WINDOWED = _waveform(
    "waveform_windowed", "fAuxWaveforms", "Part of the trace around the trigger."
)
WAVEFORM = _waveform(
    "waveform", "fWaveforms", "The trace; without an auxiliary waveform."
)

DIGITIZER_DATA = Table(
    "GETGERDADigitizerData",
    "One row per waveform.",
    (*FIELDS.columns, PRESUMMED, WINDOWED, WAVEFORM),
    section="MGDO format, 4.3",
)

KERNEL_TABLES = (FIELDS,)
TABLES = (DIGITIZER_DATA,)

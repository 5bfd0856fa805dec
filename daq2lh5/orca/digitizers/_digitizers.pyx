"""Events in the packets of digitizers: calls the functions of each kind.

Section numbers refer to the ORCA format.
"""

from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)

from ..._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from ..._core.sink cimport new_sink_table
from ._caen cimport *
from ._events cimport *
from ..packets._framing cimport *
from ._gretina cimport *
from ._sis cimport *
from ._wire cimport *

include "../_columns.pxi"


cdef tuple new_digitizer_tables():
    """Return a `SinkTable` for each kind of digitizer, in the order of `INTO_`."""
    caen = [
        new_sink_table(sizeof(ORCaenWaveformColumns), bind_or_caen_waveform)
        for _ in range(3)
    ]
    caen_usb = [
        new_sink_table(sizeof(ORDT57xxColumns), bind_ordt57xx) for _ in range(2)
    ]
    return (
        new_sink_table(
            sizeof(ORSIS3302DecoderForEnergyColumns), bind_orsis3302decoder_for_energy
        ),
        new_sink_table(sizeof(ORSIS3316WaveformColumns), bind_orsis3316waveform),
        new_sink_table(sizeof(ORGretina4MWaveformColumns), bind_or_gretina4m_waveform),
        new_sink_table(sizeof(ORGretina4AWaveformColumns), bind_or_gretina4a_waveform),
        new_sink_table(
            sizeof(ORSIS3305DecoderForWaveformColumns),
            bind_orsis3305decoder_for_waveform,
        ),
        new_sink_table(sizeof(ORSIS3320WaveformColumns), bind_orsis3320waveform),
        *caen,
        new_sink_table(sizeof(ORCV1721WaveformColumns), bind_orcv1721waveform),
        *caen_usb,
    )


cdef bint next_event(
    const uint8_t* w, const Packet* p, const int32_t* averages, Event* e
) noexcept nogil:
    """Find the next event of a packet; false behind the last.

    Before the first event, `next` is 0. An event with a `reason` cannot be decoded.
    `averages` has the words of moving averages by channel, since events lack them.
    """
    e.reason = REASON_NONE
    e.last = False
    if e.next:
        e.number += 1
    else:
        e.number = 0
        e.n_extra = 0
        e.exact = False
        e.cut = False
        if p.n_words < 4:
            return refuse(e, p, REASON_CONTENT)
        e.crate = orca_location_get_crate(w)
        e.card = orca_location_get_card(w)
        e.channel = orca_location_get_channel(w)
        set_key(e)
    if p.kind == KIND_SIS3302:
        return next_sis3302(w, p, e)
    if p.kind == KIND_SIS3316:
        return next_sis3316(w, p, averages, e)
    if p.kind == KIND_GRETINA4M:
        return next_gretina4m(w, p, e)
    if p.kind == KIND_GRETINA4A:
        return next_gretina4a(w, p, e)
    if p.kind == KIND_SIS3305:
        return next_sis3305(w, p, e)
    if p.kind == KIND_SIS3320:
        return next_sis3320(w, p, e)
    return next_caen(w, p, e)


cdef int64_t samples_per_row(int table, const void* columns) noexcept nogil:
    """Return the samples of a row; -1 if the waveform is not selected."""
    if table == INTO_SIS3302:
        return (<ORSIS3302DecoderForEnergyColumns*>columns).waveform.width
    if table == INTO_SIS3316:
        return (<ORSIS3316WaveformColumns*>columns).waveform.width
    if table == INTO_GRETINA4M:
        return (<ORGretina4MWaveformColumns*>columns).waveform.width
    if table == INTO_GRETINA4A:
        return (<ORGretina4AWaveformColumns*>columns).waveform.width
    if table == INTO_SIS3305:
        return (<ORSIS3305DecoderForWaveformColumns*>columns).waveform.width
    if table == INTO_SIS3320:
        return (<ORSIS3320WaveformColumns*>columns).waveform.width
    if table == INTO_V1721:
        return (<ORCV1721WaveformColumns*>columns).waveform.width
    if table >= INTO_DT5725:
        return (<ORDT57xxColumns*>columns).waveform.width
    return (<ORCaenWaveformColumns*>columns).waveform.width


cdef bint row_has_room(
    int table, const void* columns, int64_t row, const Event* e
) noexcept nogil:
    """Whether the vectors of a row have room for the extra elements of an event."""
    if table == INTO_SIS3302:
        return orsis3302decoder_for_energy_has_room(
            <const ORSIS3302DecoderForEnergyColumns*>columns, row, e.n_extra
        )
    if table == INTO_GRETINA4A:
        return or_gretina4a_waveform_has_room(
            <const ORGretina4AWaveformColumns*>columns, row, e.n_extra
        )
    return True


cdef void write_event(
    int table, void* columns, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil:
    """Write the row of an event; its samples fit."""
    if table == INTO_SIS3302:
        write_sis3302(columns, row, packet_id, w, e)
    elif table == INTO_SIS3316:
        write_sis3316(columns, row, packet_id, w, e)
    elif table == INTO_GRETINA4M:
        write_gretina4m(columns, row, packet_id, w, e)
    elif table == INTO_GRETINA4A:
        write_gretina4a(columns, row, packet_id, w, e)
    elif table == INTO_SIS3305:
        write_sis3305(columns, row, packet_id, w, e)
    elif table == INTO_SIS3320:
        write_sis3320(columns, row, packet_id, w, e)
    else:
        write_caen(table, columns, row, packet_id, w, e)

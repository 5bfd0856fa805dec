"""Events in the packets of CAEN digitizers: V1730, V1724, V1720, V1721 and DT57xx.

An event of the card has traces of several channels. Each of these traces is an `Event`
of the kernel.

Section numbers refer to the ORCA format.
"""

from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)

from ..._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from ..._core.bytes cimport load_u32
from ._events cimport *
from ._wire cimport *
from ..packets._framing cimport *

include "../_columns.pxi"


cdef bint next_caen(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next trace (format 5.5, 5.6)."""
    if e.next == 0:
        if claim_words(w, p, 0, CAEN_USB_BYTES + CAEN_EVENT_BYTES) == NULL:
            return refuse(e, p, REASON_CONTENT)
        e.next = e.end = CAEN_USB_BYTES // WORD
        e.mask = 0
        e.exact = True
    while e.mask == 0:
        # the next event of the card; it may have no channels
        if not next_caen_event(w, p, e):
            return False
        if e.reason != REASON_NONE:
            return True
    e.channel = 0
    while not (e.mask >> e.channel) & 1:
        e.channel += 1
    e.mask &= e.mask - 1
    e.samples = e.next
    e.next += e.words
    if p.kind == KIND_V1721:
        e.n_samples = 4 * e.words
    elif is_packed(w, p):
        e.n_samples = e.words // 2 * 5
    else:
        e.n_samples = 2 * e.words
    if p.kind >= KIND_DT5725:
        e.key = caen_usb_get_unit(w) * 100 + e.channel
    else:
        set_key(e)
    return True


cdef inline bint is_packed(const uint8_t* w, const Packet* p) noexcept nogil:
    """Whether 5 samples are in two words."""
    return p.kind == KIND_DT5720 and caen_usb_get_is_packed(w)


cdef bint next_caen_event(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Read the header of the next event: its channels, and their trace length."""
    cdef int64_t start = e.end
    cdef const uint8_t* h = claim_words(w, p, start, CAEN_EVENT_BYTES)
    cdef int64_t head = CAEN_EVENT_BYTES // WORD
    cdef int64_t size
    cdef int n = 0
    cdef int k
    if h == NULL or (p.kind >= KIND_DT5725 and start > CAEN_USB_BYTES // WORD):
        return False
    if caen_event_get_start(h) == 0:
        # padding of the last block of a transfer
        return False
    size = caen_event_get_n_words(h)
    if caen_event_get_mark(h) != CAEN_EVENT_MARK:
        return refuse(e, p, REASON_TRAILER)
    if size < head or size > p.n_words - start:
        return refuse(e, p, REASON_TRACE_LENGTH)
    e.start = start
    e.end = start + size
    e.next = start + head
    e.mask = caen_event_get_channels_low(h)
    if p.kind == KIND_DT5720:
        # it has four channels
        e.mask &= 0xF
    if p.kind == KIND_V1730:
        e.mask |= caen_event_get_channels_high(h) << 8
    for k in range(16):
        n += (e.mask >> k) & 1
    if n == 0:
        return True
    e.words = (size - head) // n
    if e.words * n != size - head or (
        caen_event_get_is_encoded(h) and has_zero_suppression(p)
    ):
        # this event cannot be decoded
        e.reason = REASON_CONTENT
        e.mask = 0
        e.next = e.end
    return True


cdef inline bint has_zero_suppression(const Packet* p) noexcept nogil:
    """Whether bit 24 marks encoded traces; only on x720 and x724."""
    return p.kind in (KIND_V1724, KIND_V1720, KIND_DT5720)


cdef void write_caen(
    int table, void* columns, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil:
    if table == INTO_V1721:
        write_caen_8_bits(<ORCV1721WaveformColumns*>columns, row, packet_id, w, e)
    elif table >= INTO_DT5725:
        write_caen_usb(table, <ORDT57xxColumns*>columns, row, packet_id, w, e)
    else:
        write_caen_vme(table, <ORCaenWaveformColumns*>columns, row, packet_id, w, e)


cdef void write_fields(
    ORCaenFieldsColumns* c, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil:
    cdef const uint8_t* h = w + WORD * e.start
    or_caen_fields_set_packet_id(c, row, <uint32_t>packet_id)
    or_caen_fields_set_eventnumber(c, row, caen_event_get_eventnumber(h))
    or_caen_fields_set_timestamp(c, row, caen_event_get_time(h))
    or_caen_fields_set_timestamp_rollover(c, row, <uint8_t>caen_event_get_rollover(h))
    or_caen_fields_set_board_id(c, row, <uint8_t>caen_event_get_board_id(h))
    or_caen_fields_set_pattern(c, row, <uint16_t>caen_event_get_pattern(h))
    or_caen_fields_set_board_fail(c, row, <uint8_t>caen_event_get_board_fail(h))
    or_caen_fields_set_channel(c, row, <uint8_t>e.channel)


cdef inline void mask_samples(
    BoundWaveform* to, int64_t row, int64_t n, uint16_t mask
) noexcept nogil:
    """Clear the bits of samples beyond the ADC's resolution."""
    cdef uint16_t* values
    cdef int64_t i
    if to.values == NULL:
        return
    values = <uint16_t*>(to.values + row * to.step)
    for i in range(n):
        values[i] &= mask


cdef void unpack(
    BoundWaveform* to, int64_t row, const uint8_t* words, const Event* e
) noexcept nogil:
    """Write samples of 12 bits that are stored 5 in two words (format 5.6)."""
    cdef uint16_t* values
    cdef int64_t i
    cdef int64_t n = e.n_samples
    cdef uint32_t a, b
    write_period(to, row, e.period)
    if to.values == NULL:
        return
    values = <uint16_t*>(to.values + row * to.step)
    for i in range(n // 5):
        a = load_u32(words + 8 * i)
        b = load_u32(words + 8 * i + 4)
        values[5 * i] = a & 0xFFF
        values[5 * i + 1] = (a >> 12) & 0xFFF
        values[5 * i + 2] = (a >> 24) & 0x3F | (b & 0x3F) << 6
        values[5 * i + 3] = (b >> 6) & 0xFFF
        values[5 * i + 4] = (b >> 18) & 0xFFF
    for i in range(n, to.width):
        values[i] = 0


cdef void write_caen_vme(
    int table, ORCaenWaveformColumns* c, int64_t row, int64_t packet_id,
    const uint8_t* w, const Event* e,
) noexcept nogil:
    write_fields(&c.fields, row, packet_id, w, e)
    or_caen_waveform_set_crate(c, row, <uint8_t>e.crate)
    or_caen_waveform_set_card(c, row, <uint8_t>e.card)
    write_samples(&c.waveform, row, w + WORD * e.samples, e, 0, 2)
    mask_samples(
        &c.waveform, row, e.n_samples, 0xFFF if table == INTO_V1720 else 0x3FFF
    )


cdef void write_caen_8_bits(
    ORCV1721WaveformColumns* c, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil:
    write_fields(&c.fields, row, packet_id, w, e)
    orcv1721waveform_set_crate(c, row, <uint8_t>e.crate)
    orcv1721waveform_set_card(c, row, <uint8_t>e.card)
    write_samples(&c.waveform, row, w + WORD * e.samples, e, 0, 1)


cdef void write_caen_usb(
    int table, ORDT57xxColumns* c, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil:
    write_fields(&c.fields, row, packet_id, w, e)
    ordt57xx_set_unit(c, row, <uint8_t>caen_usb_get_unit(w))
    if table == INTO_DT5720 and caen_usb_get_is_packed(w):
        unpack(&c.waveform, row, w + WORD * e.samples, e)
        return
    write_samples(&c.waveform, row, w + WORD * e.samples, e, 0, 2)
    mask_samples(
        &c.waveform, row, e.n_samples, 0xFFF if table == INTO_DT5720 else 0x3FFF
    )

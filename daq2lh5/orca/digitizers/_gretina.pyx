"""Events in the packets of Gretina digitizers: Gretina4M and Gretina4A.

Section numbers refer to the ORCA format.
"""

from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)

from ..._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from ._events cimport *
from ._wire cimport *
from ..packets._framing cimport *

include "../_columns.pxi"

cdef enum:
    GRETINA4M_WORDS = 1024


cdef bint next_gretina4m(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next block of 1024 words (format 5.1)."""
    cdef int64_t first = GRETINA_BYTES // WORD
    cdef int64_t start = e.next if e.next else first
    cdef const uint8_t* h = claim_words(w, p, start, WORD * GRETINA4M_WORDS)
    if p.n_words % GRETINA4M_WORDS != first or p.n_words == first:
        if e.number:
            return False
        return refuse(e, p, REASON_CONTENT)
    if h == NULL:
        return False
    e.start = start
    e.next = start + GRETINA4M_WORDS
    e.samples = start + GRETINA4M_BYTES // WORD
    e.n_samples = 2 * (GRETINA4M_WORDS - GRETINA4M_BYTES // WORD)
    e.channel = gretina4m_get_channel(h)
    set_key(e)
    if gretina4m_get_mark(h) != <uint32_t>GRETINA4M_MARK:
        e.reason = REASON_TRAILER
    elif e.channel > 9:
        e.reason = REASON_CONTENT
    return True


cdef void write_gretina4m(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORGretina4MWaveformColumns* c = <ORGretina4MWaveformColumns*>columns
    cdef const uint8_t* h = w + WORD * e.start
    cdef uint32_t energy = gretina4m_get_energy_low(h) | gretina4m_get_energy_high(h) << 16
    if energy >> 24:
        # two's complement of 25 bits: take the absolute value
        energy = (~energy & 0x1FFFFFF) + 1
    or_gretina4m_waveform_set_packet_id(c, row, <uint32_t>packet_id)
    or_gretina4m_waveform_set_energy(c, row, energy)
    or_gretina4m_waveform_set_timestamp(
        c, row, gretina4m_get_ticks_low(h) | <uint64_t>gretina4m_get_ticks_high(h) << 32
    )
    or_gretina4m_waveform_set_crate(c, row, <uint8_t>e.crate)
    or_gretina4m_waveform_set_card(c, row, <uint8_t>e.card)
    or_gretina4m_waveform_set_channel(c, row, <uint8_t>e.channel)
    or_gretina4m_waveform_set_board_id(c, row, <uint16_t>gretina4m_get_board_id(h))
    or_gretina4m_waveform_set_serial_number(
        c, row, <uint16_t>gretina_get_serial_number(w)
    )
    or_gretina4m_waveform_set_fifo_state(c, row, <uint8_t>gretina_get_fifo_state(w))
    write_samples(&c.waveform, row, w + WORD * e.samples, e, 0, 2)


cdef bint next_gretina4a(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next event by its own length (format 5.2)."""
    cdef int64_t start = e.next if e.next else GRETINA_BYTES // WORD
    cdef const uint8_t* h = claim_words(w, p, start, WORD)
    cdef int64_t n_words, head
    if h == NULL:
        return False
    if gretina4a_get_mark(h) != <uint32_t>GRETINA4A_MARK:
        return refuse(e, p, REASON_TRAILER)
    if claim_words(w, p, start, GRETINA4A_BYTES) == NULL:
        return cut_off(e, p)
    n_words = gretina4a_get_last_word(h) + 1
    # in words of 16 bits
    head = gretina4a_get_head_length(h) // 2
    if head < GRETINA4A_BYTES // WORD or head > n_words:
        return refuse(e, p, REASON_CONTENT)
    if start + n_words > p.n_words:
        return cut_off(e, p)
    e.start = start
    e.next = start + n_words
    e.samples = start + head
    e.n_samples = 2 * (n_words - head)
    e.n_extra = e.n_samples
    e.exact = True
    e.channel = gretina4a_get_channel(h)
    set_key(e)
    return True


cdef bint cut_off(Event* e, const Packet* p) noexcept nogil:
    """Mark an event that the packet cuts off, as one readout does."""
    if e.number == 0:
        return refuse(e, p, REASON_TRACE_LENGTH)
    e.cut = True
    return False


cdef void write_gretina4a(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORGretina4AWaveformColumns* c = <ORGretina4AWaveformColumns*>columns
    cdef const uint8_t* h = w + WORD * e.start
    cdef uint32_t pre = gretina4a_get_pre_sum(h)
    cdef uint32_t post = gretina4a_get_post_low(h) | gretina4a_get_post_high(h) << 8
    cdef uint16_t* to
    cdef uint8_t* flags
    cdef int64_t i
    or_gretina4a_waveform_set_packet_id(c, row, <uint32_t>packet_id)
    or_gretina4a_waveform_set_energy(c, row, <int32_t>post - <int32_t>pre)
    or_gretina4a_waveform_set_timestamp(
        c, row, gretina4a_get_ticks_low(h) | <uint64_t>gretina4a_get_ticks_high(h) << 32
    )
    or_gretina4a_waveform_set_prev_timestamp(
        c, row, gretina4a_get_prev_low(h) | <uint64_t>gretina4a_get_prev_high(h) << 16
    )
    or_gretina4a_waveform_set_pre_rise_sum(c, row, pre)
    or_gretina4a_waveform_set_post_rise_sum(c, row, post)
    or_gretina4a_waveform_set_baseline(c, row, gretina4a_get_baseline(h))
    or_gretina4a_waveform_set_flags(c, row, <uint16_t>gretina4a_get_flags(h))
    or_gretina4a_waveform_set_event_type(c, row, <uint8_t>gretina4a_get_event_type(h))
    or_gretina4a_waveform_set_header_type(c, row, <uint8_t>gretina4a_get_header_type(h))
    or_gretina4a_waveform_set_peak_time(c, row, <uint16_t>gretina4a_get_peak_time(h))
    or_gretina4a_waveform_set_trigger_time(
        c, row, <uint16_t>gretina4a_get_trigger_time(h)
    )
    or_gretina4a_waveform_set_crate(c, row, <uint8_t>e.crate)
    or_gretina4a_waveform_set_card(c, row, <uint8_t>e.card)
    or_gretina4a_waveform_set_channel(c, row, <uint8_t>e.channel)
    or_gretina4a_waveform_set_board_id(c, row, <uint16_t>gretina4a_get_board_id(h))
    write_samples(&c.waveform, row, w + WORD * e.samples, e, 0, 2)
    if c.waveform.values != NULL:
        to = <uint16_t*>(c.waveform.values + row * c.waveform.step)
        for i in range(e.n_samples):
            to[i] &= 0x3FFF
    if c.waveform_flags.offsets != NULL:
        flags = or_gretina4a_waveform_new_waveform_flags(c, row, e.n_samples)
        for i in range(e.n_samples):
            # the two highest bits of each sample
            flags[i] = w[4 * e.samples + 2 * i + 1] >> 6

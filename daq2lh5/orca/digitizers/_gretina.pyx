"""Events in the packets of Gretina digitizers: Gretina4M and Gretina4A.

The sections named are those of the ORCA format.
"""

from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)

from ..._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from ..._core.bytes cimport load_u32
from ._events cimport *
from ..packets._framing cimport *

include "../_columns.pxi"

cdef enum:
    GRETINA4M_WORDS = 1024
    GRETINA4M_HEADER = 15
    GRETINA4A_HEADER = 14


cdef bint next_gretina4m(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next block of 1024 words (format 5.1)."""
    cdef int64_t start = e.next if e.next else 2
    if p.n_words % GRETINA4M_WORDS != 2 or p.n_words == 2:
        if e.number:
            return False
        return refuse(e, p, REASON_CONTENT)
    if start >= p.n_words:
        return False
    e.start = start
    e.next = start + GRETINA4M_WORDS
    e.samples = start + GRETINA4M_HEADER
    e.n_samples = 2 * (GRETINA4M_WORDS - GRETINA4M_HEADER)
    e.channel = load_u32(w + 4 * start + 4) & 0xF
    set_key(e)
    if load_u32(w + 4 * start) != <uint32_t>0xAAAAAAAA:
        e.reason = REASON_TRAILER
    elif e.channel > 9:
        e.reason = REASON_CONTENT
    return True


cdef void write_gretina4m(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORGretina4MWaveformColumns* c = <ORGretina4MWaveformColumns*>columns
    cdef const uint8_t* h = w + 4 * e.start
    cdef uint32_t energy = (load_u32(h + 12) >> 16) | (load_u32(h + 16) & 0x1FF) << 16
    if energy >> 24:
        # two's complement of 25 bits: the size counts
        energy = (~energy & 0x1FFFFFF) + 1
    or_gretina4m_waveform_set_packet_id(c, row, <uint32_t>packet_id)
    or_gretina4m_waveform_set_energy(c, row, energy)
    or_gretina4m_waveform_set_timestamp(
        c, row, load_u32(h + 8) | <uint64_t>(load_u32(h + 12) & 0xFFFF) << 32
    )
    or_gretina4m_waveform_set_crate(c, row, <uint8_t>e.crate)
    or_gretina4m_waveform_set_card(c, row, <uint8_t>e.card)
    or_gretina4m_waveform_set_channel(c, row, <uint8_t>e.channel)
    or_gretina4m_waveform_set_board_id(
        c, row, <uint16_t>((load_u32(h + 4) >> 4) & 0xFFF)
    )
    or_gretina4m_waveform_set_serial_number(
        c, row, <uint16_t>(load_u32(w + 4) & 0xFFFF)
    )
    or_gretina4m_waveform_set_fifo_state(c, row, <uint8_t>(load_u32(w + 4) >> 30))
    write_samples(&c.waveform, row, w + 4 * e.samples, e, 0, 2)


cdef bint next_gretina4a(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next event by its own length (format 5.2)."""
    cdef int64_t start = e.next if e.next else 2
    cdef const uint8_t* h = w + 4 * start
    cdef int64_t n_words, head
    if start >= p.n_words:
        return False
    if load_u32(h) != <uint32_t>0xAAAAAAAA:
        return refuse(e, p, REASON_TRAILER)
    if start + GRETINA4A_HEADER > p.n_words:
        return cut_off(e, p)
    n_words = ((load_u32(h + 4) >> 16) & 0x7FF) + 1
    # said in words of 16 bits
    head = (load_u32(h + 12) >> 26) // 2
    if head < GRETINA4A_HEADER or head > n_words:
        return refuse(e, p, REASON_CONTENT)
    if start + n_words > p.n_words:
        return cut_off(e, p)
    e.start = start
    e.next = start + n_words
    e.samples = start + head
    e.n_samples = 2 * (n_words - head)
    e.n_extra = e.n_samples
    e.exact = True
    e.channel = load_u32(h + 4) & 0xF
    set_key(e)
    return True


cdef bint cut_off(Event* e, const Packet* p) noexcept nogil:
    """Tell of an event that the end of the packet cuts: one readout leaves such."""
    if e.number == 0:
        return refuse(e, p, REASON_TRACE_LENGTH)
    e.cut = True
    return False


cdef void write_gretina4a(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORGretina4AWaveformColumns* c = <ORGretina4AWaveformColumns*>columns
    cdef const uint8_t* h = w + 4 * e.start
    cdef uint32_t word3 = load_u32(h + 12)
    cdef uint32_t word4 = load_u32(h + 16)
    cdef uint32_t pre = load_u32(h + 32) & 0xFFFFFF
    cdef uint32_t post = load_u32(h + 32) >> 24 | (load_u32(h + 36) & 0xFFFF) << 8
    cdef uint16_t* to
    cdef uint8_t* flags
    cdef int64_t i
    or_gretina4a_waveform_set_packet_id(c, row, <uint32_t>packet_id)
    or_gretina4a_waveform_set_energy(c, row, <int32_t>post - <int32_t>pre)
    or_gretina4a_waveform_set_timestamp(
        c, row, load_u32(h + 8) | <uint64_t>(word3 & 0xFFFF) << 32
    )
    or_gretina4a_waveform_set_prev_timestamp(
        c, row, word4 >> 16 | <uint64_t>load_u32(h + 20) << 16
    )
    or_gretina4a_waveform_set_pre_rise_sum(c, row, pre)
    or_gretina4a_waveform_set_post_rise_sum(c, row, post)
    or_gretina4a_waveform_set_baseline(c, row, load_u32(h + 24) & 0xFFFFFF)
    or_gretina4a_waveform_set_flags(c, row, <uint16_t>(word4 & 0xFFFF))
    or_gretina4a_waveform_set_event_type(c, row, <uint8_t>((word3 >> 23) & 7))
    or_gretina4a_waveform_set_header_type(c, row, <uint8_t>((word3 >> 16) & 0xF))
    or_gretina4a_waveform_set_peak_time(c, row, <uint16_t>(load_u32(h + 36) >> 16))
    or_gretina4a_waveform_set_trigger_time(c, row, <uint16_t>(load_u32(h + 40) >> 16))
    or_gretina4a_waveform_set_crate(c, row, <uint8_t>e.crate)
    or_gretina4a_waveform_set_card(c, row, <uint8_t>e.card)
    or_gretina4a_waveform_set_channel(c, row, <uint8_t>e.channel)
    or_gretina4a_waveform_set_board_id(
        c, row, <uint16_t>((load_u32(h + 4) >> 4) & 0xFFF)
    )
    write_samples(&c.waveform, row, w + 4 * e.samples, e, 0, 2)
    if c.waveform.values != NULL:
        to = <uint16_t*>(c.waveform.values + row * c.waveform.step)
        for i in range(e.n_samples):
            to[i] &= 0x3FFF
    if c.waveform_flags.offsets != NULL:
        flags = or_gretina4a_waveform_new_waveform_flags(c, row, e.n_samples)
        for i in range(e.n_samples):
            # the two highest bits of each sample
            flags[i] = w[4 * e.samples + 2 * i + 1] >> 6

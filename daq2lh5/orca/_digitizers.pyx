"""Events in the packets of digitizers, and the rows made of them.

The sections named are those of the format document "ORCA".
"""

from libc.stdint cimport int16_t, int32_t, uint16_t, uint64_t, UINT32_MAX
from libc.string cimport memcpy, memset

from .._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from .._core.bytes cimport load_u16, load_u32
from .._core.sink cimport new_sink_table
from ._framing cimport *

include "_columns.pxi"

cdef enum:
    GRETINA4M_WORDS = 1024
    GRETINA4M_HEADER = 15


cdef tuple new_digitizer_tables():
    """Return a `SinkTable` for each kind of digitizer."""
    return (
        new_sink_table(
            sizeof(ORSIS3302DecoderForEnergyColumns), bind_orsis3302decoder_for_energy
        ),
        new_sink_table(sizeof(ORSIS3316WaveformColumns), bind_orsis3316waveform),
        new_sink_table(sizeof(ORGretina4MWaveformColumns), bind_or_gretina4m_waveform),
    )


cdef bint next_event(
    const uint8_t* w, const Packet* p, const int32_t* averages, Event* e
) noexcept nogil:
    """Find the next event of a packet; false if there is none.

    Before the first one, `next` is 0. An event with a `reason` cannot be used. The
    words of moving averages, which no event tells, are in `averages`, by channel.
    """
    cdef uint32_t word
    e.reason = REASON_NONE
    e.last = False
    if e.next == 0:
        e.number = -1
        if p.n_words < 4:
            return refuse(e, p, REASON_CONTENT)
        word = load_u32(w + 4)
        e.crate = (word >> 21) & 0xF
        e.card = (word >> 16) & 0x1F
        e.channel = (word >> 8) & 0xFF
    e.number += 1
    if p.kind == KIND_SIS3302:
        if e.next:
            return False
        return sis3302(w, p, e)
    if p.kind == KIND_SIS3316:
        return sis3316(w, p, averages, e)
    return gretina4m(w, p, e)


cdef bint refuse(Event* e, const Packet* p, Reason reason) noexcept nogil:
    """Say that the rest of a packet cannot be used."""
    e.reason = reason
    e.last = True
    e.next = p.n_words
    return True


cdef bint sis3302(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Take the packet for a trace (4.5): lengths, samples, energy trace, trailer."""
    cdef bint wrapped
    cdef int64_t n_raw, n_energy, head
    e.start = 4
    e.next = p.n_words
    e.last = True
    if p.n_words < 10:
        return refuse(e, p, REASON_CONTENT)
    wrapped = load_u32(w + 4) & 1
    head = 8 if wrapped else 6
    n_raw = load_u32(w + 8)
    # one kind of readout says twice the length of the energy trace
    n_energy = p.n_words - 4 - head - n_raw
    if n_energy < 0:
        return refuse(e, p, REASON_TRACE_LENGTH)
    if load_u32(w + 4 * p.n_words - 4) != <uint32_t>0xDEADBEEF:
        return refuse(e, p, REASON_TRAILER)
    if e.channel > 7 or load_u32(w + 16) & 7 != e.channel:
        return refuse(e, p, REASON_CONTENT)
    e.samples = head
    e.n_samples = 2 * n_raw
    if wrapped:
        e.n_samples = load_u32(w + 24)
        if e.n_samples > 2 * n_raw or (
            e.n_samples and load_u32(w + 28) >= <uint64_t>e.n_samples
        ):
            return refuse(e, p, REASON_CONTENT)
    return True


cdef inline int64_t words_before_check(uint32_t bits) noexcept nogil:
    """Words of an event of SIS3316 in front of its check word (4.6)."""
    cdef int64_t n = 2
    if bits & 1:
        n += 7
    if bits & 2:
        n += 2
    if bits & 4:
        n += 3
    if bits & 8:
        n += 2
    return n


cdef bint sis3316(
    const uint8_t* w, const Packet* p, const int32_t* averages, Event* e
) noexcept nogil:
    """Find the next event by the lengths of the events themselves (4.6)."""
    cdef int64_t start = e.next if e.next else 10
    cdef int64_t check
    cdef int64_t averaged = 0
    cdef uint32_t word
    if p.n_words < 13 or load_u32(w + 8) == 0 or e.channel > 15:
        if e.number:
            return False
        return refuse(e, p, REASON_CONTENT)
    if e.number >= load_u32(w + 8) or start >= p.n_words:
        return False
    if start + 3 > p.n_words:
        return refuse(e, p, REASON_TRACE_LENGTH)
    check = start + words_before_check(load_u32(w + 4 * start))
    if check >= p.n_words:
        return refuse(e, p, REASON_TRACE_LENGTH)
    word = load_u32(w + 4 * check)
    if word >> 28 == 0xA and check + 1 < p.n_words:
        averaged = (load_u32(w + 4 * check + 4) & 0xFFFF) + 1
    elif word >> 28 != 0xE:
        return refuse(e, p, REASON_TRAILER)
    e.start = start
    e.samples = check + 1 + (1 if averaged else 0)
    e.n_samples = 2 * <int64_t>(word & 0x3FFFFFF)
    e.next = check + 1 + averaged + e.n_samples // 2
    if e.next > p.n_words:
        return refuse(e, p, REASON_TRACE_LENGTH)
    if (word >> 27) & 1:
        # ORCA cuts the last one of a packet short
        e.next += averages[(e.crate << 9 | e.card << 4 | e.channel) & 0x1FFF]
    return True


cdef bint gretina4m(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next block of 1024 words (5.1)."""
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
    if load_u32(w + 4 * start) != <uint32_t>0xAAAAAAAA:
        e.reason = REASON_TRAILER
    elif e.channel > 9:
        e.reason = REASON_CONTENT
    return True


cdef int64_t samples_per_row(int table, const void* columns) noexcept nogil:
    """Return the samples of a row; -1 if nobody wants them."""
    if table == INTO_SIS3302:
        return (<ORSIS3302DecoderForEnergyColumns*>columns).waveform.width
    if table == INTO_SIS3316:
        return (<ORSIS3316WaveformColumns*>columns).waveform.width
    return (<ORGretina4MWaveformColumns*>columns).waveform.width


cdef void write_event(
    int table, void* columns, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil:
    """Write the row of an event; its samples fit."""
    if table == INTO_SIS3302:
        write_sis3302(<ORSIS3302DecoderForEnergyColumns*>columns, row, packet_id, w, e)
    elif table == INTO_SIS3316:
        write_sis3316(<ORSIS3316WaveformColumns*>columns, row, packet_id, w, e)
    else:
        write_gretina4m(<ORGretina4MWaveformColumns*>columns, row, packet_id, w, e)


cdef void write_samples(
    BoundWaveform* to, int64_t row, const uint8_t* samples, int64_t n, int64_t first
) noexcept nogil:
    """Write samples, from number `first` on and around; zeros fill the row.

    Sampling periods are those of the buffer.
    """
    cdef char* values
    (<float*>(to.t0.data + row * to.t0.step))[0] = 0
    if to.values == NULL:
        return
    values = to.values + row * to.step
    memcpy(values, samples + 2 * first, 2 * (n - first))
    memcpy(values + 2 * (n - first), samples, 2 * first)
    memset(values + 2 * n, 0, 2 * (to.width - n))


cdef void write_sis3302(
    ORSIS3302DecoderForEnergyColumns* c, int64_t row, int64_t packet_id,
    const uint8_t* w, const Event* e,
) noexcept nogil:
    cdef int64_t last = 4 * (e.next - 1)
    cdef int64_t first = 0
    orsis3302decoder_for_energy_set_packet_id(c, row, <uint32_t>packet_id)
    orsis3302decoder_for_energy_set_energy(c, row, load_u32(w + last - 12))
    orsis3302decoder_for_energy_set_energy_first(c, row, load_u32(w + last - 8))
    orsis3302decoder_for_energy_set_timestamp(
        c, row, load_u32(w + 20) | <uint64_t>(load_u32(w + 16) >> 16) << 32
    )
    orsis3302decoder_for_energy_set_crate(c, row, <uint8_t>e.crate)
    orsis3302decoder_for_energy_set_card(c, row, <uint8_t>e.card)
    orsis3302decoder_for_energy_set_channel(c, row, <uint8_t>e.channel)
    if e.samples == 8 and e.n_samples:
        # the ring begins behind its start index
        first = (<int64_t>load_u32(w + 28) + 1) % e.n_samples
    write_samples(&c.waveform, row, w + 4 * e.samples, e.n_samples, first)


cdef void write_sis3316(
    ORSIS3316WaveformColumns* c, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil:
    cdef const uint8_t* h = w + 4 * e.start
    cdef uint32_t bits = load_u32(h)
    cdef uint32_t x[14]
    cdef uint32_t information = UINT32_MAX
    cdef uint32_t high_value = UINT32_MAX
    cdef uint32_t high_index = UINT32_MAX
    cdef int k
    cdef const uint8_t* at = h + 8
    # what the format bits leave out is UINT32_MAX:
    # accSum1..8, mawMax, mawBefore, mawAfter, startEnergy, maxEnergy
    memset(x, 0xFF, sizeof(x))
    if bits & 1:
        high_value = load_u32(at) & 0xFFFF
        high_index = load_u32(at) >> 16
        x[0] = load_u32(at + 4) & 0xFFFFFF
        information = load_u32(at + 4) >> 24
        for k in range(1, 6):
            x[k] = load_u32(at + 4 + 4 * k)
        at += 28
    if bits & 2:
        x[6] = load_u32(at)
        x[7] = load_u32(at + 4)
        at += 8
    if bits & 4:
        for k in range(3):
            x[8 + k] = load_u32(at + 4 * k)
        at += 12
    if bits & 8:
        x[11] = load_u32(at)
        x[12] = load_u32(at + 4)
    orsis3316waveform_set_packet_id(c, row, <uint32_t>packet_id)
    orsis3316waveform_set_energy(c, row, x[12])
    orsis3316waveform_set_energy_first(c, row, x[11])
    orsis3316waveform_set_timestamp(
        c, row, load_u32(h + 4) | <uint64_t>(bits >> 16) << 32
    )
    orsis3316waveform_set_peakHighValue(c, row, high_value)
    orsis3316waveform_set_peakHighIndex(c, row, high_index)
    orsis3316waveform_set_information(c, row, information)
    orsis3316waveform_set_accSum1(c, row, x[0])
    orsis3316waveform_set_accSum2(c, row, x[1])
    orsis3316waveform_set_accSum3(c, row, x[2])
    orsis3316waveform_set_accSum4(c, row, x[3])
    orsis3316waveform_set_accSum5(c, row, x[4])
    orsis3316waveform_set_accSum6(c, row, x[5])
    orsis3316waveform_set_accSum7(c, row, x[6])
    orsis3316waveform_set_accSum8(c, row, x[7])
    orsis3316waveform_set_mawMax(c, row, x[8])
    orsis3316waveform_set_mawBefore(c, row, x[9])
    orsis3316waveform_set_mawAfter(c, row, x[10])
    orsis3316waveform_set_startEnergy(c, row, x[11])
    orsis3316waveform_set_maxEnergy(c, row, x[12])
    orsis3316waveform_set_crate(c, row, <uint8_t>e.crate)
    orsis3316waveform_set_card(c, row, <uint8_t>e.card)
    orsis3316waveform_set_channel(c, row, <uint8_t>e.channel)
    write_samples(&c.waveform, row, w + 4 * e.samples, e.n_samples, 0)


cdef void write_gretina4m(
    ORGretina4MWaveformColumns* c, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil:
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
    write_samples(&c.waveform, row, w + 4 * e.samples, e.n_samples, 0)

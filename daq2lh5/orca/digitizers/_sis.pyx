"""Events in the packets of Struck digitizers: SIS3302, 3316, 3305 and 3320.

The sections named are those of the ORCA format.
"""

from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, UINT32_MAX,
)
from libc.string cimport memcpy, memset

from ..._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from ..._core.bytes cimport load_u32
from ._events cimport *
from ..packets._framing cimport *

include "../_columns.pxi"


cdef bint next_sis3302(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Take the packet for a trace (format 4.5): lengths, samples, energy, trailer."""
    cdef bint wrapped
    cdef int64_t n_raw, n_energy, head
    if e.next:
        return False
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
    e.n_extra = n_energy
    if wrapped:
        e.n_samples = load_u32(w + 24)
        if e.n_samples > 2 * n_raw or (
            e.n_samples and load_u32(w + 28) >= <uint64_t>e.n_samples
        ):
            return refuse(e, p, REASON_CONTENT)
    return True


cdef inline int64_t words_before_check(uint32_t bits) noexcept nogil:
    """Words of an event of SIS3316 in front of its check word (format 4.6)."""
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


cdef bint next_sis3316(
    const uint8_t* w, const Packet* p, const int32_t* averages, Event* e
) noexcept nogil:
    """Find the next event by the lengths of the events themselves (format 4.6)."""
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
        e.next += averages[e.key]
    return True


cdef void write_sis3302(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORSIS3302DecoderForEnergyColumns* c = <ORSIS3302DecoderForEnergyColumns*>columns
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
    write_samples(&c.waveform, row, w + 4 * e.samples, e, first, 2)
    orsis3302decoder_for_energy_set_flags(c, row, load_u32(w + last - 4))
    if c.energy_waveform.offsets != NULL:
        memcpy(
            orsis3302decoder_for_energy_new_energy_waveform(c, row, e.n_extra),
            w + last - 12 - 4 * e.n_extra, 4 * <size_t>e.n_extra,
        )


cdef void write_sis3316(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORSIS3316WaveformColumns* c = <ORSIS3316WaveformColumns*>columns
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
    write_samples(&c.waveform, row, w + 4 * e.samples, e, 0, 2)


cdef bint next_sis3305(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next of events that have all the same length (format 5.3)."""
    cdef uint32_t where = load_u32(w + 4)
    cdef uint32_t rate = (where >> 8) & 0xF
    cdef uint32_t saving = (where >> 4) & 0xF
    cdef int64_t n_words = load_u32(w + 8)
    cdef int64_t start = e.next if e.next else 4
    cdef int64_t block = 4 if saving == 4 else 8 if saving == 1 else 16
    cdef int64_t n_blocks
    if e.number >= (load_u32(w + 12) & 0xFFFF) or e.next == p.n_words:
        # what is left is filled up with ones
        return False
    if n_words < 4 or start + n_words > p.n_words:
        if e.number == 0:
            return refuse(e, p, REASON_TRACE_LENGTH)
        e.cut = True
        return False
    if where & 1 or rate > 2 or not (
        saving == 4 or saving == 1 or (saving == 0 and rate == 2)
    ):
        # nobody knows how these are stored
        e.reason = REASON_CONTENT
        e.next = p.n_words
        return True
    n_blocks = load_u32(w + 4 * start + 12) & 0xFFFF
    if n_words != 4 + block * n_blocks:
        return refuse(e, p, REASON_TRACE_LENGTH)
    e.start = start
    e.next = start + n_words
    e.samples = start + 4
    e.n_samples = 3 * block * n_blocks
    e.exact = True
    e.crate = where >> 28
    e.card = (where >> 20) & 0x1F
    e.channel = 4 * ((where >> 12) & 0xF) + (load_u32(w + 4 * start) >> 28 if saving else 0)
    set_key(e)
    return True


cdef inline int64_t split_word(
    uint16_t* to, int64_t at, int64_t step, uint32_t word
) noexcept nogil:
    """Write the three samples of a word, `step` apart; return where the next goes."""
    to[at] = (word >> 20) & 0x3FF
    to[at + step] = (word >> 10) & 0x3FF
    to[at + 2 * step] = word & 0x3FF
    return at + 3 * step


cdef inline void write_10_bits(
    uint16_t* to, const uint8_t* words, int64_t n_words, int streams
) noexcept nogil:
    """Write samples of 10 bits, three a word (format 5.3).

    Of so many `streams` each block has four words, one stream behind the other; their
    samples take turns. Of four, the second and the third have changed places.
    """
    cdef int64_t block, k, i, of_block
    for block in range(n_words // (4 * streams)):
        for i in range(streams):
            of_block = 4 * streams * block + 4 * i
            k = 12 * streams * block
            if streams == 4 and (i == 1 or i == 2):
                k += 3 - i
            else:
                k += i
            k = split_word(to, k, streams, load_u32(words + 4 * of_block))
            k = split_word(to, k, streams, load_u32(words + 4 * of_block + 4))
            k = split_word(to, k, streams, load_u32(words + 4 * of_block + 8))
            split_word(to, k, streams, load_u32(words + 4 * of_block + 12))


cdef void write_sis3305(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORSIS3305DecoderForWaveformColumns* c = (
        <ORSIS3305DecoderForWaveformColumns*>columns
    )
    cdef const uint8_t* h = w + 4 * e.start
    cdef uint32_t where = load_u32(w + 4)
    cdef uint32_t rate = (where >> 8) & 0xF
    cdef uint32_t saving = (where >> 4) & 0xF
    cdef uint16_t* to
    orsis3305decoder_for_waveform_set_packet_id(c, row, <uint32_t>packet_id)
    orsis3305decoder_for_waveform_set_timestamp(
        c, row, load_u32(h + 4) | <uint64_t>(load_u32(h) & 0xFFFF) << 32
    )
    orsis3305decoder_for_waveform_set_event_id(c, row, <uint8_t>(load_u32(h) >> 28))
    orsis3305decoder_for_waveform_set_group(c, row, (where >> 12) & 0xF)
    orsis3305decoder_for_waveform_set_channel_mode(c, row, (where >> 16) & 0xF)
    orsis3305decoder_for_waveform_set_rate(c, row, <uint8_t>rate)
    orsis3305decoder_for_waveform_set_saving_mode(c, row, <uint8_t>saving)
    orsis3305decoder_for_waveform_set_crate(c, row, <uint8_t>e.crate)
    orsis3305decoder_for_waveform_set_card(c, row, <uint8_t>e.card)
    orsis3305decoder_for_waveform_set_channel(c, row, <uint8_t>e.channel)
    write_period(
        &c.waveform, row,
        <float>0.8 if rate == 0 else <float>0.4 if rate == 1 else <float>0.2,
    )
    if c.waveform.values == NULL:
        return
    to = <uint16_t*>(c.waveform.values + row * c.waveform.step)
    memset(to + e.n_samples, 0, 2 * <size_t>(c.waveform.width - e.n_samples))
    # one call for each number of streams, so that it is a constant inside
    if saving == 4:
        write_10_bits(to, h + 16, e.n_samples // 3, 1)
    elif saving == 1:
        write_10_bits(to, h + 16, e.n_samples // 3, 2)
    else:
        write_10_bits(to, h + 16, e.n_samples // 3, 4)


cdef bint next_sis3320(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next event, as long as the marks are there (format 5.4)."""
    cdef int64_t start = e.next if e.next else 2
    cdef uint32_t word
    # a part of an event is at the end if a buffer was split into several packets
    cdef bint split = e.number > 0 and load_u32(w + 4) >> 31
    if start >= p.n_words:
        return False
    if e.channel > 7:
        return refuse(e, p, REASON_CONTENT)
    if start + 10 > p.n_words:
        if split:
            e.cut = True
            return False
        return refuse(e, p, REASON_TRACE_LENGTH)
    word = load_u32(w + 4 * start + 36)
    e.n_samples = 0
    if word >> 16 == 0xDADA:
        e.n_samples = word & 0xFFFF
    elif word >> 16 != 0xEDED:
        return refuse(e, p, REASON_TRAILER)
    e.start = start
    e.samples = start + 10
    e.next = e.samples + (e.n_samples + 1) // 2
    e.exact = True
    if e.next > p.n_words:
        if split:
            e.cut = True
            return False
        return refuse(e, p, REASON_TRACE_LENGTH)
    return True


cdef void write_sis3320(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORSIS3320WaveformColumns* c = <ORSIS3320WaveformColumns*>columns
    cdef const uint8_t* h = w + 4 * e.start
    cdef uint32_t word6 = load_u32(h + 24)
    cdef uint32_t word7 = load_u32(h + 28)
    orsis3320waveform_set_packet_id(c, row, <uint32_t>packet_id)
    orsis3320waveform_set_timestamp(
        c, row, load_u32(h + 4) | <uint64_t>(load_u32(h) >> 16) << 32
    )
    orsis3320waveform_set_accSum1(c, row, load_u32(h + 8) & 0xFFFFF)
    orsis3320waveform_set_accSum2(c, row, load_u32(h + 12) & 0xFFFFF)
    orsis3320waveform_set_accSum3(c, row, load_u32(h + 16) & 0xFFFFF)
    orsis3320waveform_set_accSum4(c, row, load_u32(h + 20) & 0xFFFFF)
    orsis3320waveform_set_accSum5(c, row, word6 & 0xFFFF)
    orsis3320waveform_set_accSum6(c, row, word6 >> 16)
    orsis3320waveform_set_accSum7(c, row, word7 & 0xFFFF)
    orsis3320waveform_set_accSum8(c, row, word7 >> 16)
    orsis3320waveform_set_crate(c, row, <uint8_t>e.crate)
    orsis3320waveform_set_card(c, row, <uint8_t>e.card)
    orsis3320waveform_set_channel(c, row, <uint8_t>e.channel)
    write_samples(&c.waveform, row, w + 4 * e.samples, e, 0, 2)

"""Events in the packets of Struck digitizers: SIS3302, 3316, 3305 and 3320.

Section numbers refer to the ORCA format.
"""

from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, UINT32_MAX,
)
from libc.string cimport memcpy, memset

from ..._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from ..._core.bytes cimport load_u32
from ...llama._wire cimport *
from ...llama.layout cimport MARK_AVERAGED, MARK_PLAIN, bytes_before_status
from ._events cimport *
from ._wire cimport *
from ..packets._framing cimport *

include "../_columns.pxi"

cdef enum:
    # marks in the headers of SIS3320 (format 5.4)
    SAMPLES_FOLLOW = 0xDADA
    NO_SAMPLES = 0xEDED
    BITS_20 = 0xFFFFF           # of the sums over gates 1 to 4


cdef bint next_sis3302(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Read the packet as one trace (format 4.5): lengths, samples, energy, trailer."""
    cdef const uint8_t* end
    cdef const uint8_t* ring
    cdef bint wrapped
    cdef int64_t n_raw, n_energy, head
    if e.next:
        return False
    e.start = 4
    e.next = p.n_words
    e.last = True
    if claim_words(w, p, 0, SIS3302_BYTES + SIS3302_END_BYTES) == NULL:
        return refuse(e, p, REASON_CONTENT)
    wrapped = sis3302_get_is_wrapped(w)
    head = (SIS3302_BYTES + SIS3302_RING_BYTES * wrapped) // WORD
    n_raw = sis3302_get_raw_words(w)
    # one kind of readout writes twice the length of the energy trace
    n_energy = p.n_words - SIS3302_END_BYTES // WORD - head - n_raw
    if n_energy < 0:
        return refuse(e, p, REASON_TRACE_LENGTH)
    end = w + WORD * p.n_words - SIS3302_END_BYTES
    if sis3302_end_get_mark(end) != <uint32_t>SIS3302_END_MARK:
        return refuse(e, p, REASON_TRAILER)
    if e.channel > 7 or sis3302_get_adc(w) != e.channel:
        return refuse(e, p, REASON_CONTENT)
    e.samples = head
    e.n_samples = 2 * n_raw
    e.n_extra = n_energy
    if wrapped:
        ring = w + SIS3302_BYTES
        e.n_samples = sis3302_ring_get_n_samples(ring)
        if e.n_samples > 2 * n_raw or (
            e.n_samples and sis3302_ring_get_start(ring) >= <uint64_t>e.n_samples
        ):
            return refuse(e, p, REASON_CONTENT)
    return True


cdef bint next_sis3316(
    const uint8_t* w, const Packet* p, const int32_t* averages, Event* e
) noexcept nogil:
    """Find the next event by the lengths of the events themselves (format 4.6)."""
    cdef int64_t start = e.next if e.next else SIS3316_BYTES // WORD
    cdef int64_t shortest = SIS3316_EVENT_BYTES + SIS3316_STATUS_BYTES
    cdef int64_t check
    cdef int64_t averaged = 0
    cdef const uint8_t* event
    cdef const uint8_t* status
    cdef const uint8_t* average
    if (
        claim_words(w, p, 0, SIS3316_BYTES + shortest) == NULL
        or sis3316_get_n_events(w) == 0 or e.channel > 15
    ):
        if e.number:
            return False
        return refuse(e, p, REASON_CONTENT)
    if e.number >= sis3316_get_n_events(w) or start >= p.n_words:
        return False
    event = claim_words(w, p, start, shortest)
    if event == NULL:
        return refuse(e, p, REASON_TRACE_LENGTH)
    check = start + bytes_before_status(sis3316_event_get_format_bits(event)) // WORD
    status = claim_words(w, p, check, SIS3316_STATUS_BYTES)
    if status == NULL:
        return refuse(e, p, REASON_TRACE_LENGTH)
    average = claim_words(w, p, check + 1, SIS3316_AVERAGE_BYTES)
    if sis3316_status_get_mark(status) == MARK_AVERAGED and average != NULL:
        averaged = sis3316_average_get_averaged_words(average) + 1
    elif sis3316_status_get_mark(status) != MARK_PLAIN:
        return refuse(e, p, REASON_TRAILER)
    e.start = start
    e.samples = check + 1 + (1 if averaged else 0)
    e.n_samples = 2 * <int64_t>sis3316_status_get_raw_words(status)
    e.next = check + 1 + averaged + e.n_samples // 2
    if e.next > p.n_words:
        return refuse(e, p, REASON_TRACE_LENGTH)
    if sis3316_status_get_has_maw(status):
        # ORCA may cut off the last event of a packet
        e.next += averages[e.key]
    return True


cdef void write_sis3302(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORSIS3302DecoderForEnergyColumns* c = <ORSIS3302DecoderForEnergyColumns*>columns
    cdef const uint8_t* end = w + WORD * e.next - SIS3302_END_BYTES
    cdef int64_t first = 0
    orsis3302decoder_for_energy_set_packet_id(c, row, <uint32_t>packet_id)
    orsis3302decoder_for_energy_set_energy(c, row, sis3302_end_get_energy(end))
    orsis3302decoder_for_energy_set_energy_first(
        c, row, sis3302_end_get_energy_first(end)
    )
    orsis3302decoder_for_energy_set_timestamp(
        c, row,
        sis3302_get_ticks_low(w) | <uint64_t>sis3302_get_ticks_high(w) << 32,
    )
    orsis3302decoder_for_energy_set_crate(c, row, <uint8_t>e.crate)
    orsis3302decoder_for_energy_set_card(c, row, <uint8_t>e.card)
    orsis3302decoder_for_energy_set_channel(c, row, <uint8_t>e.channel)
    if sis3302_get_is_wrapped(w) and e.n_samples:
        # the ring begins behind its start index
        first = (<int64_t>sis3302_ring_get_start(w + SIS3302_BYTES) + 1) % e.n_samples
    write_samples(&c.waveform, row, w + WORD * e.samples, e, first, 2)
    orsis3302decoder_for_energy_set_flags(c, row, sis3302_end_get_flags(end))
    if c.energy_waveform.offsets != NULL:
        memcpy(
            orsis3302decoder_for_energy_new_energy_waveform(c, row, e.n_extra),
            end - WORD * e.n_extra, WORD * <size_t>e.n_extra,
        )


cdef void write_sis3316(
    void* columns, int64_t row, int64_t packet_id, const uint8_t* w, const Event* e
) noexcept nogil:
    cdef ORSIS3316WaveformColumns* c = <ORSIS3316WaveformColumns*>columns
    cdef const uint8_t* h = w + WORD * e.start
    cdef uint32_t bits = sis3316_event_get_format_bits(h)
    cdef const uint8_t* block = h + SIS3316_EVENT_BYTES
    cdef uint32_t information = UINT32_MAX
    cdef uint32_t high_value = UINT32_MAX
    cdef uint32_t high_index = UINT32_MAX
    cdef uint32_t sums[8]
    cdef uint32_t maw[3]
    cdef uint32_t energies[2]
    cdef int k
    # blocks that the format bits leave out are UINT32_MAX
    memset(sums, 0xFF, sizeof(sums))
    memset(maw, 0xFF, sizeof(maw))
    memset(energies, 0xFF, sizeof(energies))
    if bits & 1:
        high_value = sis3316_peak_get_value(block)
        high_index = sis3316_peak_get_index(block)
        information = sis3316_peak_get_information(block)
        sums[0] = sis3316_peak_get_accumulator_1(block)
        for k in range(SIS3316_PEAK_N_ACCUMULATORS):
            sums[1 + k] = sis3316_peak_get_accumulators(block, k)
        block += SIS3316_PEAK_BYTES
    if bits & 2:
        for k in range(SIS3316_ACCUMULATORS_N_ACCUMULATORS):
            sums[6 + k] = sis3316_accumulators_get_accumulators(block, k)
        block += SIS3316_ACCUMULATORS_BYTES
    if bits & 4:
        maw[0] = sis3316_maw_get_maximum(block)
        maw[1] = sis3316_maw_get_before(block)
        maw[2] = sis3316_maw_get_after(block)
        block += SIS3316_MAW_BYTES
    if bits & 8:
        energies[0] = sis3316_energies_get_start(block)
        energies[1] = sis3316_energies_get_maximum(block)
    orsis3316waveform_set_packet_id(c, row, <uint32_t>packet_id)
    orsis3316waveform_set_energy(c, row, energies[1])
    orsis3316waveform_set_energy_first(c, row, energies[0])
    orsis3316waveform_set_timestamp(
        c, row,
        sis3316_event_get_ticks_low(h) | <uint64_t>sis3316_event_get_ticks_high(h) << 32,
    )
    orsis3316waveform_set_peakHighValue(c, row, high_value)
    orsis3316waveform_set_peakHighIndex(c, row, high_index)
    orsis3316waveform_set_information(c, row, information)
    orsis3316waveform_set_accSum1(c, row, sums[0])
    orsis3316waveform_set_accSum2(c, row, sums[1])
    orsis3316waveform_set_accSum3(c, row, sums[2])
    orsis3316waveform_set_accSum4(c, row, sums[3])
    orsis3316waveform_set_accSum5(c, row, sums[4])
    orsis3316waveform_set_accSum6(c, row, sums[5])
    orsis3316waveform_set_accSum7(c, row, sums[6])
    orsis3316waveform_set_accSum8(c, row, sums[7])
    orsis3316waveform_set_mawMax(c, row, maw[0])
    orsis3316waveform_set_mawBefore(c, row, maw[1])
    orsis3316waveform_set_mawAfter(c, row, maw[2])
    orsis3316waveform_set_startEnergy(c, row, energies[0])
    orsis3316waveform_set_maxEnergy(c, row, energies[1])
    orsis3316waveform_set_crate(c, row, <uint8_t>e.crate)
    orsis3316waveform_set_card(c, row, <uint8_t>e.card)
    orsis3316waveform_set_channel(c, row, <uint8_t>e.channel)
    write_samples(&c.waveform, row, w + WORD * e.samples, e, 0, 2)


cdef bint next_sis3305(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next event; all have the same length (format 5.3)."""
    cdef uint32_t rate = sis3305_get_rate(w)
    cdef uint32_t saving = sis3305_get_saving_mode(w)
    cdef int64_t n_words = sis3305_get_event_words(w)
    cdef int64_t head = SIS3305_EVENT_BYTES // WORD
    cdef int64_t start = e.next if e.next else SIS3305_BYTES // WORD
    cdef int64_t block = 4 if saving == 4 else 8 if saving == 1 else 16
    cdef const uint8_t* h
    cdef int64_t n_blocks
    if e.number >= sis3305_get_n_events(w) or e.next == p.n_words:
        # the rest is filled up with ones
        return False
    h = claim_words(w, p, start, WORD * n_words)
    if n_words < head or h == NULL:
        if e.number == 0:
            return refuse(e, p, REASON_TRACE_LENGTH)
        e.cut = True
        return False
    if sis3305_get_is_wrapped(w) or rate > 2 or not (
        saving == 4 or saving == 1 or (saving == 0 and rate == 2)
    ):
        # the layout of these samples is unknown
        e.reason = REASON_CONTENT
        e.next = p.n_words
        return True
    n_blocks = sis3305_event_get_n_blocks(h)
    if n_words != head + block * n_blocks:
        return refuse(e, p, REASON_TRACE_LENGTH)
    e.start = start
    e.next = start + n_words
    e.samples = start + head
    e.n_samples = 3 * block * n_blocks
    e.exact = True
    e.crate = sis3305_get_crate(w)
    e.card = sis3305_get_card(w)
    e.channel = 4 * sis3305_get_group(w) + (
        sis3305_event_get_event_id(h) if saving else 0
    )
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

    Each block has four words of each of the `streams`, one stream behind the other; the
    samples of the streams alternate. With four streams, the second and the third are
    swapped.
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
    cdef const uint8_t* h = w + WORD * e.start
    cdef const uint8_t* words = w + WORD * e.samples
    cdef uint32_t rate = sis3305_get_rate(w)
    cdef uint32_t saving = sis3305_get_saving_mode(w)
    cdef uint16_t* to
    orsis3305decoder_for_waveform_set_packet_id(c, row, <uint32_t>packet_id)
    orsis3305decoder_for_waveform_set_timestamp(
        c, row,
        sis3305_event_get_ticks_low(h) | <uint64_t>sis3305_event_get_ticks_high(h) << 32,
    )
    orsis3305decoder_for_waveform_set_event_id(
        c, row, <uint8_t>sis3305_event_get_event_id(h)
    )
    orsis3305decoder_for_waveform_set_group(c, row, <uint8_t>sis3305_get_group(w))
    orsis3305decoder_for_waveform_set_channel_mode(
        c, row, <uint8_t>sis3305_get_channel_mode(w)
    )
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
        write_10_bits(to, words, e.n_samples // 3, 1)
    elif saving == 1:
        write_10_bits(to, words, e.n_samples // 3, 2)
    else:
        write_10_bits(to, words, e.n_samples // 3, 4)


cdef bint next_sis3320(const uint8_t* w, const Packet* p, Event* e) noexcept nogil:
    """Find the next event, up to the first without its mark (format 5.4)."""
    cdef int64_t start = e.next if e.next else SIS3320_BYTES // WORD
    cdef const uint8_t* h = claim_words(w, p, start, SIS3320_EVENT_BYTES)
    # a buffer that was split into several packets ends with an incomplete event
    cdef bint split = e.number > 0 and sis3320_get_is_split(w)
    if start >= p.n_words:
        return False
    if e.channel > 7:
        return refuse(e, p, REASON_CONTENT)
    if h == NULL:
        if split:
            e.cut = True
            return False
        return refuse(e, p, REASON_TRACE_LENGTH)
    e.n_samples = 0
    if sis3320_event_get_mark(h) == SAMPLES_FOLLOW:
        e.n_samples = sis3320_event_get_n_samples(h)
    elif sis3320_event_get_mark(h) != NO_SAMPLES:
        return refuse(e, p, REASON_TRAILER)
    e.start = start
    e.samples = start + SIS3320_EVENT_BYTES // WORD
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
    cdef const uint8_t* h = w + WORD * e.start
    orsis3320waveform_set_packet_id(c, row, <uint32_t>packet_id)
    orsis3320waveform_set_timestamp(
        c, row,
        sis3320_event_get_ticks_low(h) | <uint64_t>sis3320_event_get_ticks_high(h) << 32,
    )
    orsis3320waveform_set_accSum1(c, row, sis3320_event_get_accumulators(h, 0) & BITS_20)
    orsis3320waveform_set_accSum2(c, row, sis3320_event_get_accumulators(h, 1) & BITS_20)
    orsis3320waveform_set_accSum3(c, row, sis3320_event_get_accumulators(h, 2) & BITS_20)
    orsis3320waveform_set_accSum4(c, row, sis3320_event_get_accumulators(h, 3) & BITS_20)
    orsis3320waveform_set_accSum5(c, row, sis3320_event_get_accumulator_5(h))
    orsis3320waveform_set_accSum6(c, row, sis3320_event_get_accumulator_6(h))
    orsis3320waveform_set_accSum7(c, row, sis3320_event_get_accumulator_7(h))
    orsis3320waveform_set_accSum8(c, row, sis3320_event_get_accumulator_8(h))
    orsis3320waveform_set_crate(c, row, <uint8_t>e.crate)
    orsis3320waveform_set_card(c, row, <uint8_t>e.card)
    orsis3320waveform_set_channel(c, row, <uint8_t>e.channel)
    write_samples(&c.waveform, row, w + WORD * e.samples, e, 0, 2)

"""FlashCam traces of the first generation, and their rows (format 4.3.3).

Section numbers refer to the ORCA format.
"""

from libc.math cimport NAN
from libc.stdint cimport (
    int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)
from libc.string cimport memcpy, memset

from ..._core.binding cimport (
    Binding, BoundColumn, BoundVector, BoundWaveform, vector_has_room, vector_row,
)
from ..._core.bytes cimport load_i32, load_u32
from ..._core.sink cimport SinkTable, new_sink_table
from ..packets._damage cimport are_zeros
from ..packets._framing cimport *
from ._cards cimport *

include "../_columns.pxi"


cdef SinkTable new_trace_table():
    """Return the table of the rows."""
    return new_sink_table(
        sizeof(ORFlashCamWaveformColumns), bind_or_flash_cam_waveform
    )


# ---- reading -----------------------------------------------------------------------

cdef Reason read_trace(
    FlashCamCards cards, const uint8_t* words, int64_t n_words, int split, Trace* t
) noexcept nogil:
    """Find the parts of a trace, and its channel."""
    cdef Reason reason
    t.words = words
    t.split = split
    reason = read_lengths(n_words, t)
    if reason == REASON_NONE:
        reason = find_channel(cards, t)
    return reason


cdef Reason read_lengths(int64_t n_words, Trace* t) noexcept nogil:
    """Read the lengths of the headers and the trace; they add up to the packet's."""
    cdef uint32_t word1
    cdef int64_t total
    if n_words < 18:
        return REASON_CONTENT
    word1 = load_u32(t.words + 4)
    t.n_orca = word1 >> 28
    t.n_flashcam = (word1 >> 22) & 0x3F
    t.n_samples = (word1 >> 6) & 0xFFFF
    if t.n_orca == 0:
        if are_zeros(t.words + 8, 16):
            return REASON_ZEROED
        # a version of March 2023 wrote this for some days
        t.n_orca = 3
        t.n_flashcam = 17
        t.n_samples = <uint32_t>(2 * max(n_words - 20, 0))
    if (t.n_flashcam != 17 and t.n_flashcam != 15) or t.n_orca < 3:
        return REASON_CONTENT
    total = t.n_orca + t.n_flashcam + t.n_samples // 2
    if t.n_samples % 2 or total > n_words or (
        # a packet without a trace still has the space for it
        t.n_samples and total != n_words
    ):
        return REASON_TRACE_LENGTH
    return REASON_NONE


cdef Reason find_channel(FlashCamCards cards, Trace* t) noexcept nogil:
    """Find the card and the input: by the trace map of the listener, if known."""
    cdef uint32_t word2 = load_u32(t.words + 8)
    cdef uint32_t other, mapped
    cdef Listener* l
    t.card = &cards.cards[word2 >> 22]
    if t.card.listener < 0 and not cards.adopt(t.card, word2, t.split):
        return REASON_CARD
    l = t.listener = &cards.listeners[t.card.listener]
    t.place = t.card
    split_word(word2, t.split, &t.input, &t.index)
    t.written_input = t.input
    if l.configured:
        if not in_map(l, t.index, t.card.address, t.input):
            # one version used the other split with this decoder name
            split_word(word2, 1 - t.split, &t.input, &other)
            if in_map(l, other, t.card.address, t.input):
                t.index = other
                t.written_input = t.input
        if t.index >= <uint32_t>l.n_map:
            return REASON_CARD
        mapped = l.map[t.index]
        t.place = cards.card_with(t.card, mapped >> 16)
        t.input = mapped & 0xFFFF
    return REASON_NONE if t.input < N_INPUTS else REASON_CARD


cdef inline bint in_map(
    const Listener* l, uint32_t index, uint32_t address, uint32_t input
) noexcept nogil:
    return index < <uint32_t>l.n_map and l.map[index] == (address << 16 | input)


cdef bint is_sound(const Trace* t) noexcept nogil:
    """Whether the time stamp's modulus, which is never -1, is possible."""
    return load_i32(t.words + 4 * (t.n_orca + t.n_flashcam - 2)) != -1


# ---- writing -----------------------------------------------------------------------

cdef int64_t width_of_traces(const void* columns) noexcept nogil:
    """Return the samples of a row; -1 if the waveform is not selected."""
    return (<const ORFlashCamWaveformColumns*>columns).waveform.width


cdef void write_trace(
    FlashCamCards cards, void* columns, int64_t row, int64_t packet_id, const Trace* t
) noexcept nogil:
    """Write the row of a trace; its samples fit."""
    cdef ORFlashCamWaveformColumns* c = <ORFlashCamWaveformColumns*>columns
    cdef uint32_t word1 = load_u32(t.words + 4)
    cdef uint32_t word2 = load_u32(t.words + 8)
    cdef const uint8_t* flashcam = t.words + 4 * t.n_orca
    cdef const Listener* l = t.listener
    cdef uint32_t address = address_of(cards, t, (word2 >> 14) & 0xFF)
    or_flash_cam_waveform_set_packet_id(c, row, <uint32_t>packet_id)
    or_flash_cam_waveform_set_event_type(c, row, <uint8_t>(word1 & 0x1F))
    or_flash_cam_waveform_set_fcid(c, row, <uint8_t>l.fcid)
    or_flash_cam_waveform_set_crate(c, row, <uint8_t>(word2 >> 27))
    or_flash_cam_waveform_set_slot(c, row, <uint8_t>((word2 >> 22) & 0x1F))
    or_flash_cam_waveform_set_board_id(c, row, <uint16_t>address)
    or_flash_cam_waveform_set_fc_input(c, row, <uint8_t>t.input)
    or_flash_cam_waveform_set_channel(c, row, <uint16_t>t.index)
    write_times(c, row, flashcam, t)
    write_energies(c, row, load_u32(flashcam + 4 * (t.n_flashcam - 1)))
    write_samples(
        &c.waveform, row, flashcam + 4 * t.n_flashcam, t.n_samples,
        l.dt if l.configured else t.card.dt,
    )


cdef inline uint32_t address_of(
    FlashCamCards cards, const Trace* t, uint32_t byte
) noexcept nogil:
    """Return the address of the card, from its `byte` in the packet (format 4.3.3)."""
    cdef const Listener* l = t.listener
    cdef uint32_t address = t.card.address
    if not is_byte_of(byte, address):
        cards.n_wrong_addresses += 1
        address = byte << 4
    if l.configured and (
        l.map[t.index] >> 16 != address or t.input != t.written_input
    ):
        cards.n_corrected += 1
        address = l.map[t.index] >> 16
    return address


cdef inline void write_times(
    ORFlashCamWaveformColumns* c, int64_t row, const uint8_t* h, const Trace* t
) noexcept nogil:
    """Write the times in the FlashCam header, and values derived from them."""
    cdef int n_offsets = <int>t.n_flashcam - 10
    cdef int32_t to[7]
    cdef int32_t dr[5]
    cdef int32_t ts[4]
    cdef double runtime
    cdef int k
    memset(to, 0, sizeof(to))
    for k in range(n_offsets):
        to[k] = load_i32(h + 4 * k)
    for k in range(5):
        dr[k] = load_i32(h + 4 * (n_offsets + k))
    for k in range(4):
        ts[k] = load_i32(h + 4 * (n_offsets + 5 + k))
    or_flash_cam_waveform_set_mu_offset_sec(c, row, to[0])
    or_flash_cam_waveform_set_mu_offset_usec(c, row, to[1])
    or_flash_cam_waveform_set_to_master_sec(c, row, to[2])
    or_flash_cam_waveform_set_delta_mu_usec(c, row, to[3])
    or_flash_cam_waveform_set_abs_delta_mu_usec(c, row, to[4])
    or_flash_cam_waveform_set_to_start_sec(c, row, to[5])
    or_flash_cam_waveform_set_to_start_usec(c, row, to[6])
    or_flash_cam_waveform_set_dr_start_pps(c, row, dr[0])
    or_flash_cam_waveform_set_dr_start_ticks(c, row, dr[1])
    or_flash_cam_waveform_set_dr_stop_pps(c, row, dr[2])
    or_flash_cam_waveform_set_dr_stop_ticks(c, row, dr[3])
    or_flash_cam_waveform_set_dr_maxticks(c, row, dr[4])
    or_flash_cam_waveform_set_eventnumber(c, row, ts[0])
    or_flash_cam_waveform_set_ts_pps(c, row, ts[1])
    or_flash_cam_waveform_set_ts_ticks(c, row, ts[2])
    or_flash_cam_waveform_set_ts_maxticks(c, row, ts[3])
    runtime = <uint32_t>ts[1] + <double><uint32_t>ts[2] / (<int64_t>ts[3] + 1)
    or_flash_cam_waveform_set_runtime(c, row, runtime)
    or_flash_cam_waveform_set_timestamp(
        c, row, runtime + (to[2] if t.listener.gps else to[0] + 1e-6 * to[1])
    )
    or_flash_cam_waveform_set_deadtime(
        c, row,
        <double>(<int64_t>dr[2] - dr[0])
        + <double>(<int64_t>dr[3] - dr[1]) / dr[4] if dr[4] else NAN,
    )
    or_flash_cam_waveform_set_lifetime(c, row, 0)
    or_flash_cam_waveform_set_deadinterval_nsec(c, row, 0)
    or_flash_cam_waveform_set_numtraces(c, row, 1)
    or_flash_cam_waveform_set_dr_ch_idx(c, row, 0)
    or_flash_cam_waveform_set_dr_ch_len(c, row, <uint16_t>t.listener.n_enabled)


cdef inline void write_energies(
    ORFlashCamWaveformColumns* c, int64_t row, uint32_t word
) noexcept nogil:
    """Write the baseline and the energy of the FPGA."""
    or_flash_cam_waveform_set_baseline(c, row, <uint16_t>(word & 0xFFFF))
    or_flash_cam_waveform_set_daqenergy(c, row, <uint16_t>(word >> 16))


cdef inline void write_samples(
    BoundWaveform* to, int64_t row, const uint8_t* samples, uint32_t n, float dt
) noexcept nogil:
    """Write the samples; zeros if the packet has none."""
    (<float*>(to.t0.data + row * to.t0.step))[0] = 0
    (<float*>(to.dt.data + row * to.dt.step))[0] = dt
    if to.values == NULL:
        return
    if n:
        memcpy(to.values + row * to.step, samples, 2 * <size_t>n)
    else:
        memset(to.values + row * to.step, 0, 2 * <size_t>to.width)

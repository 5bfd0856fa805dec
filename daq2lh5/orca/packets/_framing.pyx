"""From bytes to ORCA packets: ids and lengths.

Section numbers refer to the ORCA format.
"""

from libc.string cimport memcmp

from ..._core.bytes cimport load_u32
from ..._core.window cimport *


REASONS = {
    REASON_ID: "data id that the header does not list",
    REASON_LENGTH: "impossible length of a packet",
    REASON_PAST_END: "packet runs past the end of the data",
    REASON_SWALLOWED: "wrong length of a packet: others begin inside",
    REASON_STRAY: "too few bytes for a word",
    REASON_ZEROS: "words of zero",
    REASON_ZEROED: "zeros in place of records",
    REASON_TRACE_LENGTH: "trace longer than its packet",
    REASON_CARD: "trace of a card or input that the header does not have",
    REASON_CONTENT: "impossible contents of a packet",
    REASON_TRAILER: "a mark in the packet is missing",
}

KINDS = {
    "unknown": KIND_UNKNOWN,
    "header": KIND_HEADER,
    "record": KIND_RECORD,
    "histogram": KIND_HISTOGRAM,
    "listener_config": KIND_LISTENER_CONFIG,
    "waveform": KIND_WAVEFORM,
    "fcio": KIND_FCIO,
    "sis3302": KIND_SIS3302,
    "sis3316": KIND_SIS3316,
    "gretina4m": KIND_GRETINA4M,
    "gretina4a": KIND_GRETINA4A,
    "sis3305": KIND_SIS3305,
    "sis3320": KIND_SIS3320,
    "v1730": KIND_V1730,
    "v1724": KIND_V1724,
    "v1720": KIND_V1720,
    "v1721": KIND_V1721,
    "dt5725": KIND_DT5725,
    "dt5720": KIND_DT5720,
}
"""Kinds of packets by name."""


cdef int set_ids(Ids* ids, decoders, kinds) except -1:
    """Set the kinds of packets: see `OrcaKernel.set_ids`."""
    cdef Py_ssize_t i
    if len(kinds) > N_LONG_IDS:
        msg = f"{len(kinds)} decoders, expected at most {N_LONG_IDS}"
        raise ValueError(msg)
    for i in range(N_LONG_IDS):
        ids.long_decoders[i] = -1
    for i in range(N_SHORT_IDS):
        ids.short_decoders[i] = -1
    for data_id, index in decoders.items():
        if data_id >> 31:
            ids.short_decoders[data_id >> 26] = index
        else:
            ids.long_decoders[data_id >> 18] = index
    for i, (kind, variant, *shape) in enumerate(kinds):
        ids.kind[i] = KINDS[kind]
        ids.variant[i] = variant
        if shape:
            ids.shapes[i] = c_shape(shape[0])
    return 0


cdef Shape c_shape(shape) except *:
    """Convert the shape of records for the search."""
    cdef Shape s
    s.least, s.step, s.spare = shape.least, shape.step, shape.spare
    s.count_word, s.count_bit, s.count_mask = shape.count
    s.is_part = shape.is_part
    s.time, s.n_times = shape.time, shape.n_times
    s.clear = shape.clear
    return s


cdef Found packet_at(
    const Window* w, const Ids* ids, int64_t at, Packet* p, Reason* reason,
    int64_t* need,
) noexcept nogil:
    """Read the first words of the packet at `at` (format 1.1, 1.2).

    The window may end inside the packet. Without a packet, `reason` says why.
    """
    cdef const uint8_t* words = claim(w, at, 4)
    cdef uint32_t word
    p.start = at
    p.head_words = 1
    reason[0] = REASON_NONE
    if words == NULL:
        if not w.at_end:
            need[0] = at + 4
            return FOUND_MORE
        reason[0] = REASON_STRAY
        return FOUND_NO
    word = load_u32(words)
    if word >> 31:
        p.decoder_index = ids.short_decoders[word >> 26]
        p.n_words = 1
    else:
        p.decoder_index = ids.long_decoders[word >> 18]
        p.n_words = word & 0x3FFFF
    if word == 0:
        # not a header: a block that was never filled (format 7.4)
        reason[0] = REASON_ZEROS
        return FOUND_NO
    if p.decoder_index < 0:
        reason[0] = REASON_ID
        return FOUND_NO
    p.kind = <Kind>ids.kind[p.decoder_index]
    if p.n_words == 0 or p.kind == KIND_HEADER:
        return longer_at(w, ids, p, reason, need)
    return fits(w, p, reason)


cdef Found longer_at(
    const Window* w, const Ids* ids, Packet* p, Reason* reason, int64_t* need
) noexcept nogil:
    """Read the length of an extended packet, or of a header (format 1.1, 1.2)."""
    cdef const uint8_t* words = claim(w, p.start, 16 if p.kind == KIND_HEADER else 8)
    if claim(w, p.start, 16) == NULL and not w.at_end:
        need[0] = p.start + 16
        return FOUND_MORE
    if words == NULL:
        reason[0] = REASON_PAST_END
        return FOUND_NO
    p.head_words = 2
    if p.kind == KIND_HEADER:
        return header_at(w, words, ids, p, reason)
    p.n_words = load_u32(words + 4)
    if p.n_words < 2:
        reason[0] = REASON_LENGTH
        return FOUND_NO
    return fits(w, p, reason)


cdef Found header_at(
    const Window* w, const uint8_t* words, const Ids* ids, Packet* p, Reason* reason
) noexcept nogil:
    """Read the length of a header packet (format 1.2): id 0, and a property list.

    `words` are its first four words.
    """
    cdef uint32_t word = load_u32(words)
    cdef int64_t n_text = load_u32(words + 4)
    cdef const char* start = "mx?<" if ids.is_swapped else "<?xm"
    if memcmp(words + 8, start, 4) != 0:
        reason[0] = REASON_ID
        return FOUND_NO
    p.n_words = 2 + n_text // 4 + 1
    # for texts of 1 MiB or more, word 0 has only the lowest bits of the length
    if p.n_words & 0x3FFFF != word:
        p.n_words = word
        if n_text > 4 * p.n_words - 8:
            reason[0] = REASON_LENGTH
            return FOUND_NO
    return fits(w, p, reason)


cdef inline Found fits(const Window* w, const Packet* p, Reason* reason) noexcept nogil:
    """Whether the length of a packet is possible, and the data are long enough."""
    if ends_before(w, end_of(p)):
        reason[0] = REASON_PAST_END
        return FOUND_NO
    if p.n_words > MAX_PACKET_WORDS:
        reason[0] = REASON_LENGTH
        return FOUND_NO
    return FOUND_YES

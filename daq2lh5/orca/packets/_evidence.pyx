"""Evidence for a packet from its contents (format 1.7 d).

Small samples look like first words of packets, so ids and lengths are weak evidence.
Contents are the stronger evidence, the more of their bits the format fixes.

Section numbers refer to the ORCA format.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from ..._core.bytes cimport load_u32
from ...fc.layout cimport TAG_CONFIG
from ._contents cimport *
from ._framing cimport *

cdef enum:
    MAX_EVENTS = 1024       # events of a packet to check


cdef int evidence_of(const Window* w, const Ids* ids, const Packet* p) noexcept nogil:
    """Return the evidence for a packet, in numbers of packets of a chain.

    -1
        its contents contradict its kind or its length.
    0
        its contents are arbitrary.
    1, 2
        its contents fit.
    `ENOUGH`
        its contents fit, and the format fixes at least 50 of their bits; or a false
        packet of this kind does little harm.
    """
    cdef Packet q = as_long(p)
    cdef const uint8_t* words = w.data + q.start
    cdef bint is_sure
    if p.kind == KIND_UNKNOWN:
        return 0
    if not looks_right(w, ids, p):
        return -1
    if not can_look_wrong(ids, p):
        return 0
    if end_of(p) > w.n:
        # the window does not have all of it
        return 2 if p.kind == KIND_WAVEFORM else 1
    if p.kind == KIND_WAVEFORM:
        return ENOUGH if is_of_card(words, ids) else 2
    if p.kind == KIND_HEADER:
        is_sure = ends_well(w, ids, p)
    elif p.kind == KIND_FCIO and ids.variant[p.decoder_index] != 1 << TAG_CONFIG:
        # the frames of its records fill the packet
        is_sure = True
    elif p.kind == KIND_FCIO or p.kind == KIND_LISTENER_CONFIG:
        is_sure = is_awaited(words, ids, p.kind)
    elif p.kind == KIND_SIS3316:
        # words of an event (format 4.6), and four zero words
        is_sure = (
            load_u32(words + 8) * <int64_t>load_u32(words + 12) == q.n_words - 10
        )
    elif p.kind >= KIND_V1730:
        is_sure = has_caen_events(words, q.n_words)
    else:
        # the format fixes a word: a mark, or the repeated length
        is_sure = p.kind in (KIND_SIS3302, KIND_GRETINA4M, KIND_GRETINA4A)
    return ENOUGH if is_sure else 1


cdef bint is_awaited(
    const uint8_t* words, const Ids* ids, Kind kind
) noexcept nogil:
    """Whether a configuration is the first of its listener.

    Without it, hardly any later packet could be decoded: a false one does no harm. A
    false later configuration would spoil all packets behind it.
    """
    if not ids.awaited[load_u32(words + 4) & 0xFFFF]:
        return False
    # number of traces, and bits per sample (format 4.3.1)
    return kind == KIND_FCIO or (
        load_u32(words + 12) > 0 and load_u32(words + 24) in (12, 16)
    )


cdef bint has_caen_events(const uint8_t* words, int64_t n_words) noexcept nogil:
    """Whether events and optional zeros fill a packet (format 5.5, 5.6)."""
    cdef int64_t at = 2
    cdef uint32_t word
    cdef int k
    for k in range(MAX_EVENTS):
        if at >= n_words:
            break
        word = load_u32(words + 4 * at)
        if word and (word >> 28 != 0xA or (word & 0xFFFFFFF) < 4):
            return False
        at += (word & 0xFFFFFFF) if word else 1
    return at == n_words


cdef bint is_of_card(const uint8_t* words, const Ids* ids) noexcept nogil:
    """Whether a trace has the usual headers, and a known card (format 4.3.3)."""
    cdef uint32_t word = load_u32(words + 8)
    cdef int32_t address = ids.addresses[word >> 22]
    cdef int32_t byte = word >> 14 & 0xFF
    return (
        load_u32(words + 4) >> 22 in (3 << 6 | 17, 3 << 6 | 15)
        and address >= 0
        and (byte == (address & 0xFF) or byte == (address >> 4 & 0xFF))
    )

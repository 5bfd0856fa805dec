"""From bytes to ORCA packets, and to the next packet after damage.

The sections named are those of the ORCA format.
"""

from libc.string cimport memcmp

from ..._core.bytes cimport load_u32
from ._contents cimport can_look_wrong, evidence_of, looks_right

cdef enum:
    MAX_WALK = 1024         # packets that are followed
    # of a packet, what is looked at at least
    HEAD_BYTES = 64
    MAX_AHEAD = 1 << 20


cdef Found packet_at(
    const Window* w, const Ids* ids, int64_t at, Packet* p, Reason* reason,
    int64_t* need,
) noexcept nogil:
    """Read the first words of the packet at `at` (format 1.1, 1.2).

    Nothing is said of whether the packet is in the window.
    """
    cdef uint32_t word
    cdef int64_t end = w.left
    p.start = at
    p.head_words = 1
    reason[0] = REASON_NONE
    if end < 0 and w.at_end:
        end = w.n
    if w.n - at < 4:
        if not w.at_end:
            need[0] = at + 4
            return FOUND_MORE
        reason[0] = REASON_STRAY
        return FOUND_NO
    word = load_u32(w.data + at)
    if word >> 31:
        p.slot = ids.short_slot[word >> 26]
        p.n_words = 1
    else:
        p.slot = ids.long_slot[word >> 18]
        p.n_words = word & 0x3FFFF
    if word == 0:
        # no header: a block that was never filled (format 7.4)
        reason[0] = REASON_ZEROS
        return FOUND_NO
    if p.slot < 0:
        reason[0] = REASON_ID
        return FOUND_NO
    p.kind = <Kind>ids.kind[p.slot]
    if p.n_words == 0 or p.kind == KIND_HEADER:
        if w.n - at < 16 and not w.at_end:
            need[0] = at + 16
            return FOUND_MORE
        if w.n - at < (16 if p.kind == KIND_HEADER else 8):
            reason[0] = REASON_PAST_END
            return FOUND_NO
        if p.kind == KIND_HEADER:
            return header_at(w.data, end, ids, at, p, reason)
        p.n_words = load_u32(w.data + at + 4)
        p.head_words = 2
        if p.n_words < 2:
            reason[0] = REASON_LENGTH
            return FOUND_NO
    return fits(end, p, reason)


cdef Found header_at(
    const uint8_t* data, int64_t end, const Ids* ids, int64_t at, Packet* p,
    Reason* reason,
) noexcept nogil:
    """Read the length of a header packet (format 1.2): id 0, and a property list."""
    cdef uint32_t word = load_u32(data + at)
    cdef int64_t n_text = load_u32(data + at + 4)
    cdef int64_t n_words = 2 + n_text // 4 + 1
    cdef const char* start = "mx?<" if ids.is_swapped else "<?xm"
    if memcmp(data + at + 8, start, 4) != 0:
        reason[0] = REASON_ID
        return FOUND_NO
    # of a text of 1 MiB or more, word 0 has only the lowest bits of the length
    if n_words & 0x3FFFF != word:
        n_words = word
        if n_text > 4 * n_words - 8:
            reason[0] = REASON_LENGTH
            return FOUND_NO
    p.n_words = n_words
    p.head_words = 2
    return fits(end, p, reason)


cdef inline Found fits(int64_t end, const Packet* p, Reason* reason) noexcept nogil:
    """Whether a packet may be as long as it says, and the data are long enough."""
    if end >= 0 and 4 * p.n_words > end - p.start:
        reason[0] = REASON_PAST_END
        return FOUND_NO
    if p.n_words > MAX_PACKET_WORDS:
        reason[0] = REASON_LENGTH
        return FOUND_NO
    return FOUND_YES


cdef Found chain_at(
    const Window* w, const Ids* ids, int64_t at, bint strict, int64_t* need
) noexcept nogil:
    """Whether packets follow each other from `at` on, as they do in sound data.

    With `strict` ids and lengths alone do not do: small samples read like packets.
    """
    cdef Packet p
    cdef Reason reason
    cdef Found found
    cdef int length
    # for how many packets those count that look right: up to the first that does not,
    # and all
    cdef int n_right = 0
    cdef int evidence = 0
    cdef bint right = True
    cdef int needed = SHORT_CHAIN if strict else 0
    cdef int64_t first = at
    for length in range(CHAIN):
        if w.at_end and at == w.n and length:
            return FOUND_YES if not strict or (right and n_right) else FOUND_NO
        found = packet_at(w, ids, at, &p, &reason, need)
        if found == FOUND_MORE:
            return FOUND_MORE
        if found == FOUND_NO:
            return FOUND_YES if n_right >= SHORT_CHAIN else FOUND_NO
        if length == 0 and load_u32(w.data + at) >> 31:
            # ids of short packets match too often to begin with
            return FOUND_NO
        if p.kind != KIND_UNKNOWN and not w.at_end and (
            w.n < at + min(4 * p.n_words, HEAD_BYTES)
        ):
            # what it looks like must not depend on where the window ends
            need[0] = at + min(4 * p.n_words, HEAD_BYTES)
            return FOUND_MORE
        if looks_right(w, ids, &p):
            evidence += evidence_of(w, ids, &p)
            if right:
                n_right = evidence
        elif p.kind != KIND_UNKNOWN:
            right = False
        if length == 0 and not evidence and p.kind != KIND_UNKNOWN:
            if not right:
                return FOUND_NO
            # of what nothing was looked at, ids and lengths alone do not do
            needed = SHORT_CHAIN
        at += 4 * p.n_words
        if at - first > 4 * MAX_PACKET_WORDS:
            # the window need not hold more than the longest packet
            return FOUND_YES if n_right >= SHORT_CHAIN else FOUND_NO
        if at > w.n:
            if not w.at_end:
                need[0] = at + 16
                return FOUND_MORE
            return FOUND_NO
    return FOUND_YES if evidence >= needed else FOUND_NO


cdef Found goes_on(
    const Window* w, const Ids* ids, int64_t at, int64_t* need
) noexcept nogil:
    """Whether packets follow each other from `at` on, up to one that looks right.

    The first words of each are looked at, whatever the window has of it.
    """
    cdef Packet p
    cdef Reason reason
    cdef Found found
    cdef Window head = w[0]
    cdef int64_t stop = at + MAX_AHEAD
    cdef Found unless_right = FOUND_YES
    cdef int k
    for k in range(CHAIN):
        if at > stop or at == w.left or (w.at_end and at == w.n):
            break
        found = packet_at(w, ids, at, &p, &reason, need)
        if found != FOUND_YES:
            return found
        at += 4 * p.n_words
        if not can_look_wrong(ids, &p):
            continue
        head.n = min(p.start + HEAD_BYTES, at)
        if head.n > w.n and not w.at_end:
            need[0] = head.n
            return FOUND_MORE
        if looks_right(&head, ids, &p):
            return FOUND_YES
        unless_right = FOUND_NO
    return unless_right


cdef bint packets_until(
    const Window* w, const Ids* ids, int64_t at, int64_t end
) noexcept nogil:
    """Whether the packets from `at` on fill all that is before `end`.

    So many as `MAX_WALK` are enough to tell.
    """
    cdef Packet p
    cdef Reason reason
    cdef int64_t need
    cdef int k
    for k in range(MAX_WALK):
        if at >= end:
            return at == end
        if packet_at(w, ids, at, &p, &reason, &need) != FOUND_YES:
            return False
        at += 4 * p.n_words
    return at <= end


cdef bint is_enough(
    const Window* w, const Ids* ids, int64_t at, int64_t end
) noexcept nogil:
    """Whether the packet at `at` ends before `end`, and is believed by itself."""
    cdef Packet p
    cdef Reason reason
    cdef int64_t need
    return (
        packet_at(w, ids, at, &p, &reason, &need) == FOUND_YES
        and at + 4 * p.n_words <= min(end, w.n)
        and looks_right(w, ids, &p)
        and evidence_of(w, ids, &p) >= SHORT_CHAIN
    )


cdef Found find_packet(
    const Window* w, const Ids* ids, int64_t start, int64_t stop, bint strict,
    int64_t* found, int64_t* need,
) noexcept nogil:
    """Look for a packet that begins in `start` .. `stop` - 1, at any byte (format 1.7).

    `found` is set to where it is, or how far it is certain that there is none.
    """
    cdef int64_t at
    cdef int64_t end = min(stop, w.n - 3)
    cdef uint32_t word
    cdef Found chain
    for at in range(start, end):
        word = load_u32(w.data + at)
        if word >> 31 or word == 0 or ids.long_slot[word >> 18] < 0:
            continue
        chain = chain_at(w, ids, at, strict, need)
        if chain != FOUND_NO:
            found[0] = at
            return chain
    found[0] = max(start, end)
    if stop <= w.n - 3 or w.at_end:
        return FOUND_NO
    need[0] = w.n + 1
    return FOUND_MORE


cdef Found find_hidden(
    const Window* w, const Ids* ids, int64_t at, int64_t* where, int64_t* need
) noexcept nogil:
    """Look for a packet that begins inside of the one at `at`, which is in doubt.

    `where` is set to the packet inside, whose successors must end where that one ends,
    or which is beyond doubt.
    """
    cdef Packet p
    cdef Reason reason
    cdef Found found = packet_at(w, ids, at, &p, &reason, need)
    cdef int64_t inside = at
    cdef int64_t end
    if found != FOUND_YES:
        return FOUND_NO
    end = min(at + 4 * p.n_words, w.n)
    while True:
        found = find_packet(w, ids, inside + 1, end, True, &inside, need)
        if found != FOUND_YES:
            return found
        if packets_until(w, ids, inside, end) or is_enough(w, ids, inside, end):
            where[0] = inside
            return FOUND_YES

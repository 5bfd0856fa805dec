"""Find the next packet at damage (ORCA format, 1.7).

One function, `next_packet`, looks for a packet in a range of bytes. The other functions
set the range and the required evidence. Evidence for a packet is of three kinds:

successors
    `CHAIN` packets follow it, or fewer up to the end of the input.
contents
    The contents of the packet and of its successors fit their kinds. Their evidence
    adds up (see `evidence_of`), up to the first packet whose contents contradict. With
    a sum of `ENOUGH`, no more successors are needed; a single packet may reach it.
place
    Its successors end where the range ends, or it ends in the range and has `ENOUGH`
    alone; and no other packet begins inside it.

After damage, successors suffice if the packet's own contents fit. The more a false
packet could destroy, the more evidence is required: see `Demand`.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ..._core.bytes cimport load_u32
from ..._core.window cimport *
from ...fc.layout cimport TAG_STATUS
from ._contents cimport *
from ._evidence cimport *
from ._framing cimport *

cdef enum:
    CHAIN = 8               # consecutive packets required after damage
    MAX_WALK = 1024         # packets to follow
    HEAD_BYTES = 64         # bytes of a packet that are always checked
    MAX_AHEAD = 1 << 20
    MAX_ZERO_WORDS = 16     # between packets; more zeros are data never written
    ZEROED_BYTES = 32       # zeros at the end of a packet that count as such data

cdef enum Demand:           # required of a packet besides successors
    DEMAND_CONTENTS = 1     # ENOUGH contents, even with many successors
    DEMAND_END = 2          # its successors, or itself with ENOUGH, end in the range
    DEMAND_WHOLE = 4        # no other packet begins inside it


# ---- the judgement -----------------------------------------------------------------

cdef Found next_packet(
    const Window* w, const Ids* ids, int64_t start, int64_t stop, int demands,
    int64_t* where, int64_t* need,
) noexcept nogil:
    """Look for a packet that begins in `start` .. `stop` - 1, at any byte.

    `where` is set to its offset, or to the end of the bytes without a packet.
    """
    cdef int64_t at
    cdef int64_t end = min(stop, w.n - 3)
    cdef Found found
    for at in range(start, end):
        found = meets(w, ids, at, stop, demands, need)
        if found != FOUND_NO:
            where[0] = at
            return found
    where[0] = max(start, end)
    if stop <= w.n - 3 or w.at_end:
        return FOUND_NO
    need[0] = w.n + 1
    return FOUND_MORE


cdef inline Found meets(
    const Window* w, const Ids* ids, int64_t at, int64_t stop, int demands,
    int64_t* need,
) noexcept nogil:
    """Whether a packet begins at `at`, in a range that ends at `stop`."""
    cdef uint32_t word = load_u32(w.data + at)
    cdef int64_t inside
    cdef Found found
    # too many words match an id of short packets
    if word >> 31 or word == 0 or ids.long_decoders[word >> 18] < 0:
        return FOUND_NO
    found = chain_at(w, ids, at, demands & DEMAND_CONTENTS, need)
    if found != FOUND_YES:
        return found
    if demands & DEMAND_END and not (
        packets_until(w, ids, at, stop) or is_enough(w, ids, at, stop)
    ):
        return FOUND_NO
    if demands & DEMAND_WHOLE:
        found = next_inside(w, ids, at, &inside, need)
        if found != FOUND_MORE:
            return FOUND_NO if found == FOUND_YES else FOUND_YES
    return found


cdef Found chain_at(
    const Window* w, const Ids* ids, int64_t at, bint by_contents, int64_t* need
) noexcept nogil:
    """Whether the evidence for a packet at `at` suffices: successors and contents."""
    cdef Packet p
    cdef Reason reason
    cdef Found found
    cdef int length, one
    # evidence of all packets, and of those before the first contradiction
    cdef int evidence = 0
    cdef int undisputed = 0
    cdef bint right = True
    cdef int needed = ENOUGH if by_contents else 0
    cdef int64_t first = at
    for length in range(CHAIN):
        if w.at_end and at == w.n and length:
            return FOUND_YES if not by_contents or (right and evidence) else FOUND_NO
        found = packet_at(w, ids, at, &p, &reason, need)
        if found == FOUND_MORE:
            return FOUND_MORE
        if found == FOUND_NO:
            return FOUND_YES if undisputed >= ENOUGH else FOUND_NO
        if p.kind != KIND_UNKNOWN and not w.at_end and (
            w.n < at + min(4 * p.n_words, HEAD_BYTES)
        ):
            # the result must not depend on the end of the window
            need[0] = at + min(4 * p.n_words, HEAD_BYTES)
            return FOUND_MORE
        one = evidence_of(w, ids, &p)
        right &= one >= 0
        evidence += max(one, 0)
        if right:
            undisputed = evidence
        if length == 0 and one <= 0 and p.kind != KIND_UNKNOWN:
            if one < 0:
                return FOUND_NO
            # arbitrary contents: successors alone do not suffice
            needed = ENOUGH
        at = end_of(&p)
        if at - first > 4 * MAX_PACKET_WORDS:
            # the window holds no more than the longest packet
            return FOUND_YES if undisputed >= ENOUGH else FOUND_NO
        if at > w.n:
            if not w.at_end:
                need[0] = at + 16
                return FOUND_MORE
            return FOUND_NO
    return FOUND_YES if evidence >= needed else FOUND_NO


cdef bint packets_until(
    const Window* w, const Ids* ids, int64_t at, int64_t end
) noexcept nogil:
    """Whether the packets from `at` on, at most `MAX_WALK`, end at `end`."""
    cdef Packet p
    cdef Reason reason
    cdef int64_t need
    cdef int k
    for k in range(MAX_WALK):
        if at >= end:
            return at == end
        if packet_at(w, ids, at, &p, &reason, &need) != FOUND_YES:
            return False
        at = end_of(&p)
    return at <= end


cdef bint is_enough(
    const Window* w, const Ids* ids, int64_t at, int64_t end
) noexcept nogil:
    """Whether the packet at `at` ends before `end`, and has `ENOUGH` alone."""
    cdef Packet p
    cdef Reason reason
    cdef int64_t need
    return (
        packet_at(w, ids, at, &p, &reason, &need) == FOUND_YES
        and end_of(&p) <= min(end, w.n)
        and evidence_of(w, ids, &p) >= ENOUGH
    )


# ---- ranges of the search ----------------------------------------------------------

cdef Found next_inside(
    const Window* w, const Ids* ids, int64_t at, int64_t* where, int64_t* need
) noexcept nogil:
    """Look for a packet inside the doubtful packet at `at`."""
    cdef Packet p
    cdef Reason reason
    cdef int64_t inside
    cdef Found found = packet_at(w, ids, at, &p, &reason, need)
    if found != FOUND_YES:
        return FOUND_NO
    found = next_packet(
        w, ids, at + 1, min(end_of(&p), w.n), DEMAND_CONTENTS | DEMAND_END, &inside, need
    )
    if found == FOUND_YES:
        where[0] = inside
    return found


cdef Found next_after_damage(
    const Window* w, const Ids* ids, int64_t start, int64_t* where, int64_t* need
) noexcept nogil:
    """Look for the packet behind damage, from `start` on.

    The first packet is doubtful unless it has `ENOUGH` evidence alone: if another
    packet begins inside it, that is the next packet.
    """
    cdef Found found = next_packet(w, ids, start, w.n, 0, where, need)
    if found != FOUND_YES or is_enough(w, ids, where[0], w.n):
        return found
    found = next_inside(w, ids, where[0], where, need)
    return found if found == FOUND_MORE else FOUND_YES


cdef Found next_in_rejected(
    const Window* w, const Ids* ids, int64_t start, int64_t end, int64_t* where,
    int64_t* need,
) noexcept nogil:
    """Look inside a packet with impossible contents, which ends at `end`.

    If packets follow it, its length is probably right.
    """
    cdef Found after = FOUND_YES
    if end < w.n or not w.at_end:
        after = chain_at_long(w, ids, end, need)
    if after == FOUND_MORE:
        return FOUND_MORE
    return next_packet(
        w, ids, start + 1, end, DEMAND_END if after == FOUND_YES else 0, where, need
    )


cdef Found next_after_zeros(
    const Window* w, const Ids* ids, int64_t first, int64_t at, int64_t* where,
    Reason* reason, int64_t* need,
) noexcept nogil:
    """Look for the packet behind a block of zeros that ends at `at`.

    A packet may begin with zeros; then it begins before the end of the block, at
    `first` or later. Without a packet, `reason` says why none begins at `at`.
    """
    cdef Packet p
    cdef Found found = chain_at_long(w, ids, at, need)
    where[0] = at
    if found == FOUND_NO:
        found = next_packet(w, ids, max(at - 3, first), at, 0, where, need)
    if found == FOUND_NO:
        where[0] = at
        found = packet_at(w, ids, at, &p, reason, need)
    return found


cdef Found chain_at_long(
    const Window* w, const Ids* ids, int64_t at, int64_t* need
) noexcept nogil:
    """Whether a long or extended packet, or a header, begins at `at`."""
    if w.n - at >= 4 and load_u32(w.data + at) >> 31:
        return FOUND_NO
    return chain_at(w, ids, at, False, need)


# ---- a packet at a certain offset --------------------------------------------------

cdef Verdict judge(
    const Window* w, const Ids* ids, const Packet* p, Finding* f, int64_t* need
) noexcept nogil:
    """Check that the current packet is whole and hides no others (format 1.7 a).

    It is whole in the window. If no packet follows it, its length may be wrong.
    """
    cdef int64_t end = end_of(p)
    cdef Found found
    f.reason = REASON_NONE
    f.n_missing = 0
    if end == w.end:
        return VERDICT_SOUND
    if p.kind == KIND_HEADER:
        # a header may change the ids
        found = FOUND_YES if ends_well(w, ids, p) else FOUND_NO
    else:
        found = goes_on(w, ids, end, need)
    if found == FOUND_MORE:
        return VERDICT_MORE
    if found == FOUND_YES:
        return judge_followed(w, ids, p, f, need)
    return judge_last(w, ids, p, f, need)


cdef Verdict judge_followed(
    const Window* w, const Ids* ids, const Packet* p, Finding* f, int64_t* need
) noexcept nogil:
    """Check a packet that others follow.

    If its length does not fit its kind or its contents, it may hide packets.
    """
    cdef Found found
    if p.kind != KIND_RECORD and p.kind < KIND_SIS3302 or looks_right(w, ids, p):
        return VERDICT_SOUND
    found = next_inside(w, ids, p.start, &f.where, need)
    if found == FOUND_MORE:
        return VERDICT_MORE
    return VERDICT_HIDES if found == FOUND_YES else VERDICT_SOUND


cdef Verdict judge_last(
    const Window* w, const Ids* ids, const Packet* p, Finding* f, int64_t* need
) noexcept nogil:
    """Check a packet that no other follows."""
    cdef int64_t end = end_of(p)
    cdef int demands
    cdef Found found
    if p.kind != KIND_UNKNOWN and not looks_right(w, ids, p):
        f.reason = REASON_CONTENT
        return VERDICT_SEARCH
    found = runs_into_zeros(w, ids, p, need)
    if found == FOUND_MORE:
        return VERDICT_MORE
    if found == FOUND_YES:
        f.reason = REASON_ZEROED
        return VERDICT_SEARCH
    # a packet that hides others has a wrong length
    demands = DEMAND_WHOLE
    if can_look_wrong(ids, p):
        # its contents fit its length
        demands |= DEMAND_CONTENTS
    found = next_packet(w, ids, p.start + 1, end, demands, &f.where, need)
    if found == FOUND_MORE:
        return VERDICT_MORE
    if found == FOUND_NO:
        return VERDICT_SOUND
    if p.kind == KIND_FCIO and end_of_records(w, p) <= f.where:
        # both are whole: only padding of the last word is missing
        f.n_missing = end - f.where
        return VERDICT_SOUND
    return VERDICT_HIDES


cdef Found goes_on(
    const Window* w, const Ids* ids, int64_t at, int64_t* need
) noexcept nogil:
    """Whether packets follow each other from `at` on, up to one with fitting contents.

    The first words of each are checked, so that the end of the window does not matter.
    """
    cdef Packet p
    cdef Reason reason
    cdef Found found
    cdef Window head = w[0]
    cdef int64_t stop = at + MAX_AHEAD
    cdef Found unless_right = FOUND_YES
    cdef int k
    for k in range(CHAIN):
        if at > stop or at == w.end:
            break
        found = packet_at(w, ids, at, &p, &reason, need)
        if found != FOUND_YES:
            return found
        at = end_of(&p)
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


# ---- zeros -------------------------------------------------------------------------

cdef bint are_too_many(int64_t n_zeros) noexcept nogil:
    """Whether a block of zeros is too long to be between packets (format 7.4)."""
    return n_zeros > 4 * MAX_ZERO_WORDS


cdef bint are_zeros(const uint8_t* words, int64_t n) noexcept nogil:
    """Whether `n` words are zeros."""
    cdef int64_t i
    for i in range(n):
        if load_u32(words + 4 * i):
            return False
    return True


cdef Found runs_into_zeros(
    const Window* w, const Ids* ids, const Packet* p, int64_t* need
) noexcept nogil:
    """Whether a packet of samples ends in zeros that continue behind it.

    They continue up to the end of the data, or for too many words (format 7.4). Then
    the offset of the first byte that was never written is unknown.
    """
    cdef int64_t end = end_of(p)
    cdef int64_t stop = end + 4 * (MAX_ZERO_WORDS + 1)
    cdef int64_t i
    if p.kind != KIND_FCIO and p.kind != KIND_WAVEFORM and p.kind < KIND_SIS3302:
        return FOUND_NO
    if p.kind == KIND_FCIO and ids.variant[p.decoder_index] >> TAG_STATUS & 1:
        # unused links of a card are zeros
        return FOUND_NO
    for i in range(end, min(stop, w.n)):
        if w.data[i]:
            return FOUND_NO
    if w.n < stop:
        if not w.at_end:
            need[0] = stop
            return FOUND_MORE
        if w.n == end:
            return FOUND_NO
    if p.kind == KIND_FCIO:
        end = end_of_records(w, p)
    for i in range(max(end - ZEROED_BYTES, p.start), end):
        if w.data[i]:
            return FOUND_NO
    return FOUND_YES

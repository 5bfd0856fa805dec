"""Which packet is next, where damage puts that in doubt (ORCA format, 1.7).

One function, `next_packet`, looks for a packet in a range of bytes; all others here say
where it has to look, and what it has to demand. There are three kinds of evidence for a
packet:

successors
    Packets follow it, `CHAIN` of them, or up to the end of the input.
contents
    Its contents, and those of its successors, fit their kinds. Their evidence adds up
    (see `evidence_of`), as far as no packet among them contradicts. If it adds up to
    `ENOUGH`, no more successors are needed; one packet may reach that by itself.
place
    Its successors end where the range ends, or it ends in the range and has `ENOUGH` by
    itself; and no other packet begins inside of it.

After damage, successors do if the packet's own contents fit. The more there is to lose by
a false packet, the more is demanded: see `Demand`.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from ..._core.bytes cimport load_u32
from ..._core.window cimport *
from ...fc.layout cimport TAG_STATUS
from ._contents cimport *
from ._evidence cimport *
from ._framing cimport *

cdef enum:
    CHAIN = 8               # packets that must follow each other after damage
    MAX_WALK = 1024         # packets that are followed
    HEAD_BYTES = 64         # of a packet, that are looked at in any case
    MAX_AHEAD = 1 << 20
    MAX_ZERO_WORDS = 16     # between packets; more of them were never written
    ZEROED_BYTES = 32       # so many zeros at the end of a packet are some of those

cdef enum Demand:           # on a packet, besides successors
    DEMAND_CONTENTS = 1     # ENOUGH contents, even of those with many successors
    DEMAND_END = 2          # its successors end with the range, or it does with ENOUGH
    DEMAND_WHOLE = 4        # no other packet begins inside of it


# ---- the judgement -----------------------------------------------------------------

cdef Found next_packet(
    const Window* w, const Ids* ids, int64_t start, int64_t stop, int demands,
    int64_t* where, int64_t* need,
) noexcept nogil:
    """Look for a packet that begins in `start` .. `stop` - 1, at any byte.

    `where` is set to where it is, or how far it is certain that there is none.
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
    """Whether there is a packet at `at`, of a range that ends at `stop`."""
    cdef uint32_t word = load_u32(w.data + at)
    cdef int64_t inside
    cdef Found found
    # ids of short packets match too often to begin with
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
    """Whether a packet at `at` has successors and contents, see above."""
    cdef Packet p
    cdef Reason reason
    cdef Found found
    cdef int length, one
    # of all packets, and of those before the first that contradicts
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
            # what it looks like must not depend on where the window ends
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
            # of one whose contents could be anything, successors alone do not do
            needed = ENOUGH
        at = end_of(&p)
        if at - first > 4 * MAX_PACKET_WORDS:
            # the window need not hold more than the longest packet
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
    """Whether the packets from `at` on, `MAX_WALK` of them at most, end at `end`."""
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
    """Whether the packet at `at` ends before `end`, and is believed by itself."""
    cdef Packet p
    cdef Reason reason
    cdef int64_t need
    return (
        packet_at(w, ids, at, &p, &reason, &need) == FOUND_YES
        and end_of(&p) <= min(end, w.n)
        and evidence_of(w, ids, &p) >= ENOUGH
    )


# ---- where to look -----------------------------------------------------------------

cdef Found next_inside(
    const Window* w, const Ids* ids, int64_t at, int64_t* where, int64_t* need
) noexcept nogil:
    """Look for a packet that begins inside of the one at `at`, which is in doubt."""
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

    The first one is in doubt, unless it has enough evidence by itself: if another begins
    inside of it, that is the next one.
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
    """Look inside of a packet with impossible contents, which ends at `end`.

    Where packets follow it, its length is right in all likelihood.
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

    A packet may begin with zeros too, and then the block seems to end later: it begins
    at `first` or later. If there is none, `reason` is that of what is at `at`.
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
    """Whether there is a packet at `at` that is not a short one."""
    if w.n - at >= 4 and load_u32(w.data + at) >> 31:
        return FOUND_NO
    return chain_at(w, ids, at, False, need)


# ---- a packet whose place is certain -----------------------------------------------

cdef Verdict judge(
    const Window* w, const Ids* ids, const Packet* p, Finding* f, int64_t* need
) noexcept nogil:
    """Tell whether the packet at hand is whole and hides no others (format 1.7 a).

    All of it is in the window. Where no packet follows it, its length may be wrong.
    """
    cdef int64_t end = end_of(p)
    cdef Found found
    f.reason = REASON_NONE
    f.n_missing = 0
    if end == w.end:
        return VERDICT_SOUND
    if p.kind == KIND_HEADER:
        # it may bring other ids
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
    """Judge a packet that others follow.

    One of another length than its kind has, or its contents say, may hide packets.
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
    """Judge a packet that no other follows."""
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
    # one that hides others has a wrong length itself
    demands = DEMAND_WHOLE
    if can_look_wrong(ids, p):
        # its contents agree with its length
        demands |= DEMAND_CONTENTS
    found = next_packet(w, ids, p.start + 1, end, demands, &f.where, need)
    if found == FOUND_MORE:
        return VERDICT_MORE
    if found == FOUND_NO:
        return VERDICT_SOUND
    if p.kind == KIND_FCIO and end_of_records(w, p) <= f.where:
        # both are whole: only bytes that fill up the last word are missing
        f.n_missing = end - f.where
        return VERDICT_SOUND
    return VERDICT_HIDES


cdef Found goes_on(
    const Window* w, const Ids* ids, int64_t at, int64_t* need
) noexcept nogil:
    """Whether packets follow each other from `at` on, up to one that looks right.

    The first words of each are looked at, wherever the window ends.
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
    """Whether a block of zeros is longer than those between packets (format 7.4)."""
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
    """Whether a packet of samples ends in zeros, and those go on behind it.

    Up to the end of the data, or for more words than may be (format 7.4): then nothing
    tells where the zeros begin that were never written.
    """
    cdef int64_t end = end_of(p)
    cdef int64_t stop = end + 4 * (MAX_ZERO_WORDS + 1)
    cdef int64_t i
    if p.kind != KIND_FCIO and p.kind != KIND_WAVEFORM and p.kind < KIND_SIS3302:
        return FOUND_NO
    if p.kind == KIND_FCIO and ids.variant[p.decoder_index] >> TAG_STATUS & 1:
        # links that a card does not use are zeros
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

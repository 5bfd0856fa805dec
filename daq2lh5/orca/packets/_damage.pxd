# Finds the next packet at damage.

from libc.stdint cimport int64_t, uint8_t

from ._framing cimport *

cdef enum Verdict:
    VERDICT_SOUND           # its length is right, or `n_missing` bytes too large
    VERDICT_SEARCH          # it is damaged; the next packet is not found yet
    VERDICT_HIDES           # it is damaged; the next packet begins at `where`
    VERDICT_MORE            # more bytes are needed

# Details of a verdict on a packet.
cdef struct Finding:
    Reason reason           # why it is damaged
    int64_t where           # offset of the first packet inside it
    int64_t n_missing       # missing bytes of padding: the next packet begins there

cdef Verdict judge(
    const Window* w, const Ids* ids, const Packet* p, Finding* f, int64_t* need
) noexcept nogil
cdef Found next_after_damage(
    const Window* w, const Ids* ids, int64_t start, int64_t* where, int64_t* need
) noexcept nogil
cdef Found next_in_rejected(
    const Window* w, const Ids* ids, int64_t start, int64_t end, int64_t* where,
    int64_t* need,
) noexcept nogil
cdef Found next_after_zeros(
    const Window* w, const Ids* ids, int64_t first, int64_t at, int64_t* where,
    Reason* reason, int64_t* need,
) noexcept nogil
cdef bint are_too_many(int64_t n_zeros) noexcept nogil
cdef bint are_zeros(const uint8_t* words, int64_t n) noexcept nogil

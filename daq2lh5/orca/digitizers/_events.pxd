# Events in the packets of digitizers: definitions for all families.

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from ..._core.binding cimport BoundWaveform
from ..packets._framing cimport Packet, Reason

cdef enum:
    WORD = 4                # bytes

cdef enum:
    # tables of the rows, in the order of the kinds of packets
    INTO_SIS3302
    INTO_SIS3316
    INTO_GRETINA4M
    INTO_GRETINA4A
    INTO_SIS3305
    INTO_SIS3320
    INTO_V1730
    INTO_V1724
    INTO_V1720
    INTO_V1721
    INTO_DT5725
    INTO_DT5720
    N_DIGITIZERS

cdef struct Event:
    int64_t number          # in its packet, from 0 on
    int64_t start           # word of the packet
    int64_t next            # word behind the event
    int64_t n_samples
    int64_t samples         # word of the first samples
    int64_t n_extra         # elements of its optional vector column
    float period            # of its samples in ns
    uint32_t key            # of its channel
    uint32_t crate, card, channel
    # CAEN: remaining channels of the event, and words of each channel
    uint32_t mask
    int64_t words
    int64_t end             # word behind all of them
    bint exact              # the row must have exactly this number of samples
    bint last               # later events cannot be found
    bint cut                # an incomplete event follows
    Reason reason           # why it cannot be decoded


cdef inline const uint8_t* claim_words(
    const uint8_t* w, const Packet* p, int64_t word, int64_t n
) noexcept nogil:
    """Return `n` bytes from a word of a packet on; NULL if the packet ends before."""
    return w + WORD * word if word >= 0 and n <= WORD * (p.n_words - word) else NULL


cdef inline bint refuse(Event* e, const Packet* p, Reason reason) noexcept nogil:
    """Mark the rest of a packet as impossible to decode."""
    e.reason = reason
    e.last = True
    e.next = p.n_words
    return True


cdef inline void set_key(Event* e) noexcept nogil:
    """Set the key of a channel of a card in a crate (ORCA format, 2.1)."""
    e.key = (e.crate & 0xF) << 9 | (e.card & 0x1F) << 4 | (e.channel & 0xF)


cdef inline void write_period(BoundWaveform* to, int64_t row, float period) noexcept nogil:
    """Write t0 and dt of a row."""
    (<float*>(to.t0.data + row * to.t0.step))[0] = 0
    (<float*>(to.dt.data + row * to.dt.step))[0] = period


cdef inline void write_samples(
    BoundWaveform* to, int64_t row, const uint8_t* samples, const Event* e,
    int64_t first, int size,
) noexcept nogil:
    """Write the samples of a ring buffer of `size` bytes, from index `first` on.

    Zeros fill the row.
    """
    cdef char* values
    cdef int64_t n = e.n_samples
    write_period(to, row, e.period)
    if to.values == NULL:
        return
    values = to.values + row * to.step
    memcpy(values, samples + size * first, size * (n - first))
    memcpy(values + size * (n - first), samples, size * first)
    memset(values + size * n, 0, size * (to.width - n))

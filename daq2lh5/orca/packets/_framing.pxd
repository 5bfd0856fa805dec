# From bytes to ORCA packets: ids and lengths.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t

from ..._core.window cimport Found, Window

cdef enum:
    N_LONG_IDS = 8192       # 13 bits
    N_SHORT_IDS = 64        # 6 bits
    N_LISTENERS = 65536     # 16 bits
    N_CARDS = 1024          # 5 bits of crate, 5 bits of slot
    MAX_PACKET_WORDS = 1 << 24

cdef enum Kind:             # kind of a packet, by its id
    KIND_NONE               # the header lacks the id
    KIND_UNKNOWN            # the header names a decoder that does not exist
    KIND_HEADER
    KIND_RECORD             # rare: decoded in Python
    KIND_HISTOGRAM          # a record with a name and bins
    KIND_LISTENER_CONFIG    # a record with a trace map
    KIND_WAVEFORM           # FlashCam trace of the first generation
    KIND_FCIO
    KIND_SIS3302
    KIND_SIS3316
    KIND_GRETINA4M
    KIND_GRETINA4A
    KIND_SIS3305
    KIND_SIS3320
    KIND_V1730
    KIND_V1724
    KIND_V1720
    KIND_V1721
    KIND_DT5725
    KIND_DT5720

cdef enum Reason:
    REASON_NONE
    REASON_ID               # the header lacks the id
    REASON_LENGTH           # an impossible length
    REASON_PAST_END         # a packet longer than the rest of the data
    REASON_SWALLOWED        # a packet in which other packets begin
    REASON_STRAY            # bytes at the end, too few for a word
    REASON_ZEROS            # zero words, as between packets
    REASON_ZEROED           # zeros in place of packets
    REASON_TRACE_LENGTH     # samples missing
    REASON_CARD             # a card or input that the header lacks
    REASON_CONTENT          # impossible contents
    REASON_TRAILER          # a mark at the end, or between events, is missing
    N_REASONS

# Length of records: see `daq2lh5.orca.slow_control.record_shape.Shape`.
cdef struct Shape:
    int32_t least
    int32_t step
    int32_t count_word
    int32_t count_bit
    uint32_t count_mask
    int32_t spare
    bint is_part
    int32_t time
    int32_t n_times
    uint32_t clear

# The kinds of packets of a file. A decoder index is the index of a decoder in the
# streamer's list; -1: no decoder.
cdef struct Ids:
    int16_t long_decoders[N_LONG_IDS]   # decoder index by id
    int16_t short_decoders[N_SHORT_IDS]
    int16_t kind[N_LONG_IDS]            # by decoder index
    # by decoder index: the split of input and trace index; or the FCIO records that a
    # packet may have, one bit per tag
    int16_t variant[N_LONG_IDS]
    Shape shapes[N_LONG_IDS]            # of records, by decoder index
    # the text of headers has swapped words (ORCA format, 1.3)
    bint is_swapped
    # by id: whether a listener of the header still lacks its configuration
    const uint8_t* awaited
    const int32_t* addresses            # of FlashCam cards, by crate and slot; -1: none

cdef struct Packet:
    int64_t start           # offset of word 0 in the window
    int64_t n_words
    int head_words          # words before the payload
    int decoder_index
    Kind kind


cdef inline Packet as_long(const Packet* p) noexcept nogil:
    """Return a packet as a long packet, without the length word of an extended one."""
    cdef Packet q = p[0]
    q.start += 4 * (p.head_words - 1)
    q.n_words -= p.head_words - 1
    q.head_words = 1
    return q


cdef inline int64_t end_of(const Packet* p) noexcept nogil:
    """Return the offset behind a packet."""
    return p.start + 4 * p.n_words


cdef int set_ids(Ids* ids, decoders, kinds) except -1
cdef Found packet_at(
    const Window* w, const Ids* ids, int64_t at, Packet* p, Reason* reason,
    int64_t* need,
) noexcept nogil

# From bytes to ORCA packets: lengths, ids, and the next packet after damage.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t

cdef enum:
    N_LONG_IDS = 8192       # 13 bits
    N_SHORT_IDS = 64        # 6 bits
    N_LISTENERS = 65536     # 16 bits
    N_CARDS = 1024          # 5 bits of crate, 5 bits of slot
    MAX_PACKET_WORDS = 1 << 24
    CHAIN = 8               # packets that must follow each other after damage
    SHORT_CHAIN = 3         # so many do if all look right inside
    MAX_ZERO_WORDS = 16     # between packets; more of them were never written
    ZEROED_BYTES = 32       # so many zeros at the end of a packet are some of those

cdef enum Kind:             # what a packet is, by its id
    KIND_NONE               # an id that the header does not have
    KIND_UNKNOWN            # one of a decoder that there is none for
    KIND_HEADER
    KIND_RECORD             # rare: decoded in Python
    KIND_HISTOGRAM          # as that, with a name and bins
    KIND_LISTENER_CONFIG    # as that, with a map of the traces
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
    REASON_ID               # an id that the header does not have
    REASON_LENGTH           # a length that cannot be
    REASON_PAST_END         # a packet longer than the rest of the data
    REASON_SWALLOWED        # a packet in which other packets begin
    REASON_STRAY            # bytes at the end, too few for a word
    REASON_ZEROS            # space that was never filled
    REASON_ZEROED           # zeros where packets must have been
    REASON_TRACE_LENGTH     # samples missing
    REASON_CARD             # a card or input that the header does not have
    REASON_CONTENT          # contents that cannot be
    REASON_TRAILER          # a mark at the end, or between events, is missing
    N_REASONS

# How long a record is: see `daq2lh5.orca.slow_control.record_shape.Shape`.
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

cdef struct Ids:
    int16_t long_slot[N_LONG_IDS]       # number of the decoder, -1: none
    int16_t short_slot[N_SHORT_IDS]
    int16_t kind[N_LONG_IDS]            # by slot
    # by slot: which of two layouts a trace has; which FCIO records a packet may have,
    # a bit for each tag
    int16_t variant[N_LONG_IDS]
    Shape shapes[N_LONG_IDS]            # by slot, of records
    # the text of headers has swapped words (ORCA format, 1.3)
    bint is_swapped
    # by id: listeners of the header of which no configuration was read yet
    uint8_t awaited[N_LISTENERS]
    int32_t addresses[N_CARDS]          # by crate and slot, of FlashCam; -1: no card

cdef struct Packet:
    int64_t start           # of word 0 in the window
    int64_t n_words
    int head_words          # before the payload
    int slot                # of its decoder
    Kind kind

cdef enum Found:
    FOUND_NO
    FOUND_YES
    FOUND_MORE              # needs more bytes to tell

# The window of the file that is at hand.
cdef struct Window:
    const uint8_t* data
    int64_t n
    int64_t base            # where it is in the file
    int64_t left            # bytes from its start to the end of the data, or -1
    bint at_end             # nothing comes after it

cdef Found packet_at(
    const Window* w, const Ids* ids, int64_t at, Packet* p, Reason* reason,
    int64_t* need,
) noexcept nogil
cdef Found chain_at(
    const Window* w, const Ids* ids, int64_t at, bint strict, int64_t* need
) noexcept nogil
cdef Found goes_on(
    const Window* w, const Ids* ids, int64_t at, int64_t* need
) noexcept nogil
cdef bint packets_until(
    const Window* w, const Ids* ids, int64_t at, int64_t end
) noexcept nogil
cdef bint is_enough(
    const Window* w, const Ids* ids, int64_t at, int64_t end
) noexcept nogil
cdef Found find_packet(
    const Window* w, const Ids* ids, int64_t start, int64_t stop, bint strict,
    int64_t* found, int64_t* need,
) noexcept nogil
cdef Found find_hidden(
    const Window* w, const Ids* ids, int64_t at, int64_t* where, int64_t* need
) noexcept nogil

# Find CoMPASS records: their fields, limits, and the next record after damage.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from .._core.window cimport *
from ._wire cimport *

cdef enum:
    N_BOARDS = 65536
    N_USUAL_BOARDS = 256        # accepted without further evidence (3)
    N_PLAUSIBLE_CHANNELS = 256
    N_KEYS = N_USUAL_BOARDS * N_PLAUSIBLE_CHANNELS
    FEW_RECORDS = 16            # with fewer, usual records are unknown
    NEAR_RECORDS = 256          # records searched for another high board
    NEAR_BYTES = 1 << 22
    MAX_CHANNELS = 1 << 16      # of all boards
    MAX_SAMPLES = 1 << 24       # plausible (3, 10)
    KNOWN_FLAGS = 0x0038DDFF    # (CoMPASS format, 2.1)
    ANY_LENGTH = -1             # the channel has waveforms of several lengths
    UNKNOWN_LENGTH = -2         # not known in the current layout
    CHAIN = 4                   # consecutive records accepted after damage
    NEW_CHAIN = 16              # the same without samples, of new channels

cdef enum Reason:
    REASON_NONE
    REASON_CHANNEL              # impossible channel
    REASON_BOARD                # high board number without a second record
    REASON_CHANNELS             # more than MAX_CHANNELS
    REASON_SAMPLES              # impossible number of samples
    REASON_ZEROS                # only zeros
    REASON_PAST_END             # the record is longer than the rest of the data
    REASON_INSIDE               # the next record begins inside this one
    REASON_ALONE                # no record follows
    N_REASONS

cdef struct Record:
    int64_t start               # in the window
    int64_t end
    uint32_t board
    uint32_t channel
    uint64_t time
    uint32_t energy
    double calibrated
    uint32_t short_energy
    uint32_t flags
    uint8_t code
    int64_t n_samples

cdef struct Channel:            # known properties of a channel
    int key                     # board << 9 | channel (format 5.1)
    int64_t n_samples           # or ANY_LENGTH; see samples_of
    int64_t file                # number of the joined file with its last record
    int table
    int32_t sink                # -1: not selected
    float dt
    float t0
    int64_t skipped

cdef struct Known:
    int32_t index[N_KEYS]       # index of the channel by board << 8 | channel, or -1
    int32_t page[N_BOARDS]      # page of a higher board number, or -1
    int32_t* pages
    int32_t n_pages
    bint wide                   # higher board numbers occurred
    bint like_headers           # boards equal to header words occurred
    Channel* channels
    int32_t n
    int64_t most_samples
    int64_t file                # number of the joined file
    int64_t layout_since        # number of the file that set the layout

cdef struct View:               # the window, and known properties of the input
    const Window* window
    int64_t need                # bytes that the window must have to continue
    uint64_t last_time          # time of the previous record
    int64_t n_before            # previous records of the same joined file
    bint wide                   # see Known
    bint like_headers
    const CompassHeadLayout* layout
    const Known* known


cdef inline Window window_on(const uint8_t[::1] data, bint at_end) noexcept:
    """Return a window of all of `data`."""
    cdef const uint8_t* start = &data[0] if data.shape[0] else NULL
    cdef int64_t n = data.shape[0]
    return Window(data=start, n=n, base=0, end=n if at_end else -1, at_end=at_end)


cdef inline bint is_header_word(uint32_t word) noexcept nogil:
    """Whether a word marks a file header (format 1.1)."""
    return word >> 4 == COMPASS_HEADER_MARK


cdef void set_layout(
    CompassHeadLayout* l, int version, bint energy, bint calibrated, bint short_energy,
    bint waveforms,
) noexcept nogil
cdef const Channel* channel_of(const Known* known, const Record* r) noexcept nogil
cdef int64_t samples_of(const Known* known, const Channel* c) noexcept nogil
cdef Found record_at(
    View* v, int64_t at, Record* r, Reason* reason
) noexcept nogil
cdef Found record_or_header(
    View* v, int64_t at, Record* r, Reason* reason, CompassHeadLayout* l
) noexcept nogil
cdef Found accept(View* v, const Record* r, Reason* reason) noexcept nogil
cdef Found joined_at(View* v, int64_t at, CompassHeadLayout* l) noexcept nogil
cdef Found find_inside(View* v, const Record* r, int64_t* where) noexcept nogil
cdef Found search(View* v, int64_t low, int64_t high, int64_t* where) noexcept nogil

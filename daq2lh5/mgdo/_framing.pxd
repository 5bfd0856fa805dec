# From the bytes of a tree's entry to its objects.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

cdef enum:
    CLASS_EVENT
    CLASS_DATA_OBJECT
    CLASS_NAMED
    CLASS_CLONES
    CLASS_ROOT_CLONES
    CLASS_WAVEFORM
    CLASS_GERDA
    CLASS_GERDA_BASE
    CLASS_DIGITIZER
    CLASS_ACTIVE
    N_CLASSES

cdef enum Reason:
    REASON_NONE
    REASON_NO_EVENT         # not the name of the class in front
    REASON_PAST_END         # a field behind the end of its object
    REASON_END              # an object that does not end where it says
    REASON_BYTES            # no byte count where one must be
    REASON_VERSION          # a version of a class that is not known
    REASON_POINTER          # no pointer of a kind that is known
    REASON_CLASS            # an object of another class
    REASON_MEMBER_WISE      # an array written by members
    REASON_COUNT            # an impossible number of objects
    REASON_MISSING          # no digitizer data in a slot
    REASON_ARRAYS           # arrays of different lengths
    REASON_IDS              # objects of different channels
    REASON_LENGTH           # an impossible number of samples
    REASON_ENCODING         # an unknown encoding of samples
    REASON_FREQUENCY        # an impossible sampling frequency
    REASON_SAMPLES          # samples that do not end where they must
    REASON_OFFSETS          # the basket's offsets contradict each other
    REASON_UNREADABLE       # the basket cannot be read
    N_REASONS

cdef enum Encoding:
    # MGDO format, 4.2
    ENCODING_NONE = 0
    ENCODING_DOUBLE = 1
    ENCODING_SHORT = 2
    ENCODING_DIFFERENCES = 3
    ENCODING_UNSIGNED = 4

cdef struct Wave:
    bint there
    double period           # ns
    double t0               # ns
    int64_t n
    int32_t encoding
    const uint8_t* samples
    int64_t n_bytes         # of them
    int32_t channel

cdef struct Digitizer:
    uint32_t channel
    const uint8_t* members  # mgdo_digitizer (wire.py)
    const uint8_t* gerda    # mgdo_gerda

cdef struct WaveArray:
    Wave* items
    int64_t n
    int64_t room

cdef struct Entry:
    int32_t event_type
    double total
    double time
    bint use_aux
    int64_t n_channels
    WaveArray waves
    WaveArray aux
    Digitizer* digitizers
    int64_t n_digitizers
    int64_t digitizer_room
    bint known              # whether the class of the digitizer data is
    int64_t class_start     # name of that class
    int64_t class_length

cdef struct Trouble:
    Reason reason
    int cls
    int64_t at              # byte of the entry
    int64_t found
    int64_t expected
    int64_t channel         # -1: of no channel

cdef bint read_entry(
    const uint8_t* data, int64_t n, Entry* e, Trouble* trouble
) noexcept nogil
cdef void free_entry(Entry* e) noexcept nogil

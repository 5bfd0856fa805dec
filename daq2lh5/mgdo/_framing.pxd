# Read the objects in an entry of a tree.

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
    REASON_NO_EVENT         # the entry does not begin with the name of the class
    REASON_PAST_END         # a field exceeds its object
    REASON_END              # the length of an object contradicts its fields
    REASON_BYTES            # no byte count where one must be
    REASON_VERSION          # unknown version of a class
    REASON_POINTER          # unknown kind of pointer
    REASON_CLASS            # an object of another class
    REASON_MEMBER_WISE      # member-wise array
    REASON_COUNT            # an impossible number of objects
    REASON_MISSING          # no digitizer data in a slot
    REASON_ARRAYS           # arrays of different lengths
    REASON_IDS              # objects of different channels
    REASON_LENGTH           # an impossible number of samples
    REASON_ENCODING         # an unknown encoding of samples
    REASON_FREQUENCY        # an impossible sampling frequency
    REASON_SAMPLES          # the length of the samples contradicts their number
    REASON_OFFSETS          # the basket's offsets contradict each other
    REASON_UNREADABLE       # the basket cannot be read
    N_REASONS

cdef enum Encoding:
    # (MGDO format, 4.2)
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
    int64_t n_bytes         # length of the samples
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
    bint known              # the class of the digitizer data is known
    int64_t class_start     # name of that class
    int64_t class_length

cdef struct Trouble:
    Reason reason
    int cls
    int64_t at              # byte of the entry
    int64_t found
    int64_t expected
    int64_t channel         # -1: unknown

cdef bint read_entry(
    const uint8_t* data, int64_t n, Entry* e, Trouble* trouble
) noexcept nogil
cdef void free_entry(Entry* e) noexcept nogil

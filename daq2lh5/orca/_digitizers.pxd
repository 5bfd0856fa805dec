# Events in the packets of digitizers.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from ._framing cimport Kind, Packet, Reason

cdef enum:
    # the tables that rows go to
    INTO_SIS3302
    INTO_SIS3316
    INTO_GRETINA4M
    N_DIGITIZERS

cdef struct Event:
    int64_t number          # in its packet, from 0 on
    int64_t start           # word of the packet
    int64_t next            # word behind it
    int64_t n_samples
    int64_t samples         # word of the first two
    uint32_t crate, card, channel
    bint last               # what follows cannot be found
    Reason reason           # why it cannot be used

cdef tuple new_digitizer_tables()
cdef bint next_event(
    const uint8_t* w, const Packet* p, const int32_t* averages, Event* e
) noexcept nogil
cdef int64_t samples_per_row(int table, const void* columns) noexcept nogil
cdef void write_event(
    int table, void* columns, int64_t row, int64_t packet_id, const uint8_t* w,
    const Event* e,
) noexcept nogil

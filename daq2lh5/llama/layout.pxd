# Constants of the llamaDAQ format, with their sections. The structs are in wire.py.

from libc.stdint cimport int64_t, uint32_t

from ._wire cimport *

cdef enum:
    N_KEYS = 4096               # 2: a key has 12 bits
    # 2: all blocks, status word and average word
    MAX_HEAD_BYTES = 8 + 28 + 8 + 12 + 8 + 4 + 4
    # 2: upper four bits of the status word and of the average word
    MARK_PLAIN = 0xE
    MARK_AVERAGED = 0xA
    # format 1.1, 8.1: file headers, by their first word
    MAGIC = 0x4972414C          # "LArI"
    MAGIC_OLD = 0x5572414C      # "LArU"
    # 8.3
    N_FADCS = 256               # a key has 12 bits: 8 for the FADC, 4 for the channel
    CHANNELS_OF_FADC = 16


cdef inline int64_t bytes_before_status(uint32_t bits) noexcept nogil:
    """Return the length of an event up to the status word, by format bits (2)."""
    return (
        SIS3316_EVENT_BYTES + SIS3316_PEAK_BYTES * (bits & 1)
        + SIS3316_ACCUMULATORS_BYTES * (bits >> 1 & 1)
        + SIS3316_MAW_BYTES * (bits >> 2 & 1) + SIS3316_ENERGIES_BYTES * (bits >> 3 & 1)
    )

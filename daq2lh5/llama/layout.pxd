# Numbers of the llamaDAQ format, each with its section.

from libc.stdint cimport int64_t, uint32_t

from ._wire cimport *

cdef enum:
    N_KEYS = 4096               # 2: a key has 12 bits
    # 2: words of the blocks behind time stamp and first word
    TIME_WORDS = 2
    BLOCK_0_WORDS = 7
    BLOCK_1_WORDS = 2
    BLOCK_2_WORDS = 3
    BLOCK_3_WORDS = 2
    # all blocks, status word and average word
    MAX_HEAD_BYTES = 4 * (2 + 7 + 2 + 3 + 2 + 1 + 1)
    # 2: upper four bits of the status word and of the average word
    MARK_PLAIN = 0xE
    MARK_AVERAGED = 0xA
    # 2: widths of the lengths in those words
    RAW_WORDS_MASK = 0x3FFFFFF
    AVERAGED_WORDS_MASK = 0xFFFF
    # format 1.1, 8.1: file headers, by their first word
    MAGIC = 0x4972414C          # "LArI"
    MAGIC_OLD = 0x5572414C      # "LArU"
    HEADER_BYTES = 16
    CONFIG_BYTES = 88
    OLD_CONFIG_BYTES = 68
    OLD_HEADER_BYTES_80 = 20    # the layout with configurations of 80 bytes
    OLD_CONFIG_BYTES_80 = 80
    # 8.3: FADC index and number of events
    CHUNK_HEADER_BYTES = 8
    N_FADCS = 256               # of a key's 12 bits 4 are the channel's
    CHANNELS_OF_FADC = 16


cdef inline int64_t bytes_before_status(uint32_t bits) noexcept nogil:
    """Return the bytes of an event in front of the status word, by format bits (2)."""
    return (
        SIS3316_EVENT_BYTES + SIS3316_PEAK_BYTES * (bits & 1)
        + SIS3316_ACCUMULATORS_BYTES * (bits >> 1 & 1)
        + SIS3316_MAW_BYTES * (bits >> 2 & 1) + SIS3316_ENERGIES_BYTES * (bits >> 3 & 1)
    )

# Byte shuffle and deflate of waveforms: the same format as HDF5's two filters.

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint64_t

from .deflate_codes cimport SYMBOLS

cdef enum:
    END = 256               # symbol that ends a block; smaller symbols are bytes
    LENGTHS = 256           # match lengths: 3..258
    TOKENS = 16384          # bytes and matches of a block of runs


cdef struct DeflateState:
    uint8_t* plane                          # one byte of each element
    Py_ssize_t room                         # bytes allocated for `plane`
    bint avx2                               # whether to run the build with AVX2
    int32_t tables[4][256]                  # histograms of each fourth byte
    int32_t count[SYMBOLS]                  # symbols of the current block
    uint8_t length[SYMBOLS + 1]             # of their codes and the distance code
    uint64_t entry[SYMBOLS]                 # the codes: see `make_codes`
    uint16_t tokens[TOKENS]
    int32_t token_count[256 + LENGTHS]
    uint64_t token_entry[256 + LENGTHS]     # with extra bits and distance


cdef DeflateState* new_deflate_state(bint baseline) except NULL
cdef void free_deflate_state(DeflateState* state) noexcept nogil
cdef Py_ssize_t deflate_bound(Py_ssize_t nbytes) noexcept nogil
cdef Py_ssize_t deflate_shuffled(
    DeflateState* state, const uint8_t* source, Py_ssize_t n, int itemsize,
    uint8_t* out, Py_ssize_t capacity,
) noexcept nogil

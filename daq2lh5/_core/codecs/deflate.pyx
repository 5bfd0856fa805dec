"""Byte shuffle and deflate of waveforms: the same format as HDF5's two filters.

Shuffled samples of a digitizer form a plane of low bytes, which is noise, and a plane of
high bytes, which hardly changes. Neither needs a search for matches: noise is written as
literals with a Huffman code, runs as matches of distance 1. Files get smaller by a code
for each part of alike samples (a baseline, a flank, a tail), so a block ends where the
distribution of the bytes changes.

Three headers hold the lower stages: `deflate_bits` (bits), `deflate_codes` (Huffman
codes) and `deflate_spread` (where a block ends). They are headers, so that the compiler
inlines them into both builds of this module. Hosts are little-endian.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from .deflate_bits cimport Bits, has_room, put, put_code
from .deflate_codes cimport code_lengths, count_lengths, make_codes, put_lengths, put_literals
from .deflate_spread cimport Spread, fast_log2, joined, spread_of

cdef extern from *:
    """
    /* On x86-64 the code is compiled once more, for processors with 32-byte vectors
       and shifts by any register. */
    static Py_ssize_t deflate_planes(
        void*, const uint8_t*, Py_ssize_t, int, uint8_t*, Py_ssize_t);
    #if defined(__x86_64__) && defined(__GNUC__)
    __attribute__((target("avx2,bmi,bmi2"), flatten))
    static Py_ssize_t deflate_planes_avx2(
        void* s, const uint8_t* p, Py_ssize_t n, int k, uint8_t* o, Py_ssize_t c)
    {
        return deflate_planes(s, p, n, k, o, c);
    }
    static int deflate_has_avx2(void)
    {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
    }
    #else
    #define deflate_planes_avx2 deflate_planes
    #define deflate_has_avx2() 0
    #endif
    """
    int ctz "__builtin_ctzll"(unsigned long long) noexcept nogil
    int deflate_has_avx2() noexcept nogil
    Py_ssize_t deflate_planes_avx2(
        void*, const uint8_t*, Py_ssize_t, int, uint8_t*, Py_ssize_t
    ) noexcept nogil

cdef enum:
    STRIP = 2048            # bytes of a plane, written either as runs or as noise
    UNIT = 256              # bytes of noise between two possible ends of a block
    MAX_BLOCK = 1 << 20     # bytes, so that counts of bits fit 32 bits
    LIMIT = 14              # bits of a code: four, and 7 bits more, fit a word
    STORED_GAIN = 32        # a code must save more than one byte of so many
    HEADER_BYTES = 512      # more than the header of a block takes

# bits that a new block must save: about the length of its header
cdef float NEW_BLOCK_LOSS = 400

# the order in which lengths of the code length code are stored (RFC 1951, 3.2.7)
cdef uint8_t[19] CODE_LENGTH_ORDER = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15
]


cdef inline void take_plane(
    const uint8_t* source, Py_ssize_t n, int itemsize, uint8_t* plane
) noexcept nogil:
    """Copy the first byte of each element."""
    cdef Py_ssize_t i
    if itemsize == 1:
        memcpy(plane, source, n)
    elif itemsize == 2:         # gcc vectorizes loops with constant steps
        for i in range(n):
            plane[i] = source[2 * i]
    elif itemsize == 4:
        for i in range(n):
            plane[i] = source[4 * i]
    else:
        for i in range(n):
            plane[i] = source[8 * i]


cdef inline void adler32(uint32_t* sums, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Add bytes to the two sums of RFC 1950, section 8."""
    cdef uint64_t a = sums[0]
    cdef uint64_t b = sums[1]
    cdef uint16_t column[32]        # sums over rows of 32 bytes
    cdef uint16_t before[32]        # sums of the sums before each row
    cdef uint32_t s, t, u
    cdef Py_ssize_t i, row, rows
    while n >= 32:
        # `before` is at most 255 * 22 * 21 / 2, which fits its 16 bits
        rows = min(n // 32, 22)
        memset(column, 0, sizeof(column))
        memset(before, 0, sizeof(before))
        for row in range(rows):
            for i in range(32):
                before[i] += column[i]
                column[i] += p[32 * row + i]
        s = 0
        t = 0
        u = 0
        for i in range(32):
            s += column[i]
            t += before[i]
            u += <uint32_t>(32 - i) * column[i]
        b += 32 * rows * a + 32 * t + u
        a += s
        p += 32 * rows
        n -= 32 * rows
    for i in range(n):
        a += p[i]
        b += a
    sums[0] = a % 65521
    sums[1] = b % 65521


cdef inline bint is_runs(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Whether three of four bytes (sampled in a full strip) repeat the byte before."""
    cdef Py_ssize_t i, j
    cdef uint16_t same = 0
    if n < STRIP:
        for i in range(1, n):
            same += p[i] == p[i - 1]
        return 4 * same >= 3 * (n - 1)
    for i in range(STRIP // 128):
        for j in range(32):
            same += p[128 * i + j] == p[128 * i + j + 1]
    return 4 * same >= 3 * (STRIP // 4)


cdef inline void put_header(
    DeflateState* s, Bits* b, Py_ssize_t n, int distance
) noexcept nogil:
    """Make a code of the counts of `n` symbols; begin a block that uses it (RFC 1951,
    3.2.7).

    `distance` is the length of the only distance code; 0 without matches.
    """
    cdef int32_t number[19]
    cdef uint8_t length[19]
    cdef uint64_t entry[19]
    cdef uint16_t used[SYMBOLS]
    cdef Py_ssize_t m, i
    m = code_lengths(s.count, n, LIMIT, s.length, used)
    make_codes(s.length, used, m, s.entry)
    s.length[n] = <uint8_t>distance
    count_lengths(s.length, n + 1, number)
    m = code_lengths(number, 19, 7, length, used)
    make_codes(length, used, m, entry)
    put(b, 2 << 1 | (n - 257) << 3 | 15 << 13, 17)
    for i in range(19):
        put(b, length[CODE_LENGTH_ORDER[i]], 3)
    put_lengths(b, s.length, n + 1, entry)


cdef inline bint put_stored(Bits* b, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Write bytes as they are (RFC 1951, 3.2.4)."""
    cdef Py_ssize_t part
    while n > 0:
        part = min(n, 65535)
        if not has_room(b, part + 16):
            return False
        put(b, 0, 3)
        put(b, 0, <int>(-b.n & 7))
        put(b, <uint64_t>part | <uint64_t>(part ^ 65535) << 16, 32)
        memcpy(b.at, p, part)
        b.at += part
        p += part
        n -= part
    return True


cdef inline void count_bytes(
    DeflateState* s, const uint8_t* p, Py_ssize_t n
) noexcept nogil:
    """Set the counts of the literals."""
    cdef Py_ssize_t i
    # four tables: counting alike bytes does not wait for the last count to be stored
    memset(&s.tables[0][0], 0, sizeof(s.tables))
    for i in range(0, n - 3, 4):
        s.tables[0][p[i]] += 1
        s.tables[1][p[i + 1]] += 1
        s.tables[2][p[i + 2]] += 1
        s.tables[3][p[i + 3]] += 1
    for i in range(n & ~3, n):
        s.tables[0][p[i]] += 1
    for i in range(256):
        s.count[i] = (
            s.tables[0][i] + s.tables[1][i] + s.tables[2][i] + s.tables[3][i]
        )


cdef inline float literal_bits(const DeflateState* s, Py_ssize_t n) noexcept nogil:
    """Return the bits of the literals with the best code, and of its header."""
    cdef Py_ssize_t i
    cdef float x
    cdef int32_t gain = 0       # as an integer, so that the order of the sum is free
    cdef int32_t used = 0
    for i in range(256):
        x = <float>s.count[i]
        used += s.count[i] != 0
        gain += <int32_t>(x * fast_log2(x) * 16)
    return n * fast_log2(<float>n) - <float>gain / 16 + 2 * used


cdef inline bint put_noise(
    DeflateState* s, Bits* b, const uint8_t* p, Py_ssize_t n
) noexcept nogil:
    """Write a block of literals."""
    cdef Bits begin = b[0]
    cdef Py_ssize_t i
    cdef Py_ssize_t bits = 0
    count_bytes(s, p, n)
    if literal_bits(s, n) > 8 * (n - n // STORED_GAIN):
        return put_stored(b, p, n)
    s.count[END] = 1
    if not has_room(b, HEADER_BYTES):
        return False
    put_header(s, b, END + 1, 0)
    for i in range(256):
        bits += s.count[i] * s.length[i]
    if b.at - begin.at + bits // 8 > n - n // STORED_GAIN:
        b[0] = begin
        return put_stored(b, p, n)
    if not has_room(b, bits // 8 + 32):
        return False
    put_literals(b, p, n, s.entry)
    put_code(b, s.entry[END])
    return True


cdef inline void length_symbol(Py_ssize_t x, int* symbol, int* extra) noexcept nogil:
    """Find the symbol of match length 3 + `x`, and how many bits follow it (RFC 1951,
    3.2.5)."""
    extra[0] = 0
    if x == LENGTHS - 1:
        symbol[0] = SYMBOLS - 1
        return
    while x >> extra[0] >= 8:
        extra[0] += 1
    symbol[0] = <int>(257 + 4 * extra[0] + (x >> extra[0]))


cdef inline Py_ssize_t find_runs(
    DeflateState* s, const uint8_t* p, Py_ssize_t n, Py_ssize_t* n_tokens
) noexcept nogil:
    """Turn bytes into literals and matches of distance 1; return how many it took.

    Tokens are literals or 256 + length - 3.
    """
    cdef Py_ssize_t i = 0
    cdef Py_ssize_t t = 0
    cdef Py_ssize_t j, end
    cdef uint64_t pattern, word, other
    while i < n and t < TOKENS - 8:
        s.tokens[t] = p[i]
        t += 1
        pattern = <uint64_t>0x0101010101010101 * p[i]
        j = i + 1
        end = min(n, j + 4 * 258)
        while end - j >= 16:
            memcpy(&word, p + j, 8)
            memcpy(&other, p + j + 8, 8)
            word ^= pattern
            other ^= pattern
            if word | other:
                j += (ctz(word) if word else 64 + ctz(other)) >> 3
                end = j
                break
            j += 16
        while j < end and p[j] == p[i]:
            j += 1
        i += 1
        while j - i >= 3:
            s.tokens[t] = <uint16_t>(256 + min(j - i, 258) - 3)
            t += 1
            i += min(j - i, 258)
    n_tokens[0] = t
    return i


cdef inline bint put_runs(
    DeflateState* s, Bits* b, const uint8_t* p, Py_ssize_t n
) noexcept nogil:
    """Write blocks of literals and matches of distance 1."""
    cdef Bits begin
    cdef Py_ssize_t i, used, n_tokens, bits
    cdef int symbol, extra
    cdef uint64_t e
    while n > 0:
        begin = b[0]
        used = find_runs(s, p, n, &n_tokens)
        if not has_room(b, HEADER_BYTES):
            return False
        memset(s.token_count, 0, sizeof(s.token_count))
        for i in range(n_tokens):
            s.token_count[s.tokens[i]] += 1
        memset(s.count, 0, sizeof(s.count))
        memcpy(s.count, s.token_count, 256 * sizeof(int32_t))
        s.count[END] = 1
        for i in range(LENGTHS):
            length_symbol(i, &symbol, &extra)
            s.count[symbol] += s.token_count[256 + i]
        put_header(s, b, SYMBOLS, 1)
        memcpy(s.token_entry, s.entry, 256 * sizeof(uint64_t))
        for i in range(LENGTHS):
            length_symbol(i, &symbol, &extra)
            # the code, the extra bits, and the one bit of the distance, which is 0
            e = s.entry[symbol]
            s.token_entry[256 + i] = (
                (e & ~<uint64_t>255) >> (extra + 1)
                | (<uint64_t>i & ((1 << extra) - 1)) << (63 - extra)
                | ((e & 255) + extra + 1)
            )
        bits = 0
        for i in range(256 + LENGTHS):
            bits += s.token_count[i] * <Py_ssize_t>(s.token_entry[i] & 255)
        if b.at - begin.at + bits // 8 >= used:
            b[0] = begin
            if not put_stored(b, p, used):
                return False
        elif not has_room(b, bits // 8 + 16):
            return False
        else:
            for i in range(n_tokens):
                put_code(b, s.token_entry[s.tokens[i]])
            put_code(b, s.entry[END])
        p += used
        n -= used
    return True


cdef inline bint put_block(
    DeflateState* s, Bits* b, const uint8_t* p, Py_ssize_t n, bint runs
) noexcept nogil:
    return put_runs(s, b, p, n) if runs else put_noise(s, b, p, n)


cdef inline bint put_plane(
    DeflateState* s, Bits* b, const uint8_t* source, Py_ssize_t n, int itemsize,
    uint32_t* adler,
) noexcept nogil:
    """Write the first byte of each element, in blocks of alike units."""
    cdef Py_ssize_t begin = 0
    cdef Py_ssize_t pos = 0
    cdef Py_ssize_t end
    cdef Spread block, unit, both
    cdef bint runs = False
    cdef bint strip_runs
    cdef uint8_t* p = s.plane
    while pos < n:
        end = min(pos + STRIP, n)
        take_plane(source + pos * itemsize, end - pos, itemsize, p + pos)
        adler32(adler, p + pos, end - pos)
        strip_runs = is_runs(p + pos, end - pos)
        if pos > begin and (strip_runs != runs or pos - begin >= MAX_BLOCK):
            if not put_block(s, b, p + begin, pos - begin, runs):
                return False
            begin = pos
        if pos == begin:
            memset(&block, 0, sizeof(block))
        runs = strip_runs
        if runs:
            pos = end
        while pos < end:
            unit = spread_of(p + pos, min(UNIT, end - pos))
            both = joined(block, unit)
            if both.bits > block.bits + unit.bits + NEW_BLOCK_LOSS:
                if not put_noise(s, b, p + begin, pos - begin):
                    return False
                begin = pos
                both = unit
            block = both
            pos += min(UNIT, end - pos)
    return n == 0 or put_block(s, b, p + begin, n - begin, runs)


cdef Py_ssize_t c_deflate_planes "deflate_planes"(
    void* state, const uint8_t* source, Py_ssize_t n, int itemsize,
    uint8_t* out, Py_ssize_t capacity,
) noexcept nogil:
    """Write the zlib stream (RFC 1950, 2.2) of the planes, one after the other."""
    cdef Bits b
    cdef uint32_t adler[2]
    cdef int k
    b.at = out
    b.end = out + capacity
    b.held = 0
    b.n = 0
    adler[0] = 1
    adler[1] = 0
    if not has_room(&b, 16):
        return -1
    put(&b, 0x0178, 16)     # deflate, window of 32 KiB, fastest
    for k in range(itemsize):
        if not put_plane(<DeflateState*>state, &b, source + k, n, itemsize, adler):
            return -1
    if not has_room(&b, 16):
        return -1
    # the last block: fixed code, empty (RFC 1951, 3.2.6)
    put(&b, 3, 10)
    put(&b, 0, <int>(-b.n & 7))
    for k in range(1, -1, -1):
        put(&b, adler[k] >> 8, 8)
        put(&b, adler[k] & 255, 8)
    return b.at - out


cdef DeflateState* new_deflate_state(bint baseline) except NULL:
    """Allocate the memory of a compressor.

    Parameters
    ----------
    baseline
        whether to avoid vector instructions that only some processors have.
    """
    cdef DeflateState* state = <DeflateState*>calloc(1, sizeof(DeflateState))
    if state == NULL:
        raise MemoryError
    state.avx2 = not baseline and deflate_has_avx2()
    return state


cdef void free_deflate_state(DeflateState* state) noexcept nogil:
    if state != NULL:
        free(state.plane)
        free(state)


cdef Py_ssize_t deflate_bound(Py_ssize_t nbytes) noexcept nogil:
    """Return a capacity that suffices for any bytes.

    A block is at most as long as a stored one, which needs at most 6 bytes more for each
    unit. The rest is for the frame and for the reserves of `has_room`.
    """
    return nbytes + nbytes // 32 + 2048


cdef Py_ssize_t deflate_shuffled(
    DeflateState* state, const uint8_t* source, Py_ssize_t n, int itemsize,
    uint8_t* out, Py_ssize_t capacity,
) noexcept nogil:
    """Write the zlib stream of the shuffled bytes of `n` elements; return its length.

    Return -1 if the stream may not fit (never with a capacity of `deflate_bound`), or
    memory is exhausted.
    """
    cdef uint8_t* plane
    if n > state.room:
        plane = <uint8_t*>realloc(state.plane, n)
        if plane == NULL:
            return -1
        state.plane = plane
        state.room = n
    if state.avx2:
        return deflate_planes_avx2(state, source, n, itemsize, out, capacity)
    return c_deflate_planes(state, source, n, itemsize, out, capacity)


def has_vector_instructions():
    """Return whether this processor runs the build with vector instructions."""
    return bool(deflate_has_avx2())


cdef class WaveformDeflater:
    """Compress integers as HDF5's shuffle and deflate filters do, but faster.

    Made for waveforms: its only matches are runs. A compressor keeps its memory from
    call to call. Only one thread at a time may use it; other threads run meanwhile.

    Parameters
    ----------
    baseline
        run the build without vector instructions, whatever the processor. Both builds
        give the same bytes; a processor without AVX2 and BMI2 runs this one anyway.
    """

    cdef DeflateState* state
    cdef uint8_t* out
    cdef Py_ssize_t capacity
    cdef bint busy

    def __cinit__(self, bint baseline=False):
        self.state = new_deflate_state(baseline)

    def __dealloc__(self):
        free_deflate_state(self.state)
        free(self.out)

    def compress(self, source, int itemsize):
        """Return the zlib stream of the shuffled bytes of a chunk.

        Parameters
        ----------
        source
            Little-endian integers: an object whose buffer is C-contiguous.
        itemsize
            Bytes of an integer: 1, 2, 4 or 8.

        Returns
        -------
        bytes
            The stored chunk of a dataset with the filters shuffle and deflate.

        Raises
        ------
        ValueError
            If `itemsize` is invalid, or the length is not a multiple of it.
        RuntimeError
            If another thread uses this object now.
        """
        cdef Py_buffer view
        cdef Py_ssize_t size
        if itemsize not in (1, 2, 4, 8):
            raise ValueError(f"itemsize must be 1, 2, 4 or 8, got {itemsize}")
        if self.busy:
            raise RuntimeError("compressor is in use by another thread")
        PyObject_GetBuffer(source, &view, PyBUF_SIMPLE)
        self.busy = True
        try:
            if view.len % itemsize:
                raise ValueError(
                    f"length {view.len} is not a multiple of itemsize {itemsize}"
                )
            if deflate_bound(view.len) > self.capacity:
                free(self.out)
                self.capacity = 0
                self.out = <uint8_t*>malloc(deflate_bound(view.len))
                if self.out == NULL:
                    raise MemoryError
                self.capacity = deflate_bound(view.len)
            with nogil:
                size = deflate_shuffled(
                    self.state, <const uint8_t*>view.buf, view.len // itemsize,
                    itemsize, self.out, self.capacity,
                )
            if size < 0:
                raise MemoryError
            return PyBytes_FromStringAndSize(<char*>self.out, size)
        finally:
            self.busy = False
            PyBuffer_Release(&view)

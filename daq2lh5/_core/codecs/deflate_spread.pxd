# Distribution of bytes: estimates of the bits that they take in a block.
#
# A block ends where the distribution changes. The bytes of digitizer noise are assumed
# to be normally distributed: mean and variance need one pass over the bytes, and the
# sums of two ranges add up.

from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t, uint32_t
from libc.string cimport memcpy


cdef inline float fast_log2(float x) noexcept nogil:
    """Return the logarithm within 0.01; the result for 0 is finite."""
    cdef uint32_t bits
    cdef int32_t power
    memcpy(&bits, &x, 4)
    power = <int32_t>(bits >> 23) - 127
    bits = (bits & 0x7FFFFF) | 0x3F800000
    memcpy(&x, &bits, 4)
    return power + (x - 1) * (<float>1.6667 - <float>0.3333 * x)


cdef struct Spread:
    # distribution of bytes on a circle: 0 follows 255
    float n
    float mean
    float squares           # sum of the squared distances from the mean
    float bits              # of the bytes, if normally distributed


cdef inline void set_bits(Spread* s) noexcept nogil:
    """Set the entropy: log2(sigma sqrt(2 pi e)) of each, no more than 8."""
    cdef float h = fast_log2(<float>17.08 * (s.squares / s.n + <float>0.0833)) / 2
    s.bits = s.n * (h if h < 8 else 8)


cdef inline Spread spread_of(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    cdef Spread s
    cdef Py_ssize_t i
    cdef int32_t first = 0
    cdef int32_t second = 0
    cdef int16_t d
    for i in range(n):
        d = <int8_t>(p[i] - p[0])
        first += d
        second += d * d
    s.n = <float>n
    s.mean = p[0] + first / s.n
    s.squares = second - first * (first / s.n)
    set_bits(&s)
    return s


cdef inline Spread joined(Spread a, Spread b) noexcept nogil:
    cdef Spread s
    cdef float apart = b.mean - a.mean
    if apart > 128:
        apart -= 256
    elif apart < -128:
        apart += 256
    s.n = a.n + b.n
    s.mean = a.mean + apart * b.n / s.n
    if s.mean >= 256:
        s.mean -= 256
    elif s.mean < 0:
        s.mean += 256
    s.squares = a.squares + b.squares + apart * apart * a.n * b.n / s.n
    set_bits(&s)
    return s

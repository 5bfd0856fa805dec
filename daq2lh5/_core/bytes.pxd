# Unaligned loads of numbers from input bytes: big-endian with "be" in the name, else
# little-endian.
#
# Loads do not check. The bytes come from `claim` (window.pxd), and each field's offset
# is declared once (wire.py of each format, see "Cython here" in docs/): kernels call
# the accessors in `_wire.pxd`, which are generated from these declarations.

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef inline uint16_t load_u16(const uint8_t* p) noexcept nogil:
    return <uint16_t>(p[0] | (p[1] << 8))


cdef inline uint32_t load_u32(const uint8_t* p) noexcept nogil:
    return (
        <uint32_t>p[0] | (<uint32_t>p[1] << 8) | (<uint32_t>p[2] << 16)
        | (<uint32_t>p[3] << 24)
    )


cdef inline int32_t load_i32(const uint8_t* p) noexcept nogil:
    return <int32_t>load_u32(p)


cdef inline uint64_t load_u64(const uint8_t* p) noexcept nogil:
    return <uint64_t>load_u32(p) | (<uint64_t>load_u32(p + 4) << 32)


cdef inline int64_t load_i64(const uint8_t* p) noexcept nogil:
    return <int64_t>load_u64(p)


cdef inline float load_f32(const uint8_t* p) noexcept nogil:
    cdef uint32_t bits = load_u32(p)
    cdef float value
    memcpy(&value, &bits, 4)
    return value


cdef inline double load_f64(const uint8_t* p) noexcept nogil:
    cdef uint64_t bits = load_u64(p)
    cdef double value
    memcpy(&value, &bits, 8)
    return value


cdef inline uint16_t load_be_u16(const uint8_t* p) noexcept nogil:
    return <uint16_t>(p[1] | (p[0] << 8))


cdef inline uint32_t load_be_u32(const uint8_t* p) noexcept nogil:
    return (
        <uint32_t>p[3] | (<uint32_t>p[2] << 8) | (<uint32_t>p[1] << 16)
        | (<uint32_t>p[0] << 24)
    )


cdef inline int32_t load_be_i32(const uint8_t* p) noexcept nogil:
    return <int32_t>load_be_u32(p)


cdef inline uint64_t load_be_u64(const uint8_t* p) noexcept nogil:
    return <uint64_t>load_be_u32(p + 4) | (<uint64_t>load_be_u32(p) << 32)


cdef inline double load_be_f64(const uint8_t* p) noexcept nogil:
    cdef uint64_t bits = load_be_u64(p)
    cdef double value
    memcpy(&value, &bits, 8)
    return value

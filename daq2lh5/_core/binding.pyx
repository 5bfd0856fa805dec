"""Bind the columns of a buffer to the C structs that kernels fill."""

import numpy as np

cdef char _SCRATCH[4096]
"""Memory for the values of unused columns: all kernels write to it, none reads it."""


cdef class Binding:
    """The columns of one buffer, as long as a kernel may write to them.

    A column that is missing in `arrays` (the user dropped it) is bound to scratch
    memory. An array of another dtype, or without contiguous rows, is replaced by one of
    the declared type, which `copy_back` copies back.
    """

    def __cinit__(self, Py_ssize_t rows):
        self.keep = []
        self.stand_ins = []
        self.rows = rows

    cdef object array(self, dict arrays, str path, str dtype, Py_ssize_t rows):
        wanted = np.dtype(dtype)
        array = arrays[path]
        if len(array) < rows:
            raise ValueError(
                f"column '{path}' has {len(array)} rows, but its table has {rows}"
            )
        inner = array.strides[1:] == () or array.strides[1:] == (wanted.itemsize,)
        if (
            array.dtype != wanted
            or not inner
            or not array.flags.writeable
            or not array.flags.aligned
        ):
            stand_in = np.ascontiguousarray(array, dtype=wanted)
            if stand_in is array:
                stand_in = array.copy()
            self.stand_ins.append((array, stand_in))
            array = stand_in
        self.keep.append(array)
        return array

    cdef int column(
        self, BoundColumn* c, dict arrays, str path, str dtype, Py_ssize_t width
    ) except -1:
        if path not in arrays:
            c.data = _SCRATCH
            c.step = 0
            return 0
        array = self.array(arrays, path, dtype, self.rows)
        if (array.size // len(array) if len(array) else width) != width:
            raise ValueError(
                f"column '{path}' has {array.shape[1:]} values a row, expected {width}"
            )
        c.data = <char*><size_t>array.ctypes.data
        c.step = array.strides[0]
        return 0

    cdef int vector(
        self, BoundVector* v, dict arrays, str path, str dtype, Py_ssize_t longest
    ) except -1:
        v.size = np.dtype(dtype).itemsize
        if path + "/offsets" not in arrays:
            scratch = np.empty(longest, dtype)
            self.keep.append(scratch)
            v.data = <char*><size_t>scratch.ctypes.data
            v.offsets = NULL
            v.capacity = longest
            return 0
        offsets = self.array(arrays, path + "/offsets", "int64", self.rows + 1)
        data = self.array(arrays, path + "/flattened_data", dtype, 0)
        if offsets.strides != (8,) or (len(data) and data.strides != (v.size,)):
            raise ValueError(f"column '{path}': expected a contiguous array")
        v.data = <char*><size_t>data.ctypes.data
        v.capacity = len(data)
        v.offsets = <int64_t*><size_t>offsets.ctypes.data
        return 0

    cdef int waveform(
        self, BoundWaveform* w, dict arrays, str path, str dtype, str dt_dtype
    ) except -1:
        self.column(&w.t0, arrays, path + "/t0", "float32", 1)
        self.column(&w.dt, arrays, path + "/dt", dt_dtype, 1)
        if path + "/values" not in arrays:
            w.values = NULL
            w.width = -1
            return 0
        array = self.array(arrays, path + "/values", dtype, self.rows)
        w.values = <char*><size_t>array.ctypes.data
        w.step = array.strides[0]
        w.width = array.shape[1]
        return 0

    cdef int copy_back(self) except -1:
        for array, stand_in in self.stand_ins:
            array[...] = stand_in
        return 0

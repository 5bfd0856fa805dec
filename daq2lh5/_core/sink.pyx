"""The buffers of one table, bound for a kernel."""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset


cdef class SinkTable:
    """The `RawBuffer`\\ s of one table.

    Between `acquire` and `release` the kernel may write to them. Private buffers stay
    bound; all others are bound anew each time, because the user may have changed or
    replaced their arrays in between.
    """

    def __dealloc__(self):
        free(self.sinks)
        free(self.storage)

    cdef int set_buffers(self, list buffers) except -1:
        free(self.sinks)
        free(self.storage)
        self.sinks = NULL
        self.storage = NULL
        self.n = self.room = 0
        self.buffers = []
        self.places = {}
        cdef Py_ssize_t n = len(buffers)
        self.sinks = <RowSink*>calloc(max(n, 1), sizeof(RowSink))
        self.storage = <char*>calloc(max(n, 1), self.width)
        if self.sinks == NULL or self.storage == NULL:
            raise MemoryError
        cdef Py_ssize_t i
        for i in range(n):
            self.sinks[i].columns = self.storage + i * self.width
            self.sinks[i].overflow_sink = -1
        self.buffers = buffers
        self.bindings = [None] * n
        self.places = {id(buffer): i for i, buffer in enumerate(buffers)}
        self.n = self.room = n
        return 0

    cdef dict set_keyed(self, dict keyed):
        """Set the buffers by key; return the number of each key's sink.

        Keys may share a buffer. A key whose buffer is None has no sink.
        """
        keyed = {key: buffer for key, buffer in keyed.items() if buffer is not None}
        self.set_buffers(list({id(buffer): buffer for buffer in keyed.values()}.values()))
        return {key: self.places[id(buffer)] for key, buffer in keyed.items()}

    cdef Py_ssize_t place_of(self, buffer) except -1:
        """Return the number of a buffer's sink; add one for a new buffer.

        May be called between `acquire` and `release`.
        """
        cdef Py_ssize_t i
        cdef Py_ssize_t room
        cdef void* moved
        if id(buffer) in self.places:
            return self.places[id(buffer)]
        if self.n == self.room:
            room = 2 * self.room + 8
            # moving the memory invalidates all bindings
            for i in range(self.n):
                self.unbind(i)
            moved = realloc(self.sinks, room * sizeof(RowSink))
            if moved == NULL:
                raise MemoryError
            self.sinks = <RowSink*>moved
            moved = realloc(self.storage, room * self.width)
            if moved == NULL:
                raise MemoryError
            self.storage = <char*>moved
            memset(&self.sinks[self.n], 0, (room - self.n) * sizeof(RowSink))
            memset(self.storage + self.n * self.width, 0, (room - self.n) * self.width)
            self.room = room
            for i in range(room):
                self.sinks[i].columns = self.storage + i * self.width
            self.bindings = [None] * self.n
            self.acquire()
        self.places[id(buffer)] = self.n
        self.buffers.append(buffer)
        self.bindings.append(None)
        self.sinks[self.n].overflow_sink = -1
        self.n += 1
        self.acquire_one(self.n - 1)
        return self.n - 1

    cdef int acquire(self) except -1:
        cdef Py_ssize_t i
        for i in range(self.n):
            self.acquire_one(i)
        return 0

    cdef int acquire_one(self, Py_ssize_t i) except -1:
        cdef RowSink* sink = &self.sinks[i]
        buffer = self.buffers[i]
        sink.loc = buffer.loc
        sink.fill_safety = buffer.fill_safety
        sink.need = 0
        if not buffer.allocated:
            sink.capacity = 0
            self.bindings[i] = None
        elif self.bindings[i] is None or not buffer.private:
            self.bind_one(i)
        return 0

    cdef int bind_one(self, Py_ssize_t i) except -1:
        """Bind buffer `i` to its arrays as they are now."""
        buffer = self.buffers[i]
        rows = len(buffer)
        if not 0 <= buffer.loc <= rows:
            raise ValueError(
                f"buffer '{buffer.out_name}': loc must be 0 to {rows}, its number of "
                f"rows, but is {buffer.loc}"
            )
        cdef Binding binding = Binding(rows)
        self.bind(self.sinks[i].columns, buffer.arrays(), binding)
        self.sinks[i].capacity = rows
        self.sinks[i].loc = buffer.loc
        self.bindings[i] = binding
        return 0

    cdef int unbind(self, Py_ssize_t i) except -1:
        """Release buffer `i`: store `loc`, and copy replaced arrays back."""
        cdef Binding binding = self.bindings[i]
        self.buffers[i].loc = self.sinks[i].loc
        if binding is not None:
            binding.copy_back()
        return 0

    cdef int release(self) except -1:
        cdef Py_ssize_t i
        for i in range(self.n):
            self.unbind(i)
            if self.bindings[i] is not None and not self.buffers[i].private:
                self.bindings[i] = None
                self.sinks[i].capacity = 0
        return 0


cdef SinkTable new_sink_table(size_t width, bind_function bind):
    cdef SinkTable table = SinkTable()
    table.width = width
    table.bind = bind
    table.set_buffers([])
    return table

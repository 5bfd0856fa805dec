# How much the contents of a packet say for it.

from ._framing cimport *

cdef enum:
    ENOUGH = 3              # evidence on which a packet is believed by itself

cdef int evidence_of(const Window* w, const Ids* ids, const Packet* p) noexcept nogil

# Evidence for a packet from its contents.

from ._framing cimport *

cdef enum:
    ENOUGH = 3              # evidence that suffices for a single packet

cdef int evidence_of(const Window* w, const Ids* ids, const Packet* p) noexcept nogil

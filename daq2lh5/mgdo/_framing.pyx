"""Read the objects in an entry of a tree of ``MGTEvent``.

Sections are those of the MGDO format. ROOT's numbers are big-endian. Every object
contains its length, and its fields must end exactly there.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memchr, memcmp, memset, strlen

from ._wire cimport *

cdef enum:
    MAX_OBJECTS = 65536         # in an array
    MAX_SAMPLES = 1 << 24       # 11
    CLASS_SEEN = 0x80000000     # 3: reference to a class named before
    NEW_CLASS = 0xFFFFFFFF
    HAS_PROCESS_ID = 0x10
    PROCESS_ID_BYTES = 2
    LONG_STRING = 255           # marks a length of four bytes behind it
    IS_MEMBER_WISE = 0x1000

cdef const char** NAMES = [
    "MGTEvent", "MGTDataObject", "TNamed", "MGTClonesArray", "TClonesArray",
    "MGTWaveform", "GETGERDADigitizerData", "GETVGERDADigitizerData",
    "MGTVDigitizerData", "vector<bool>",
]
cdef int* VERSIONS = [9, 2, 1, 2, 4, 5, 1, 2, 1, 0]

CLASS_NAMES = tuple([NAMES[i].decode() for i in range(N_CLASSES)])


cdef struct Cursor:
    const uint8_t* data
    int64_t at
    int64_t end                 # end of the current object
    Trouble* trouble


cdef bint fail(
    Cursor* c, Reason reason, int cls, int64_t found=0, int64_t expected=0
) noexcept nogil:
    c.trouble.reason = reason
    c.trouble.cls = cls
    c.trouble.at = c.at
    c.trouble.found = found
    c.trouble.expected = expected
    return False


cdef inline const uint8_t* claim_next(Cursor* c, int64_t n, int cls) noexcept nogil:
    """Return the next `n` bytes; fail and return NULL if the object ends before."""
    if n > c.end - c.at:
        fail(c, REASON_PAST_END, cls, n, c.end - c.at)
        return NULL
    return c.data + c.at


cdef bint open_object(Cursor* c, int cls, int64_t* outer) noexcept nogil:
    """Read byte count and version (3); the cursor's end becomes the object's."""
    cdef const uint8_t* p = claim_next(c, ROOT_VERSION_BYTES, cls)
    cdef uint32_t count
    cdef uint16_t version
    outer[0] = c.end
    if p == NULL:
        return False
    if root_version_get_mark(p) != ROOT_VERSION_MARK:
        return fail(c, REASON_BYTES, cls)
    count = root_version_get_count(p)
    if count < 2 or count > c.end - c.at - ROOT_COUNT_BYTES:
        return fail(c, REASON_PAST_END, cls, count, c.end - c.at - ROOT_COUNT_BYTES)
    version = root_version_get_version(p)
    if version != VERSIONS[cls]:
        return fail(c, REASON_VERSION, cls, version, VERSIONS[cls])
    c.end = c.at + ROOT_COUNT_BYTES + count
    c.at += ROOT_VERSION_BYTES
    return True


cdef bint close_object(Cursor* c, int cls, int64_t outer) noexcept nogil:
    """Check that the object was read completely; continue in the outer one."""
    if c.at != c.end:
        return fail(c, REASON_END, cls, c.at, c.end)
    c.end = outer
    return True


cdef bint read_root_object(Cursor* c, int cls, uint32_t* bits) noexcept nogil:
    """Read a TObject (3), which has no byte count."""
    cdef const uint8_t* p = claim_next(c, ROOT_OBJECT_BYTES, cls)
    cdef uint16_t version
    if p == NULL:
        return False
    version = root_object_get_version(p)
    if version != ROOT_OBJECT_VERSION:
        return fail(c, REASON_VERSION, cls, version, ROOT_OBJECT_VERSION)
    bits[0] = root_object_get_bits(p)
    c.at += ROOT_OBJECT_BYTES
    return not bits[0] & HAS_PROCESS_ID or skip(c, PROCESS_ID_BYTES, cls)


cdef inline bint skip(Cursor* c, int64_t n, int cls) noexcept nogil:
    """Skip the next `n` bytes, if the object has them."""
    if claim_next(c, n, cls) == NULL:
        return False
    c.at += n
    return True


cdef bint read_string(
    Cursor* c, int cls, int64_t* start, int64_t* length
) noexcept nogil:
    cdef const uint8_t* p = claim_next(c, 1, cls)
    if p == NULL:
        return False
    length[0] = p[0]
    c.at += 1
    if length[0] == LONG_STRING and not read_count(c, cls, length):
        return False
    start[0] = c.at
    return skip(c, length[0], cls)


cdef bint read_count(Cursor* c, int cls, int64_t* n) noexcept nogil:
    """Read a number of elements."""
    cdef const uint8_t* p = claim_next(c, ROOT_COUNT_BYTES, cls)
    if p == NULL:
        return False
    n[0] = root_count_get_n(p)
    c.at += ROOT_COUNT_BYTES
    return True


cdef bint skip_data_object(Cursor* c) noexcept nogil:
    """Skip the common base of all classes (3)."""
    cdef int64_t outer, named, start, length
    cdef uint32_t bits
    return (
        open_object(c, CLASS_DATA_OBJECT, &outer)
        and open_object(c, CLASS_NAMED, &named)
        and read_root_object(c, CLASS_NAMED, &bits)
        and read_string(c, CLASS_NAMED, &start, &length)
        and read_string(c, CLASS_NAMED, &start, &length)
        and close_object(c, CLASS_NAMED, named)
        and close_object(c, CLASS_DATA_OBJECT, outer)
    )


cdef bint open_pointer(
    Cursor* c, int cls, int64_t* outer, bint* null
) noexcept nogil:
    """Read a pointer: byte count and class in front of an object (3)."""
    cdef const uint8_t* p = claim_next(c, ROOT_COUNT_BYTES, cls)
    cdef uint32_t count, tag
    cdef const void* nul
    cdef int64_t length
    outer[0] = c.end
    null[0] = False
    if p == NULL:
        return False
    if root_count_get_n(p) == 0:
        null[0] = True
        c.at += ROOT_COUNT_BYTES
        return True
    if root_pointer_get_mark(p) != ROOT_POINTER_MARK:
        return fail(c, REASON_POINTER, cls)
    count = root_pointer_get_count(p)
    # the tag is included in the count
    if count < ROOT_POINTER_BYTES - ROOT_COUNT_BYTES or (
        count > c.end - c.at - ROOT_COUNT_BYTES
    ):
        return fail(c, REASON_PAST_END, cls, count, c.end - c.at - ROOT_COUNT_BYTES)
    c.end = c.at + ROOT_COUNT_BYTES + count
    c.at += ROOT_POINTER_BYTES
    tag = root_pointer_get_tag(p)
    if tag == NEW_CLASS:
        nul = memchr(c.data + c.at, 0, c.end - c.at)
        if nul == NULL:
            return fail(c, REASON_CLASS, cls)
        length = <const uint8_t*>nul - (c.data + c.at)
        if not is_name(c.data + c.at, length, cls):
            return fail(c, REASON_CLASS, cls)
        c.at += length + 1
    elif not tag & CLASS_SEEN:
        return fail(c, REASON_POINTER, cls)
    return True


cdef bint is_name(const uint8_t* text, int64_t length, int cls) noexcept nogil:
    cdef int64_t wanted = strlen(NAMES[cls])
    return length == wanted and memcmp(text, NAMES[cls], wanted) == 0


cdef bint open_array(
    Cursor* c, int64_t* outer, int64_t* root_outer, int64_t* name, int64_t* length,
    int64_t* n,
) noexcept nogil:
    """Read the head of an MGTClonesArray (3) up to its first slot."""
    cdef const uint8_t* p
    cdef uint32_t bits
    cdef int64_t start, n_bytes
    if not (
        open_object(c, CLASS_CLONES, outer)
        and open_object(c, CLASS_ROOT_CLONES, root_outer)
        and read_root_object(c, CLASS_ROOT_CLONES, &bits)
    ):
        return False
    if bits & IS_MEMBER_WISE:
        return fail(c, REASON_MEMBER_WISE, CLASS_ROOT_CLONES)
    if not (
        read_string(c, CLASS_ROOT_CLONES, &start, &n_bytes)
        and read_string(c, CLASS_ROOT_CLONES, name, length)
    ):
        return False
    p = claim_next(c, ROOT_ARRAY_BYTES, CLASS_ROOT_CLONES)
    if p == NULL:
        return False
    n[0] = root_array_get_n_objects(p)
    # each slot takes at least one byte
    if not 0 <= n[0] <= min(MAX_OBJECTS, c.end - c.at - ROOT_ARRAY_BYTES):
        return fail(c, REASON_COUNT, CLASS_ROOT_CLONES, n[0])
    c.at += ROOT_ARRAY_BYTES
    return True


cdef bint close_array(Cursor* c, int64_t outer, int64_t root_outer) noexcept nogil:
    return (
        close_object(c, CLASS_ROOT_CLONES, root_outer)
        # a flag of unknown meaning (9)
        and skip(c, 1, CLASS_CLONES)
        and close_object(c, CLASS_CLONES, outer)
    )


cdef bint next_slot(Cursor* c, bint* there) noexcept nogil:
    return read_flag(c, CLASS_ROOT_CLONES, there)


cdef bint read_flag(Cursor* c, int cls, bint* value) noexcept nogil:
    cdef const uint8_t* p = claim_next(c, 1, cls)
    if p == NULL:
        return False
    value[0] = p[0] != 0
    c.at += 1
    return True


cdef bint is_class(
    const uint8_t* text, int64_t length, int cls, int64_t* version
) noexcept nogil:
    """Whether a text is ``class;version`` of a class; sets the version."""
    cdef int64_t n = strlen(NAMES[cls])
    cdef int64_t i
    if length < n + 2 or memcmp(text, NAMES[cls], n) != 0 or text[n] != c";":
        return False
    version[0] = 0
    for i in range(n + 1, length):
        version[0] = min(version[0] * 10 + text[i] - 48, 1 << 30)
    return True


cdef bint read_waves(Cursor* c, WaveArray* waves) noexcept nogil:
    """Read a pointer to an array of waveforms."""
    cdef int64_t pointer, outer, root_outer, name, length, version, i
    cdef bint null
    waves.n = 0
    if not open_pointer(c, CLASS_CLONES, &pointer, &null):
        return False
    if null:
        return True
    if not open_array(c, &outer, &root_outer, &name, &length, &waves.n):
        return False
    if not is_class(c.data + name, length, CLASS_WAVEFORM, &version):
        return fail(c, REASON_CLASS, CLASS_WAVEFORM)
    if version != VERSIONS[<int>CLASS_WAVEFORM]:
        return fail(
            c, REASON_VERSION, CLASS_WAVEFORM, version, VERSIONS[<int>CLASS_WAVEFORM]
        )
    if waves.n > waves.room:
        if not grow(<void**>&waves.items, waves.n * sizeof(Wave)):
            return fail(c, REASON_COUNT, CLASS_ROOT_CLONES, waves.n)
        waves.room = waves.n
    for i in range(waves.n):
        if not next_slot(c, &waves.items[i].there):
            return False
        if waves.items[i].there and not read_wave(c, &waves.items[i]):
            return False
    return close_array(c, outer, root_outer) and close_object(c, CLASS_CLONES, pointer)


cdef bint read_wave(Cursor* c, Wave* w) noexcept nogil:
    """Read a waveform (format 4.2) without its samples."""
    cdef const uint8_t* p
    cdef int64_t outer, width
    cdef double frequency
    cdef uint64_t n
    if not (open_object(c, CLASS_WAVEFORM, &outer) and skip_data_object(c)):
        return False
    p = claim_next(c, MGDO_WAVEFORM_BYTES + MGDO_WAVEFORM_END_BYTES, CLASS_WAVEFORM)
    if p == NULL:
        return False
    w.channel = mgdo_waveform_end_get_channel(
        c.data + c.end - MGDO_WAVEFORM_END_BYTES
    )
    c.trouble.channel = w.channel
    frequency = mgdo_waveform_get_frequency(p)
    w.t0 = mgdo_waveform_get_offset(p)
    n = mgdo_waveform_get_n_samples(p)
    w.encoding = mgdo_waveform_get_encoding(p)
    if not (isfinite(frequency) and frequency > 0):
        return fail(c, REASON_FREQUENCY, CLASS_WAVEFORM)
    w.period = 1 / frequency
    if n > MAX_SAMPLES:
        return fail(c, REASON_LENGTH, CLASS_WAVEFORM, <int64_t>min(n, 1ULL << 62))
    w.n = <int64_t>n
    c.at += MGDO_WAVEFORM_BYTES
    w.samples = c.data + c.at
    w.n_bytes = c.end - MGDO_WAVEFORM_END_BYTES - c.at
    if w.encoding == ENCODING_DIFFERENCES:
        # 1 to 5 bytes each
        if not w.n <= w.n_bytes <= 5 * w.n:
            return fail(c, REASON_SAMPLES, CLASS_WAVEFORM, w.n_bytes, w.n)
    elif 0 <= w.encoding <= ENCODING_UNSIGNED:
        width = 8 if w.encoding <= ENCODING_DOUBLE else 2
        if w.n_bytes != width * w.n:
            return fail(c, REASON_SAMPLES, CLASS_WAVEFORM, w.n_bytes, width * w.n)
    else:
        return fail(c, REASON_ENCODING, CLASS_WAVEFORM, w.encoding)
    c.at = c.end
    c.trouble.channel = -1
    return close_object(c, CLASS_WAVEFORM, outer)


cdef bint read_digitizers(Cursor* c, Entry* e) noexcept nogil:
    """Read a pointer to an array of digitizer data; skip those of other classes."""
    cdef int64_t pointer, outer, root_outer, version, i
    cdef bint null, there
    e.n_digitizers = 0
    e.known = True
    if not open_pointer(c, CLASS_CLONES, &pointer, &null):
        return False
    if null:
        return True
    if not open_array(
        c, &outer, &root_outer, &e.class_start, &e.class_length, &e.n_digitizers
    ):
        return False
    if not is_class(c.data + e.class_start, e.class_length, CLASS_GERDA, &version):
        e.known = False
        c.at = c.end
        return close_array(c, outer, root_outer) and close_object(
            c, CLASS_CLONES, pointer
        )
    if version != VERSIONS[<int>CLASS_GERDA]:
        return fail(c, REASON_VERSION, CLASS_GERDA, version, VERSIONS[<int>CLASS_GERDA])
    if e.n_digitizers > e.digitizer_room:
        if not grow(<void**>&e.digitizers, e.n_digitizers * sizeof(Digitizer)):
            return fail(c, REASON_COUNT, CLASS_ROOT_CLONES, e.n_digitizers)
        e.digitizer_room = e.n_digitizers
    for i in range(e.n_digitizers):
        if not next_slot(c, &there):
            return False
        if not there:
            return fail(c, REASON_MISSING, CLASS_GERDA, i)
        if not read_digitizer(c, &e.digitizers[i]):
            return False
    return close_array(c, outer, root_outer) and close_object(c, CLASS_CLONES, pointer)


cdef bint read_digitizer(Cursor* c, Digitizer* d) noexcept nogil:
    """Find the members of digitizer data (format 4.3)."""
    cdef int64_t outer, base, common
    if not (
        open_object(c, CLASS_GERDA, &outer)
        and open_object(c, CLASS_GERDA_BASE, &base)
        and open_object(c, CLASS_DIGITIZER, &common)
        and skip_data_object(c)
    ):
        return False
    d.members = claim_next(c, MGDO_DIGITIZER_BYTES, CLASS_DIGITIZER)
    if d.members == NULL:
        return False
    d.channel = mgdo_digitizer_get_channel(d.members)
    c.at += MGDO_DIGITIZER_BYTES
    if not close_object(c, CLASS_DIGITIZER, common):
        return False
    d.gerda = claim_next(c, MGDO_GERDA_BYTES, CLASS_GERDA_BASE)
    if d.gerda == NULL:
        return False
    c.at += MGDO_GERDA_BYTES
    return close_object(c, CLASS_GERDA_BASE, base) and close_object(
        c, CLASS_GERDA, outer
    )


cdef bint read_active(Cursor* c, Entry* e) noexcept nogil:
    """Read the length of the list of active channels."""
    cdef int64_t pointer, n
    cdef bint null
    e.n_channels = 0
    if not open_pointer(c, CLASS_ACTIVE, &pointer, &null):
        return False
    if null:
        return True
    if not (read_count(c, CLASS_ACTIVE, &n) and skip(c, n, CLASS_ACTIVE)):
        return False
    e.n_channels = n
    return close_object(c, CLASS_ACTIVE, pointer)


cdef bint grow(void** memory, size_t n) noexcept nogil:
    cdef void* larger = realloc(memory[0], n)
    if larger == NULL:
        return False
    memory[0] = larger
    return True


cdef bint check_rows(Cursor* c, const Entry* e) noexcept nogil:
    """Check that objects of one index in the arrays have the same channel (7)."""
    cdef int64_t i
    cdef uint32_t channel
    if e.waves.n != e.n_digitizers:
        return fail(c, REASON_ARRAYS, CLASS_WAVEFORM, e.waves.n, e.n_digitizers)
    if e.use_aux and e.aux.n != e.n_digitizers:
        return fail(c, REASON_ARRAYS, CLASS_WAVEFORM, e.aux.n, e.n_digitizers)
    for i in range(e.n_digitizers):
        channel = e.digitizers[i].channel
        if e.waves.items[i].there and <uint32_t>e.waves.items[i].channel != channel:
            return fail(c, REASON_IDS, CLASS_WAVEFORM, e.waves.items[i].channel, channel)
        if (
            e.use_aux and e.aux.items[i].there
            and <uint32_t>e.aux.items[i].channel != channel
        ):
            return fail(c, REASON_IDS, CLASS_WAVEFORM, e.aux.items[i].channel, channel)
    return True


cdef bint read_entry(
    const uint8_t* data, int64_t n, Entry* e, Trouble* trouble
) noexcept nogil:
    """Read an entry (format 4.1); False and `trouble` if it is damaged."""
    cdef Cursor c
    cdef const uint8_t* p
    cdef int64_t outer
    memset(trouble, 0, sizeof(Trouble))
    trouble.channel = -1
    c.data = data
    c.at = 0
    c.end = n
    c.trouble = trouble
    if n < 10 or data[0] != 8 or memcmp(data + 1, NAMES[<int>CLASS_EVENT], 9) != 0:
        return fail(&c, REASON_NO_EVENT, CLASS_EVENT)
    c.at = 10
    if not (open_object(&c, CLASS_EVENT, &outer) and skip_data_object(&c)):
        return False
    p = claim_next(&c, MGDO_EVENT_BYTES, CLASS_EVENT)
    if p == NULL:
        return False
    e.event_type = mgdo_event_get_event_type(p)
    e.total = mgdo_event_get_total(p)
    e.time = mgdo_event_get_time(p)
    c.at += MGDO_EVENT_BYTES
    return (
        read_waves(&c, &e.waves) and read_digitizers(&c, e) and read_active(&c, e)
        and read_flag(&c, CLASS_EVENT, &e.use_aux) and read_waves(&c, &e.aux)
        and skip(&c, MGDO_EVENT_END_BYTES, CLASS_EVENT)
        and close_object(&c, CLASS_EVENT, outer)
        and close_entry(&c, n)
        and (not e.known or check_rows(&c, e))
    )


cdef bint close_entry(Cursor* c, int64_t n) noexcept nogil:
    """Check that the entry ends with the event."""
    if c.at != n:
        return fail(c, REASON_END, CLASS_EVENT, c.at, n)
    return True


cdef void free_entry(Entry* e) noexcept nogil:
    free(e.waves.items)
    free(e.aux.items)
    free(e.digitizers)

"""Find CoMPASS records, and the next record after damage.

Records have no marks and no checksums. Evidence of a record: its board and channel had
records of the same number of samples before, and another record begins at its end.
Sections are those of the CoMPASS format.
"""

from libc.math cimport NAN, fabs, isnan


cdef uint64_t LATEST = <uint64_t>1 << 62        # plausible, in ps (3)
cdef uint64_t FAR = <uint64_t>1 << 54           # 5 h: neighbours are nearer


cdef void set_layout(
    CompassHeadLayout* l, int version, bint energy, bint calibrated, bint short_energy,
    bint waveforms,
) noexcept nogil:
    """Compute the offsets of the fields of a record (2).

    `version` is 2, 1, or 0 for the oldest files; `waveforms` matters only for 2.
    """
    place_compass_head(
        l, energy, calibrated, short_energy, version == 0,
        version == 2 and waveforms, version < 2 or waveforms,
    )


cdef bint is_header(const uint8_t* word, CompassHeadLayout* l) noexcept nogil:
    """Whether a word is a file header; if so, set its layout (format 1.1)."""
    if compass_header_get_mark(word) != COMPASS_HEADER_MARK:
        return False
    set_layout(
        l, 2, compass_header_get_energy(word), compass_header_get_calibrated(word),
        compass_header_get_short_energy(word), compass_header_get_waveforms(word),
    )
    return True


cdef inline void read_head(
    const uint8_t* p, const CompassHeadLayout* l, Record* r
) noexcept nogil:
    """Read the claimed head of a record (2)."""
    r.board = compass_head_get_board(p)
    r.channel = compass_head_get_channel(p)
    r.time = compass_head_get_timestamp(p)
    r.energy = 0
    r.calibrated = NAN
    r.short_energy = 0
    r.code = 0
    r.n_samples = 0
    if l.energy >= 0:
        r.energy = compass_head_get_energy(p, l)
    if l.calibrated >= 0:
        r.calibrated = compass_head_get_calibrated(p, l)
    if l.short_energy >= 0:
        r.short_energy = compass_head_get_short_energy(p, l)
    if l.flags >= 0:
        r.flags = compass_head_get_flags(p, l)
    else:
        r.flags = compass_head_get_short_flags(p, l)
    if l.code >= 0:
        r.code = compass_head_get_code(p, l)
    if l.n_samples >= 0:
        r.n_samples = compass_head_get_n_samples(p, l)


cdef Found record_at(
    View* v, int64_t at, Record* r, Reason* reason
) noexcept nogil:
    """Read the head of the record at `at`; FOUND_NO if its fields are impossible.

    Its samples may be outside the window.
    """
    cdef int i
    cdef uint8_t any = 0
    cdef const uint8_t* head = claim(v.window, at, v.layout.size)
    if head == NULL:
        if ends_before(v.window, at + v.layout.size):
            reason[0] = REASON_PAST_END
            return FOUND_NO
        v.need = at + v.layout.size
        return FOUND_MORE
    read_head(head, v.layout, r)
    r.start = at
    r.end = at + v.layout.size + 2 * r.n_samples
    reason[0] = REASON_NONE
    if is_header_word(r.board) and not v.like_headers:
        reason[0] = REASON_BOARD
    elif r.channel >= N_PLAUSIBLE_CHANNELS:
        reason[0] = REASON_CHANNEL
    elif r.n_samples > MAX_SAMPLES:
        reason[0] = REASON_SAMPLES
    elif r.time == 0:
        for i in range(v.layout.size):
            any |= head[i]
        if any == 0:
            reason[0] = REASON_ZEROS
    return FOUND_YES if reason[0] == REASON_NONE else FOUND_NO


cdef inline const Channel* channel_of(
    const Known* known, const Record* r
) noexcept nogil:
    cdef int64_t page
    cdef int32_t i
    if r.board < N_USUAL_BOARDS:
        i = known.index[r.board << 8 | r.channel]
    else:
        page = known.page[r.board]
        if page < 0:
            return NULL
        i = known.pages[page * N_PLAUSIBLE_CHANNELS + r.channel]
    return NULL if i < 0 else &known.channels[i]


cdef inline int64_t samples_of(const Known* known, const Channel* c) noexcept nogil:
    """Return the number of samples of a channel's waveforms."""
    return c.n_samples if c.file >= known.layout_since else UNKNOWN_LENGTH


cdef inline bint is_known(const View* v, const Record* r) noexcept nogil:
    """Whether all records of the channel had this number of samples."""
    cdef const Channel* c = channel_of(v.known, r)
    return c != NULL and samples_of(v.known, c) == r.n_samples


cdef inline bint looks_right(const CompassHeadLayout* l, const Record* r) noexcept nogil:
    """Whether the unconstrained fields have usual values (3)."""
    return (
        r.flags & ~<uint32_t>KNOWN_FLAGS == 0 and r.time < LATEST
        and (l.code < 0 or 0 < r.code < 16)
    )


cdef inline bint is_near(const Record* a, const Record* b) noexcept nogil:
    """Whether two times are near; they need not increase (format 2.3)."""
    return (a.time - b.time if a.time > b.time else b.time - a.time) < FAR


cdef inline bint is_conclusive(const View* v, const Record* r) noexcept nogil:
    """Whether channel and number of samples identify a record."""
    return r.n_samples > 0 and is_known(v, r)


cdef inline Found record_or_header(
    View* v, int64_t at, Record* r, Reason* reason, CompassHeadLayout* l
) noexcept nogil:
    """Read the record at `at`; FOUND_NO with REASON_NONE if a joined file begins there.

    `l` becomes the layout of that file.
    """
    cdef const uint8_t* word
    cdef Found found = record_at(v, at, r, reason)
    if found == FOUND_YES and not v.like_headers or found == FOUND_MORE:
        return found
    word = claim(v.window, at, COMPASS_HEADER_BYTES)
    if word == NULL or compass_header_get_mark(word) != COMPASS_HEADER_MARK:
        return found
    return header_or_record(v, at, r, reason, l)


cdef Found header_or_record(
    View* v, int64_t at, Record* r, Reason* reason, CompassHeadLayout* l
) noexcept nogil:
    """Do the same for a word that may be a header or a board number."""
    cdef Found found, joined
    v.like_headers = True
    found = record_at(v, at, r, reason)
    v.like_headers = v.known.like_headers
    if found == FOUND_YES and is_conclusive(v, r):
        return found
    joined = joined_at(v, at, l)
    if joined == FOUND_NO:
        return found
    reason[0] = REASON_NONE
    return FOUND_MORE if joined == FOUND_MORE else FOUND_NO


cdef Found follows(View* v, const Record* before) noexcept nogil:
    """Whether a record, or the end of the data, follows `before`."""
    cdef int64_t at = before.end
    cdef CompassHeadLayout l
    cdef Record r, s
    cdef Reason reason
    cdef Found found
    if ends_before(v.window, at + v.layout.size):
        return FOUND_YES if at <= v.window.end else FOUND_NO
    found = record_or_header(v, at, &r, &reason, &l)
    if found == FOUND_NO:
        return FOUND_YES if reason == REASON_NONE else FOUND_NO
    if found != FOUND_YES:
        return found
    if r.n_samples and (r.n_samples == before.n_samples or is_known(v, &r)):
        return FOUND_YES
    if not looks_right(v.layout, &r):
        return FOUND_NO
    if is_known(v, &r) and is_near(before, &r):
        return FOUND_YES
    # a new channel, or a new length: check the next record, too
    if ends_before(v.window, r.end + v.layout.size):
        return FOUND_YES if r.end <= v.window.end else FOUND_NO
    found = record_or_header(v, r.end, &s, &reason, &l)
    if found == FOUND_NO:
        return FOUND_YES if reason == REASON_NONE else FOUND_NO
    if found != FOUND_YES:
        return found
    return FOUND_YES if is_known(v, &s) or looks_right(v.layout, &s) else FOUND_NO


cdef Found has_believable_board(View* v, const Record* r) noexcept nogil:
    """Whether to accept a board number.

    A high number needs another high number nearby: a single one among many usual
    numbers counts as damage.
    """
    cdef CompassHeadLayout l
    cdef Record s
    cdef Reason reason
    cdef Found found
    cdef int64_t at = r.end
    cdef int n = 0
    if r.board < N_USUAL_BOARDS or v.wide or v.known.page[r.board] >= 0:
        return FOUND_YES
    while n < NEAR_RECORDS and at - r.start < NEAR_BYTES:
        found = record_or_header(v, at, &s, &reason, &l)
        if found == FOUND_MORE:
            return found
        if found == FOUND_NO:
            break
        if s.board >= N_USUAL_BOARDS:
            return FOUND_YES
        at = s.end
        n += 1
    return FOUND_YES if v.n_before + n < FEW_RECORDS else FOUND_NO


cdef Found accept(View* v, const Record* r, Reason* reason) noexcept nogil:
    """Whether to accept a record directly behind another one.

    A record of a known channel with its usual number of samples is accepted. A record
    of a new channel or length must be followed by another record. Another number of
    samples in the same file is evidence against it.
    """
    cdef Found found
    cdef Record other
    cdef int64_t where
    cdef const Channel* c = channel_of(v.known, r)
    cdef int64_t n_samples = UNKNOWN_LENGTH
    if c != NULL and c.file == v.known.file:
        n_samples = c.n_samples
    if is_known(v, r):
        return FOUND_YES
    if c == NULL and v.known.n >= MAX_CHANNELS:
        reason[0] = REASON_CHANNELS
        return FOUND_NO
    found = has_believable_board(v, r)
    if found != FOUND_YES:
        reason[0] = REASON_BOARD
        return found
    reason[0] = REASON_ALONE
    if r.n_samples == 0 and not looks_right(v.layout, r):
        return FOUND_NO
    if n_samples > 0:
        # is the number of samples damaged?
        found = record_at(v, r.start + v.layout.size + 2 * n_samples, &other, reason)
        if found == FOUND_MORE:
            return found
        if found == FOUND_YES and is_conclusive(v, &other):
            reason[0] = REASON_SAMPLES
            return FOUND_NO
        reason[0] = REASON_ALONE
    found = follows(v, r)
    if found == FOUND_YES and n_samples >= 0:
        # the match may be chance: search for records before it
        found = search(v, r.start + v.layout.size, r.end, &where)
        if found == FOUND_MORE:
            return found
        reason[0] = REASON_SAMPLES
        return FOUND_NO if found == FOUND_YES else FOUND_YES
    if found != FOUND_NO or not looks_right(v.layout, r):
        return found
    if n_samples != UNKNOWN_LENGTH:
        return found
    if v.known.n and r.n_samples > v.known.most_samples:
        return FOUND_NO
    # damage may follow
    found = search(v, r.start + 1, r.end, &where)
    if found == FOUND_MORE:
        return found
    return FOUND_NO if found == FOUND_YES else FOUND_YES


cdef Found joined_at(View* v, int64_t at, CompassHeadLayout* l) noexcept nogil:
    """Whether a joined file begins at the end of a record (10).

    `l` becomes its layout. Boards do not have such numbers, so one record behind the
    header suffices.
    """
    cdef View g = v[0]
    cdef CompassHeadLayout other
    cdef const uint8_t* word = claim(v.window, at, COMPASS_HEADER_BYTES)
    cdef int64_t first = at + COMPASS_HEADER_BYTES
    cdef Record r
    cdef Reason reason
    cdef Found found
    if word == NULL:
        if v.window.end >= 0:
            return FOUND_NO
        v.need = first
        return FOUND_MORE
    if not is_header(word, l):
        return FOUND_NO
    if v.window.end == first:
        return FOUND_YES
    # or a file without records
    word = claim(v.window, first, COMPASS_HEADER_BYTES)
    if word != NULL and is_header(word, &other):
        return FOUND_YES
    g.layout = l
    g.like_headers = v.known.like_headers
    found = record_at(&g, first, &r, &reason)
    v.need = g.need
    if found != FOUND_YES:
        return found
    if not looks_right(l, &r) or ends_before(v.window, r.end):
        return FOUND_NO
    return FOUND_YES


cdef Found found_header(View* v, int64_t at) noexcept nogil:
    """Whether a joined file begins at `at`, at any byte after damage."""
    cdef View g = v[0]
    cdef CompassHeadLayout l
    cdef Found found
    cdef const uint8_t* word = claim(v.window, at, COMPASS_HEADER_BYTES)
    if word == NULL or not is_header(word, &l):
        return FOUND_NO
    g.layout = &l
    found = chain_at(&g, at + COMPASS_HEADER_BYTES)
    v.need = g.need
    return found


cdef Found find_inside(View* v, const Record* r, int64_t* where) noexcept nogil:
    """Search inside an accepted record for the next one: bytes may be missing."""
    cdef Found found = follows(v, r)
    if found == FOUND_MORE:
        return found
    if found == FOUND_YES:
        return FOUND_NO
    where[0] = r.start
    while True:
        found = search(v, where[0] + 1, r.end, where)
        if found != FOUND_YES or is_better(v, where[0], r):
            return found


cdef bint is_better(View* v, int64_t at, const Record* r) noexcept nogil:
    """Whether to prefer the record at `at` to the record `r` around it.

    The channel of `r` is known. For records without samples the times decide: most of
    them increase.
    """
    cdef Record other, next
    cdef Reason reason
    cdef int for_it, against
    if record_at(v, at, &other, &reason) != FOUND_YES:
        # the header of a joined file
        return True
    if channel_of(v.known, &other) == NULL:
        return False
    if r.n_samples or not looks_right(v.layout, r):
        return True
    for_it = other.time >= v.last_time
    against = r.time >= v.last_time
    if record_at(v, other.end, &next, &reason) == FOUND_YES:
        for_it += other.time <= next.time
        against += r.time <= next.time
    return for_it >= against


cdef Found chain_at(View* v, int64_t at) noexcept nogil:
    """Whether a sequence of records begins at `at`, after damage."""
    cdef CompassHeadLayout l
    cdef Record r, s
    cdef Reason reason
    cdef Found found
    cdef bint at_end
    cdef int length = 1
    cdef int wanted = CHAIN
    found = record_at(v, at, &r, &reason)
    if found != FOUND_YES:
        return found
    if ends_before(v.window, r.end):
        return FOUND_NO
    if is_conclusive(v, &r):
        return FOUND_YES
    if not looks_right(v.layout, &r):
        return FOUND_NO
    while True:
        if v.known.n and r.n_samples == 0 and not is_known(v, &r):
            wanted = NEW_CHAIN
        if length == wanted:
            return FOUND_YES
        at_end = v.window.end >= 0 and r.end == v.window.end
        if not at_end:
            found = record_or_header(v, r.end, &s, &reason, &l)
            if found == FOUND_NO:
                # or the end of this file, and the start of a joined one
                if reason != REASON_NONE:
                    return found
                at_end = True
        if at_end:
            # a record that ends with the data is further evidence
            if length >= CHAIN or channel_of(v.known, &r) != NULL:
                return FOUND_YES
            return FOUND_NO
        if found != FOUND_YES:
            return found
        if ends_before(v.window, s.end):
            return FOUND_NO
        if is_conclusive(v, &s):
            return FOUND_YES
        if not looks_right(v.layout, &s) or not is_near(&r, &s):
            return FOUND_NO
        if length == 1 and s.n_samples == 0 and is_known(v, &s) and not is_known(v, &r):
            # begin with the known channel
            return FOUND_NO
        r = s
        length += 1


cdef Found search(View* v, int64_t low, int64_t high, int64_t* where) noexcept nogil:
    """Search for records at every byte from `low` to `high`.

    `where` becomes their start, or the end of the searched bytes.
    """
    cdef int64_t at
    cdef const uint8_t* p
    cdef Found found
    where[0] = low
    for at in range(low, min(high, v.window.n - 3)):
        p = v.window.data + at
        found = FOUND_NO
        if compass_header_get_mark(p) == COMPASS_HEADER_MARK:
            found = found_header(v, at)
        if found == FOUND_NO and compass_head_get_channel(p) < N_PLAUSIBLE_CHANNELS:
            found = chain_at(v, at)
        if found != FOUND_NO:
            where[0] = at
            return found
    where[0] = max(low, min(high, v.window.n - 3))
    if where[0] < high and v.window.n != v.window.end:
        v.need = v.window.n + 1
        return FOUND_MORE
    return FOUND_NO


# ---- files without a header --------------------------------------------------------

ENDS = ("bad", "cut", "end", "limit")

cdef enum:
    END_BAD
    END_CUT
    END_END
    END_LIMIT

cdef struct Walk:
    int n_records
    int score
    bint same
    int end
    int64_t at


cdef Walk walk_from(View* v, int64_t at, int limit, bint at_end) noexcept nogil:
    """Follow records as long as they are plausible (3)."""
    cdef Walk w
    cdef Record r
    cdef Reason reason
    cdef int64_t first = -1
    cdef double x
    w.n_records = w.score = 0
    w.same = True
    w.at = at
    while w.n_records < limit:
        if at == v.window.n:
            w.end = END_END if at_end else END_CUT
            return w
        if record_at(v, at, &r, &reason) != FOUND_YES:
            w.end = END_CUT if reason == REASON_PAST_END else END_BAD
            return w
        x = fabs(r.calibrated)
        if (
            r.board >= N_USUAL_BOARDS and not v.wide
            or r.time >= LATEST or r.flags >> 24 or r.code > 15
            or v.layout.calibrated >= 0 and (isnan(x) or x > 1e12 or 0 < x < 1e-12)
        ):
            w.end = END_BAD
            return w
        if r.end > v.window.n:
            w.end = END_CUT
            return w
        w.n_records += 1
        w.score += 1 if looks_right(v.layout, &r) else -1
        if first < 0:
            first = r.n_samples
        w.same = w.same and r.n_samples == first
        w.at = at = r.end
    w.end = END_LIMIT
    return w


cdef View head_of(const Window* w, const CompassHeadLayout* layout, bint wide):
    """Return the view of the start of an unknown file."""
    return View(
        window=w, need=0, last_time=0, n_before=0, wide=wide, like_headers=wide,
        layout=layout, known=NULL,
    )


def walk(
    const uint8_t[::1] data, int version, bint energy, bint calibrated,
    bint short_energy, bint waveforms, int limit, bint at_end, bint wide=True,
):
    """Follow records as long as they are plausible (3).

    Parameters
    ----------
    data
        start of a file without a header.
    version, energy, calibrated, short_energy, waveforms
        the layout to try.
    limit
        largest number of records.
    at_end
        whether `data` are the whole file.
    wide
        whether to accept any board number, or only usual ones.

    Returns
    -------
    n_records, score
        number of records; of usual records minus unusual ones.
    same_length
        whether all records have the same number of samples.
    end
        why it stopped, one of `ENDS`: implausible bytes, a record that is cut off,
        the end of the file, `limit`.
    n_bytes
        length of the records.
    """
    cdef CompassHeadLayout layout
    set_layout(&layout, version, energy, calibrated, short_energy, waveforms)
    cdef Window window = window_on(data, True)
    cdef View v = head_of(&window, &layout, wide)
    cdef Walk w = walk_from(&v, 0, limit, at_end)
    return w.n_records, w.score, w.same, ENDS[w.end], w.at


def count_in_chains(
    const uint8_t[::1] data, int version, bint energy, bint calibrated,
    bint short_energy, bint waveforms, int length, bint wide=True,
):
    """Count the records in sequences of `length` usual records, at any byte.

    Parameters
    ----------
    data, version, energy, calibrated, short_energy, waveforms
        see `walk`.
    length
        number of consecutive records.
    wide
        see `walk`.
    """
    cdef CompassHeadLayout layout
    cdef const uint8_t* p
    cdef Walk w
    cdef int64_t at = 0
    cdef int64_t n = 0
    set_layout(&layout, version, energy, calibrated, short_energy, waveforms)
    cdef Window window = window_on(data, True)
    cdef View v = head_of(&window, &layout, wide)
    with nogil:
        while window.n - at >= length * layout.size:
            p = window.data + at
            if compass_head_get_channel(p) < N_PLAUSIBLE_CHANNELS and (
                wide or compass_head_get_board(p) < N_USUAL_BOARDS
            ):
                w = walk_from(&v, at, length, False)
                if w.score == length:
                    n += length
                    at = w.at
                    continue
            at += 1
    return n

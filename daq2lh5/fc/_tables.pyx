"""State of an FCIO stream, and the buffers of its rows.

:class:`FcioTables` assigns rows to buffers, checks that all rows of a record fit before
the first is written, and writes them. The derived class,
:class:`~daq2lh5.fc._kernel.FcioKernel`, finds and checks the records.

The sections named are those of the FCIO specification.
"""

from types import SimpleNamespace

import numpy as np

from ._rows import TABLES

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from .._core.bytes cimport load_i32, load_u16
from .._core.kernel cimport *
from .._core.sink cimport RowSink, SinkTable
from ._dead_time cimport DeadTime, free_dead_time, reset_dead_time
from ._framing cimport Record
from ._rows cimport *
from ._state cimport *
from ._wire cimport FCIO_CARD_BYTES, FCIO_CARD_N_LINKSTATES
from .layout cimport *


cdef class FcioTables(Kernel):
    """State of one FCIO stream, and the buffers of its rows.

    Attributes
    ----------
    has_fsp
        whether an FSP record, `fsp_record`, describes the record at hand.
    asks_for_cards
        whether to stop at the first status of a card without a buffer, `detail_card`.
    """

    def __cinit__(self, int32_t listener=-1):
        self.s = <State*>calloc(1, sizeof(State))
        self.fsp_record = <Record*>calloc(1, sizeof(Record))
        if self.s == NULL or self.fsp_record == NULL:
            raise MemoryError
        self.tables = new_tables()
        self.event_keys = []
        # 0 is the first configuration
        self.packet_id = -1
        self.limits.listener = listener
        self.unmap_all()
        reset_dead_time(&self.s.dead_time)

    def __dealloc__(self):
        if self.s != NULL:
            free_dead_time(&self.s.dead_time)
        free(self.s)
        free(self.fsp_record)

    # ---- assignment of rows to buffers ---------------------------------------------

    cdef void unmap_all(self) noexcept:
        cdef int i
        for i in range(MAX_TRACES):
            self.event_sink[i] = -1
        self.header_sink = -1
        self.fsp_event_sink = -1
        self.fsp_header_sink = -1
        self.fsp_status_sink = -1
        self.status_wanted = False
        for i in range(MAX_REQUEST_IDS):
            self.status_sinks[i] = -1

    def set_buffers(self, keyed):
        """Assign buffers to tables and keys.

        Parameters
        ----------
        keyed
            by table name (``"FCEvent"``, ...): a dictionary of `RawBuffer` by key,
            or a single `RawBuffer` for all keys, or None. The one with the key None
            takes the status of all other cards.
        """
        cdef int i, t
        cdef SinkTable table
        self.keyed = keyed
        self.unmap_all()
        memset(self.card_told, 0, sizeof(self.card_told))
        keys = self.keys()
        self.event_keys = keys["FCEvent"]
        maps = []
        for t, name in enumerate(TABLES):
            wanted = keyed.get(name)
            if wanted is None:
                wanted = {}
            elif not hasattr(wanted, "get"):
                wanted = dict.fromkeys(keys[name], wanted)
            # cards that only an earlier configuration had may still report
            if name != "FCStatus":
                wanted = {key: wanted.get(key) for key in keys[name]}
            table = self.tables[t]
            maps.append(table.set_keyed(wanted))

        events, headers, status, fsp_event, fsp_status = maps
        for i, key in enumerate(keys["FCEvent"]):
            self.event_sink[i] = events.get(key, -1)
        self.header_sink = headers.get(keys["FCEventHeader"][0], -1)
        self.fsp_event_sink = fsp_event.get(keys["FSPEvent"][0], -1)
        self.fsp_header_sink = fsp_event.get(keys["FSPEvent"][1], -1)
        self.fsp_status_sink = fsp_status.get(keys["FSPStatus"][0], -1)
        prefix = f"fcid_{self.s.config.streamid & 0xFFFF}/status/card"
        if None in status:
            # for cards outside the configuration
            self.status_wanted = True
            for i in range(MAX_REQUEST_IDS):
                self.status_sinks[i] = status[None]
        for key, sink in status.items():
            number = str(key).removeprefix(prefix)
            if number.isdecimal() and int(number) < MAX_REQUEST_IDS:
                self.status_sinks[int(number)] = sink
                self.status_wanted = True

    def set_card(self, int card, buffer):
        """Set the buffer for the status of one more card, between `end` and `begin`."""
        cdef SinkTable table = self.tables[INTO_STATUS]
        cdef int16_t i
        if not 0 <= card < MAX_REQUEST_IDS:
            raise ValueError(f"card id must be below {MAX_REQUEST_IDS}, got {card}")
        buffers = list(table.buffers)
        for i, other in enumerate(buffers):
            if other is buffer:
                break
        else:
            i = len(buffers)
            table.set_buffers([*buffers, buffer])
        self.status_sinks[card] = i
        self.status_wanted = True

    def card_ids(self):
        """Return the request ids of the cards that the configuration names (5)."""
        cdef Config* c = &self.s.config
        masters = min(max(c.mastercards, 0), MAX_CARDS)
        triggers = min(max(c.triggercards, 0), MAX_CARDS)
        adcs = min(max(c.adccards, 0), MAX_CARDS)
        ids = [0x4000 + i - 1 if i else 0 for i in range(masters)]
        ids += [0x1000 + i for i in range(triggers)]
        ids += [0x2000 + i for i in range(adcs)]
        return ids[:MAX_CARDS]

    def keys(self):
        """Return the keys that each table's rows can have, by table name (5)."""
        cdef Config* c = &self.s.config
        cdef int i
        fcid = c.streamid & 0xFFFF
        events = []
        for i in range(self.limits.n_traces):
            word = c.tracemap[i]
            events.append(fcid * 1000000 + (word >> 16) * 100 + (word & 0xFFFF))
        return {
            "FCConfig": [f"fcid_{fcid}/config"],
            "FCEvent": events,
            "FCEventHeader": [f"fcid_{fcid}/evt_hdr"],
            "FCStatus": [f"fcid_{fcid}/status/card{i}" for i in self.card_ids()],
            "FSPConfig": [f"swtid_{fcid}/config"],
            "FSPEvent": [f"swtid_{fcid}/event", f"swtid_{fcid}/evt_hdr"],
            "FSPStatus": [f"swtid_{fcid}/status"],
        }

    cdef int check_sinks(self, int table, int64_t first, int64_t stop) except -1:
        cdef int64_t i
        for i in range(first, stop if table == INTO_EVENT else first):
            self.check_width(&self.sinks[table][i])
        return 0

    cdef int check_width(self, RowSink* sink) except -1:
        """Check that the configuration's samples fit a row."""
        cdef Py_ssize_t width
        if sink.capacity == 0:
            return 0
        width = waveform_width(sink.columns)
        if width >= 0 and width != self.s.config.samples:
            raise ValueError(
                f"the buffer's waveforms have {width} samples, but traces of the "
                f"stream have {self.s.config.samples}"
            )
        return 0

    # ---- room in the buffers -------------------------------------------------------

    cdef Status make_room(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Check that every buffer has room for its rows of the record."""
        cdef Status status = STATUS_NEXT
        cdef RowSink* sink
        cdef int64_t most
        cdef int fsp_sink
        cdef Record* f = self.fsp_record
        if r.tag == TAG_STATUS:
            status = self.room_for_status(data, r)
        elif r.tag == TAG_EVENT_HEADER:
            if self.header_sink >= 0:
                status = self.room_for(INTO_EVENT_HEADER, self.header_sink, 1)
                sink = &self.sinks[INTO_EVENT_HEADER][self.header_sink]
                if status == STATUS_NEXT and not vectors_fit(
                    INTO_EVENT_HEADER, sink.columns, sink.loc, r.n_traces
                ):
                    return self.lack(
                        STATUS_GROW, INTO_EVENT_HEADER, self.header_sink, r.n_traces
                    )
        else:
            status = self.room_for_event(data, r)
        if status != STATUS_NEXT or not self.has_fsp:
            return status
        if f.tag == TAG_FSP_STATUS and self.fsp_status_sink >= 0:
            return self.room_for(INTO_FSP_STATUS, self.fsp_status_sink, 1)
        fsp_sink = self.fsp_sink_of(r.tag)
        if f.tag == TAG_FSP_EVENT and fsp_sink >= 0:
            status = self.room_for(INTO_FSP_EVENT, fsp_sink, 1)
            if status != STATUS_NEXT:
                return status
            most = f.frames[5].length // 4
            most = max(most, f.frames[6].length // 2)
            if f.n_frames > 10:
                most = max(most, f.frames[10].length // 2)
            most = min(most, MAX_TRACES)
            sink = &self.sinks[INTO_FSP_EVENT][fsp_sink]
            if not vectors_fit(INTO_FSP_EVENT, sink.columns, sink.loc, most):
                return self.lack(STATUS_GROW, INTO_FSP_EVENT, fsp_sink, most)
        return STATUS_NEXT

    cdef int fsp_sink_of(self, int32_t tag) noexcept nogil:
        """Return the sink of the FSPEvent of an event record (5)."""
        return self.fsp_header_sink if tag == TAG_EVENT_HEADER else self.fsp_event_sink

    cdef int trace_at(
        self, const uint8_t* data, const Record* r, int i
    ) noexcept nogil:
        """Return the index of the `i`-th trace of an event before `apply_event`."""
        if r.tag == TAG_SPARSE_EVENT:
            return load_u16(data + r.frames[6].start + 2 * i)
        # a full event keeps the order of the record before, if it had all traces too
        if self.s.event.n_traces == r.n_traces:
            return self.s.event.traces[i]
        return i

    cdef Status room_for_event(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil:
        cdef RowSink* sinks = self.sinks[INTO_EVENT]
        cdef Status status = STATUS_NEXT
        cdef int i, sink
        for i in range(r.n_traces):
            sink = self.event_sink[self.trace_at(data, r, i)]
            if sink >= 0:
                sinks[sink].need += 1
        for i in range(r.n_traces):
            sink = self.event_sink[self.trace_at(data, r, i)]
            if sink >= 0 and sinks[sink].need:
                if status == STATUS_NEXT:
                    status = self.room_for(INTO_EVENT, sink, sinks[sink].need)
                sinks[sink].need = 0
        return status

    cdef int n_cards_used(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Return the number of cards with a block, in the configuration or not."""
        return <int>max(0, min(r.n_frames - 4, load_i32(data + r.frames[2].start)))

    cdef Status room_for_status(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil:
        cdef RowSink* sinks = self.sinks[INTO_STATUS]
        cdef Status status = STATUS_NEXT
        cdef int i, sink, card
        cdef int n_cards = self.n_cards_used(data, r)
        if self.asks_for_cards:
            for i in range(n_cards):
                card = card_id(data, r, i)
                if self.status_sinks[card] < 0 and not self.card_told[card]:
                    self.card_told[card] = True
                    self.detail_card = card
                    return STATUS_KEY
        for i in range(n_cards):
            sink = self.status_sinks[card_id(data, r, i)]
            if sink >= 0:
                sinks[sink].need += 1
        for i in range(n_cards):
            sink = self.status_sinks[card_id(data, r, i)]
            if sink < 0 or not sinks[sink].need:
                continue
            if status == STATUS_NEXT:
                status = self.room_for(INTO_STATUS, sink, sinks[sink].need)
                if status == STATUS_NEXT and not vectors_fit(
                    INTO_STATUS, sinks[sink].columns, sinks[sink].loc,
                    FCIO_CARD_N_LINKSTATES * sinks[sink].need,
                ):
                    status = self.lack(
                        STATUS_GROW, INTO_STATUS, sink,
                        FCIO_CARD_N_LINKSTATES * sinks[sink].need,
                    )
            sinks[sink].need = 0
        return status

    # ---- rows ----------------------------------------------------------------------

    cdef int64_t write_event(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Write a row for each selected trace of an Event or SparseEvent."""
        cdef const uint8_t* trace
        cdef int i, t, index
        cdef int64_t n = 0
        cdef RowSink* sink
        for i in range(r.n_traces):
            t = self.s.event.traces[i]
            index = self.event_sink[t]
            if index < 0:
                self.skipped_traces[t] += 1
                continue
            if r.tag == TAG_EVENT:
                trace = data + r.frames[4].start + t * self.limits.trace_bytes
            else:
                trace = data + r.frames[7 + i].start
            sink = &self.sinks[INTO_EVENT][index]
            write_trace(sink.columns, sink.loc, self.s, self.packet_id, t, trace)
            n += 1
            self.row_done(sink)
            if self.rows_left == 0:
                break
        return n

    cdef int64_t write_event_header(
        self, const uint8_t* data, const Record* r
    ) noexcept nogil:
        """Write the row of an EventHeader, if it is selected."""
        cdef RowSink* sink
        if self.header_sink < 0:
            return 0
        sink = &self.sinks[INTO_EVENT_HEADER][self.header_sink]
        write_header(
            sink.columns, sink.loc, self.s, self.packet_id, data + r.frames[6].start
        )
        self.row_done(sink)
        return 1

    cdef int64_t write_status(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Write a row for each card of a Status record (FCIO format, 6.3)."""
        cdef int card, index
        cdef int64_t n = 0
        cdef RowSink* sink
        for card in range(self.n_cards_used(data, r)):
            index = self.status_sinks[card_id(data, r, card)]
            if index < 0:
                continue
            if r.frames[4 + card].length < FCIO_CARD_BYTES:
                self.irregular_count[IRREGULAR_STATUS_BLOCK] += 1
            sink = &self.sinks[INTO_STATUS][index]
            write_card(sink.columns, sink.loc, self.s, self.packet_id, data, r, card)
            n += 1
            self.row_done(sink)
            if self.rows_left == 0:
                break
        return n

    cdef int64_t write_fsp(self, const uint8_t* data, const Record* r) noexcept nogil:
        """Write the row of the FSP record that describes `r` (format 6.5, 6.6)."""
        cdef int index
        cdef RowSink* sink
        if not self.s.fsp_configured:
            self.n_lone_fsp += 1
            return 0
        if self.rows_left == 0:
            return 0
        if self.fsp_record.tag == TAG_FSP_STATUS and r.tag == TAG_STATUS:
            if self.fsp_status_sink < 0:
                return 0
            sink = &self.sinks[INTO_FSP_STATUS][self.fsp_status_sink]
            write_fsp_status(
                sink.columns, sink.loc, self.packet_id, data, self.fsp_record
            )
        elif self.fsp_record.tag == TAG_FSP_EVENT and r.tag != TAG_STATUS:
            index = self.fsp_sink_of(r.tag)
            if index < 0:
                return 0
            sink = &self.sinks[INTO_FSP_EVENT][index]
            write_fsp_event(
                sink.columns, sink.loc, self.s, self.packet_id, data, self.fsp_record
            )
        else:
            self.n_lone_fsp += self.fsp_record.tag != TAG_FSP_CONFIG
            return 0
        self.row_done(sink)
        return 1

    # ---- times ---------------------------------------------------------------------

    def set_times(
        self, const uint16_t[:] traces, const int64_t[:] run, const int64_t[:] dead,
        const int64_t[:] intervals, int64_t now,
    ):
        """Set the times of the next event; from now on they are not computed.

        For single records: computed times depend on all earlier records.

        Parameters
        ----------
        traces
            the event's traces.
        run, dead, intervals
            run time, dead time, and dead time since the last event, by trace, in ns.
        now
            time of the event in ns.
        """
        cdef DeadTime* d = &self.s.dead_time
        cdef Py_ssize_t i
        cdef Py_ssize_t n = traces.shape[0]
        if run.shape[0] != n or dead.shape[0] != n or intervals.shape[0] != n:
            raise ValueError(
                f"expected times of {n} traces, got run times of {run.shape[0]}, dead "
                f"times of {dead.shape[0]}, intervals of {intervals.shape[0]}"
            )
        d.given = True
        d.now = now
        for i in range(n):
            if traces[i] >= MAX_TRACES:
                raise ValueError(
                    f"trace index must be below {MAX_TRACES}, got {traces[i]}"
                )
            d.enabled[traces[i]] = now - run[i]
            d.dead[traces[i]] = dead[i]
            d.dead_interval[traces[i]] = intervals[i]

    # ---- values for Python -----------------------------------------------------------

    def skipped_channels(self):
        """Return the number of unselected traces by key, since the last call."""
        cdef int i
        counts = {}
        # keys of the configuration that the traces were read with, not of a later one
        keys = self.event_keys
        for i in range(len(keys)):
            if self.skipped_traces[i]:
                counts[keys[i]] = counts.get(keys[i], 0) + self.skipped_traces[i]
                self.skipped_traces[i] = 0
        return counts

    @property
    def tag(self):
        """Tag of the last record."""
        return self.s.tag

    @property
    def configured(self):
        return bool(self.limits.configured)

    @property
    def fsp(self):
        """Whether the stream has had an FSPConfig (it has a stream processor)."""
        return bool(self.s.fsp_configured)

    @property
    def config(self):
        """The configuration in force, or None before the first."""
        cdef Config* c = &self.s.config
        cdef int i
        if not self.limits.configured:
            return None
        period = sampling_period(c)
        return SimpleNamespace(
            adcs=c.adcs, triggers=c.triggers, eventsamples=c.samples,
            blprecision=c.blprecision, sumlength=c.sumlength, adcbits=c.adcbits,
            mastercards=c.mastercards, triggercards=c.triggercards,
            adccards=c.adccards, gps=c.gps, streamid=c.streamid,
            tracemap=np.array(
                [c.tracemap[i] for i in range(self.limits.n_traces)], dtype=np.uint32
            ),
            sampling_period_ns=int(period) if period == period else period,
        )

    @property
    def event(self):
        """Fields of the last event record of any kind."""
        cdef Event* e = &self.s.event
        cdef DeadTime* d = &self.s.dead_time
        cdef int i
        traces = [e.traces[i] for i in range(max(e.n_traces, 0))]
        now = d.now
        return SimpleNamespace(
            type=e.type,
            num_traces=len(traces),
            trace_list=np.array(traces, dtype=np.uint16),
            timeoffset=np.array(e.to, dtype=np.int32),
            timestamp=np.array(e.ts, dtype=np.int32),
            deadregion=np.array(e.dr, dtype=np.int32),
            deadregion_size=e.dr_size,
            card_address=np.array(
                [self.s.config.tracemap[i] >> 16 for i in traces], dtype=np.uint16
            ),
            card_channel=np.array(
                [self.s.config.tracemap[i] & 0xFFFF for i in traces], dtype=np.uint16
            ),
            fpga_time_nsec=now,
            unix_time_utc_nsec=unix_ns(self.s),
            unix_time_utc_sec=unix_ns(self.s) / 1e9,
            run_time_sec=np.array([(now - d.enabled[i]) / 1e9 for i in traces]),
            life_time_sec=np.array(
                [(now - d.enabled[i] - d.dead[i]) / 1e9 for i in traces]
            ),
            dead_time_sec=np.array([d.dead[i] / 1e9 for i in traces]),
            dead_interval_nsec=np.array(
                [d.dead_interval[i] for i in traces], dtype=np.int64
            ),
        )

    @property
    def status(self):
        """Fields of the last status record."""
        cdef int32_t* when = self.s.status_time
        return SimpleNamespace(
            status=self.s.status,
            cards=self.s.n_cards,
            statustime=np.array(self.s.status_time, dtype=np.int32),
            fpga_time_sec=when[0] + 1e-6 * when[1],
            unix_time_utc_sec=when[2] + 1e-6 * when[3],
            fpga_start_time_sec=when[5] + 1e-6 * when[6],
        )

"""Hypothesis strategies for well-formed FCIO streams (FCIO format, 1 to 4)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kit.writers import fcio as writer

I32 = st.integers(-(2**31), 2**31 - 1)
U16 = st.integers(0, 2**16 - 1)
F32 = st.floats(allow_nan=False, width=32)
SMALL = st.integers(0, 5)

ADDRESSES = st.builds(
    lambda card, channel: card << 16 | channel, st.integers(0, 9999), st.integers(0, 5)
)


def u16(n: int) -> st.SearchStrategy[list[int]]:
    return st.lists(U16, min_size=n, max_size=n)


@st.composite
def configs(draw: Any) -> dict[str, Any]:
    adcbits = draw(st.sampled_from([16, 16, 12]))
    adcs = draw(st.integers(0, 5))
    triggers = draw(st.sampled_from([0, 0, 0, 1, 2])) if adcbits == 12 else 0
    n_traces = adcs + triggers
    tracemap = draw(
        st.one_of(
            st.lists(ADDRESSES, min_size=n_traces, max_size=n_traces, unique=True),
            st.lists(ADDRESSES, max_size=n_traces + 2),
            st.none(),
        )
    )
    return {
        "adcs": adcs,
        "triggers": triggers,
        "eventsamples": draw(st.integers(0, 6)),
        "blprecision": draw(st.sampled_from([1, 1, 3, 16])),
        "sumlength": draw(st.sampled_from([1, 4, 7, 128])),
        "adcbits": adcbits,
        "mastercards": draw(st.integers(0, 2)),
        "triggercards": draw(st.integers(0, 1)),
        "adccards": draw(st.integers(0, 3)),
        "gps": draw(st.sampled_from([0, 0, 50_000])),
        "tracemap": tracemap,
        "streamid": draw(st.sampled_from([None, 0, 1, 0x10001, -1])),
    }


def times(draw: Any) -> dict[str, Any]:
    """Frames of 0 to 10 integers; times increase often enough for dead time."""
    pps, ticks = draw(SMALL), draw(st.integers(0, 249_999_999))
    timestamp = [draw(I32), pps, ticks, *draw(st.lists(I32, max_size=7))]
    timeoffset = draw(st.lists(I32, min_size=7, max_size=10))
    return {
        "event_type": draw(st.sampled_from([1, 1, 11, 2, 4])),
        "pulser": draw(F32),
        "timeoffset": timeoffset[: draw(st.integers(0, 10))],
        "timestamp": timestamp[: draw(st.integers(0, 10))],
    }


def dead_region(draw: Any, n_traces: int) -> list[int]:
    """A region inside the stream's traces, in the past or to come."""
    first = draw(st.integers(0, n_traces))
    count = draw(st.sampled_from([n_traces - first, min(1, n_traces - first)]))
    ticks = st.integers(0, 249_999_999)
    start = draw(st.sampled_from([(0, 0), (draw(SMALL), draw(ticks))]))
    region = [*start, draw(SMALL), draw(ticks), draw(I32), first, count, 0, 0, 0]
    return region[: draw(st.integers(0, 10))]


@st.composite
def events(draw: Any, config: dict[str, Any]) -> bytes:
    n_traces = config["adcs"] + config["triggers"]
    length = config["eventsamples"] + 2
    common = times(draw)
    region = dead_region(draw, n_traces)
    common["deadregion"] = region
    kind = draw(st.sampled_from(["event", "sparse", "header"]))
    if kind == "event":
        traces = draw(u16(n_traces * length))
        if draw(st.booleans()):
            return writer.event(traces, **common, drop_frames=1)
        return with_extra_frames(draw, writer.event(traces, **common))
    listed = draw(
        st.lists(st.integers(0, n_traces - 1), max_size=n_traces, unique=True)
        if n_traces
        else st.just([])
    )
    if kind == "sparse":
        traces = [draw(u16(length)) for _ in listed]
        record = writer.sparse_event(listed, traces, **common)
    else:
        record = writer.event_header(listed, draw(u16(2 * len(listed))), **common)
    return with_extra_frames(draw, record)


@st.composite
def status_records(draw: Any, config: dict[str, Any]) -> bytes:
    known = [0, 0x4000, 0x1000, 0x2000, 0x2001, 0x2002, 0x2003, 0x5000]
    cards = [
        writer.StatusCard(
            reqid=draw(st.sampled_from(known)),
            eventno=draw(st.integers(0, 2**32 - 1)),
            pps=draw(st.integers(0, 2**32 - 1)),
            ticks=draw(st.integers(0, 2**32 - 1)),
            numenv=draw(st.sampled_from([0, 13, 15, 16, 17, 2**32 - 1])),
            numctilinks=draw(st.sampled_from([0, 2, 4, 5])),
            numlinks=draw(st.sampled_from([0, 3, 256, 1000])),
            linkerrors=draw(SMALL),
            environment=draw(st.lists(I32, max_size=16)),
            ctilinks=draw(st.lists(SMALL, max_size=4)),
            linkstates=draw(st.lists(SMALL, max_size=20)),
        )
        for _ in range(draw(st.integers(0, 4)))
    ]
    n_times = draw(st.sampled_from([5, 10, 10, 7]))
    record = writer.status(
        cards,
        status=draw(st.sampled_from([0, 1, -1])),
        statustime=[draw(I32) for _ in range(n_times)],
    )
    return with_extra_frames(draw, record)


@st.composite
def fsp_events(draw: Any) -> bytes:
    old = draw(st.booleans())
    bits = {
        name: draw(st.booleans())
        for name in (
            *("is_written", "is_consecutive", "is_extended", "is_hwm_multiplicity"),
            *("is_hwm_prescaled", "is_wps_sum", "is_wps_coincident_sum"),
            *("is_wps_prescaled", "is_ct_multiplicity"),
        )
    }
    return writer.fsp_event(
        write_flags=writer.fsp_write_flags(
            **bits, junk=draw(st.binary(min_size=6))[:6]
        ),
        processor_flags=bytes(24 if old else 32),
        nconsecutive=draw(I32),
        hwm_hw_multiplicity=draw(I32),
        hwm_max_value=draw(U16),
        hwm_sw_multiplicity=None if old else draw(I32),
        wps_sum_value=draw(F32),
        wps_sum_multiplicity=draw(I32),
        ct_trace_idx=draw(st.lists(I32, max_size=4)),
        ct_max=draw(st.lists(U16, max_size=4)),
        sub_event_start=draw(st.lists(I32, max_size=3)),
        hwm_prescaled_trace_idx=None if old else draw(st.lists(U16, max_size=4)),
    )


@st.composite
def fsp_status_records(draw: Any) -> bytes:
    finite = st.floats(allow_nan=False)
    return writer.fsp_status(
        start_time=draw(finite),
        n_read_events=draw(I32),
        dt_rate_read_events=draw(finite),
    )


UNKNOWN_TAGS = st.sampled_from([2, 5, 11, 12, 1000, 999_999_999, writer.MAX_TAG])

PAYLOADS = st.binary(max_size=12)


@st.composite
def unknown_records(draw: Any) -> bytes:
    """A record of another kind, RecEvent and Calib among them."""
    number = draw(UNKNOWN_TAGS)
    if number == writer.TAG_CALIB:
        return writer.calib(adcs=2, eventsamples=3)
    if number == writer.TAG_REC_EVENT:
        return writer.rec_event()
    return writer.record(number, *draw(st.lists(PAYLOADS, max_size=4)))


def with_extra_frames(draw: Any, record: bytes) -> bytes:
    """Frames that a later version may have added (format 1.1)."""
    if draw(st.integers(0, 7)):
        return record
    extra = draw(st.lists(PAYLOADS, min_size=1, max_size=3))
    return record + b"".join(writer.frame(payload) for payload in extra)


@st.composite
def streams(draw: Any) -> bytes:
    """A well-formed stream."""
    has_fsp = draw(st.booleans())
    parts = [writer.handshake(draw(st.sampled_from([b"FlashCamV1", b"FlashCamV1.2"])))]
    if has_fsp:
        parts.append(writer.fsp_config())
    config = draw(configs())
    parts.append(writer.config(**config))
    for _ in range(draw(st.integers(0, 12))):
        what = draw(st.integers(0, 19))
        if what < 11:
            if has_fsp and draw(st.booleans()):
                parts.append(draw(fsp_events()))
            parts.append(draw(events(config)))
        elif what < 14:
            if has_fsp and draw(st.booleans()):
                parts.append(draw(fsp_status_records()))
            parts.append(draw(status_records(config)))
        elif what == 14:
            parts.append(draw(unknown_records()))
        elif what == 15:
            parts.append(writer.handshake())
        elif what == 16:
            # a second run: with the same settings, or with others
            config = draw(st.one_of(st.just(config), configs()))
            if config["tracemap"] is None or config["streamid"] is None:
                # what a Config lacks stays as it was
                config = {**config, "tracemap": [7], "streamid": 3}
            parts.append(writer.config(**config))
        elif what == 17:
            # the count of samples alone: the rest stays as it was
            parts.append(writer.config(**config, drop_frames=draw(st.integers(1, 5))))
        elif what == 18:
            has_fsp = True
            parts.append(writer.fsp_config(wps_prescale_ratio=draw(I32)))
            parts.append(
                writer.config(**config)
                if draw(st.booleans())
                else draw(unknown_records())
            )
        elif has_fsp:
            # an FSP record without the record that it describes
            parts.append(draw(st.one_of(fsp_events(), fsp_status_records())))
            parts.append(draw(unknown_records()))
    if draw(st.booleans()) or parts[-1][:4] == writer.tag(writer.TAG_EVENT):
        # a full event without dead region at the very end may be cut off
        parts.append(draw(unknown_records()))
    return b"".join(parts)

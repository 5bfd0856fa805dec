"""Bad input: lists of traces, status, software trigger, dead time (FCIO format, 9).

"Format N" means section N of it.
"""

from __future__ import annotations

import pytest
from kit.decoding.fcio import decode
from kit.generators.fcio_cases import (
    BAD_COUNT,
    BAD_INDEX,
    CLAMPED,
    COUNTS,
    DROPPED,
    LONE_FSP,
    NO_FRAMES,
    SHORT_BLOCK,
    Case,
    Lost,
    check,
    column,
    config,
    full,
    header,
    parametrized,
    samples,
    sparse,
)
from kit.writers import fcio as writer

# --- lists of traces ----------------------------------------------------------------

LISTS = [
    *(
        Case(
            f"{name} with trace {index}: rejected, the next record is read",
            [config(), full(1), make(2, (0, index)), full(3)],
            kept=[(1, 1), (2, 3)],
            lost=[Lost(2, BAD_INDEX)],
        )
        for name, make in (("sparse event", sparse), ("event header", header))
        for index in (2, 2399, 2400, 65535)
    ),
    Case(
        "num_traces larger than the list: the list counts",
        [config(), sparse(1, (1,), num_traces=2), full(2)],
        kept=[(1, 1), (2, 2)],
        irregular={COUNTS: 1},
        columns={"FCEvent/channel": [1, 0, 1], "FCEvent/numtraces": [1, 2, 2]},
    ),
    Case(
        "num_traces smaller than the list: the first of the list count",
        [config(), sparse(1, (1, 0), traces=[samples(1, 1)], num_traces=1), full(2)],
        kept=[(1, 1), (2, 2)],
        irregular={COUNTS: 1},
        columns={"FCEvent/channel": [1, 0, 1], "FCEvent/numtraces": [1, 2, 2]},
    ),
    Case(
        "fewer FPGA words than listed traces: the first of the list count",
        [config(), header(1, (1, 0), words=samples(1, 1, 0)), full(2)],
        kept=[(1, 1), (2, 2)],
        irregular={COUNTS: 1},
        columns={"FCEventHeader/tracelist": [[1]]},
    ),
    *(
        Case(
            f"num_traces {count}: rejected",
            [config(), full(1), sparse(2, num_traces=count), full(3)],
            kept=[(1, 1), (2, 3)],
            lost=[Lost(2, BAD_COUNT)],
        )
        for count in (-1, -(2**31))
    ),
    *(
        Case(
            f"{n} of 2 listed traces missing: rejected",
            [config(), full(1), sparse(2, drop_frames=n), full(3)],
            kept=[(1, 1), (2, 3)],
            lost=[Lost(2, NO_FRAMES)],
        )
        for n in (1, 2)
    ),
]


@parametrized(LISTS)
def test_lists_of_traces(case, file):
    check(case, file)
    check(case, file, block_size=1)


# --- status and software trigger ----------------------------------------------------

BOASTFUL = writer.StatusCard(
    reqid=0x2000,
    numenv=99,
    numctilinks=2**32 - 1,
    numlinks=2**31,
    environment=range(16),
    ctilinks=range(4),
    linkstates=range(256),
)

STATUS = [
    *(
        Case(
            f"{count} status cards: rejected",
            [config(), full(1), writer.status(num_cards=count), full(2)],
            kept=[(1, 1), (2, 2)],
            lost=[Lost(2, BAD_COUNT)],
            columns={"FCStatus/id": []},
        )
        for count in (257, 2**31 - 1, -1)
    ),
    Case(
        "status block of negative size: rejected",
        [config(), full(1), writer.status(size=-1), full(2)],
        kept=[(1, 1), (2, 2)],
        lost=[Lost(2, BAD_COUNT)],
    ),
    Case(
        "short status block: zeros, not what the card before it had",
        [
            *(config(), full(1), writer.status()),
            writer.status([BOASTFUL.pack()[:80], BOASTFUL.pack()[:80]], size=80),
            *(writer.status([BOASTFUL.pack()[:36]], size=36), full(2)),
        ],
        kept=[(1, 1), (5, 2)],
        irregular={SHORT_BLOCK: 3},
        columns={
            "FCStatus/packet_id": [2, 2, 3, 3, 4],
            "FCStatus/id": [0, *[0x2000] * 4],
            "FCStatus/mb_temps": [[0] * 5] * 5,
            "FCStatus/n_other_errors": [[0] * 5] * 5,
            "FCStatus/adc_temps": [[], [], *[[0] * 3] * 3],
            "FCStatus/cti_links": [[], [], *[[0] * 4] * 3],
            "FCStatus/link_states": [[], [], *[[0] * 256] * 3],
        },
    ),
    Case(
        "counts beyond a whole status block: clamped to its arrays",
        [config(), writer.status([writer.StatusCard(), BOASTFUL]), full(1)],
        kept=[(2, 1)],
        columns={
            "FCStatus/adc_temps": [[], [13, 14, 15]],
            "FCStatus/cti_links": [[], [0, 1, 2, 3]],
            "FCStatus/link_states": [[], [*range(256)]],
        },
    ),
    Case(
        "FSPEvent and FSPStatus before any FSPConfig: skipped, what follows is read",
        [
            *(config(), writer.fsp_event(), full(1)),
            *(writer.fsp_status(), writer.status(), full(2)),
        ],
        kept=[(1, 1), (3, 2)],
        irregular={LONE_FSP: 2},
        columns={
            "FCStatus/packet_id": [2, 2],
            "FSPEvent/packet_id": [],
            "FSPStatus/packet_id": [],
        },
    ),
    Case(
        "FSP records before an FSPConfig that comes late: only those behind it count",
        [
            *(config(), writer.fsp_event(), full(1)),
            *(writer.fsp_config(), config(), writer.fsp_event(), full(2)),
        ],
        kept=[(1, 1), (3, 2)],
        irregular={LONE_FSP: 1},
        columns={"FSPEvent/packet_id": [3]},
    ),
]


@parametrized(STATUS)
def test_status_and_software_trigger(case, file):
    check(case, file)


@pytest.mark.parametrize(
    "parts",
    [
        [config(), writer.fsp_event(), full(1)],
        [config(), writer.fsp_status(), writer.status()],
    ],
    ids=["FSPEvent", "FSPStatus"],
)
def test_user_is_told_of_software_trigger_records_without_their_configuration(
    parts, file
):
    """Format 9: skipped, and told: their values are in no row, so the status is 3."""
    file.write_bytes(writer.assemble(parts)[0])
    report = decode(file).report
    assert any("FSP" in line for line in report.lines())
    assert report.exit_status == 3


# --- dead time ----------------------------------------------------------------------


def dead(first: int, count: int) -> tuple[int, ...]:
    """40 ns of dead time for a block of traces, over before the first event."""
    return (0, 10, 0, 20, 0, first, count)


DEAD_TIME = [
    Case(
        "block beyond the last trace: its part inside the stream counts",
        [config(adcs=3), sparse(1, (0, 1, 2), deadregion=dead(1, 5))],
        kept=[(1, 1)],
        irregular={CLAMPED: 1},
        columns={"FCEvent/deadinterval_nsec": [0, 40, 40]},
    ),
    *(
        Case(
            f"block ({first}, {count}) outside of all traces: nobody's dead time",
            [config(adcs=3), sparse(1, (0, 1, 2), deadregion=dead(first, count))],
            kept=[(1, 1)],
            irregular={CLAMPED: 1},
            columns={"FCEvent/deadinterval_nsec": [0, 0, 0]},
        )
        for first, count in (
            *((3, 1), (1, -1), (-5, -1), (2**31 - 1, 2**31 - 1)),
            *((0, -(2**31)), (2400, 2)),
        )
    ),
    Case(
        "block of a header beyond the last trace, type 11",
        [config(adcs=3), header(1, (0, 1, 2), event_type=11, deadregion=dead(2, 9))],
        kept=[(1, 1)],
        irregular={CLAMPED: 1},
        columns={"FCEventHeader/deadinterval_nsec": [[0, 0, 40]]},
    ),
    Case(
        "negative first trace: never behind the block's end",
        [config(adcs=3), sparse(1, (0, 1, 2), deadregion=dead(-(2**31), 0))],
        kept=[(1, 1)],
        irregular={CLAMPED: 1},
        columns={"FCEvent/deadinterval_nsec": [0, 0, 0]},
    ),
    Case(
        "block that is clamped to one trace stays with that trace",
        [
            config(adcs=5, eventsamples=0, tracemap=range(5)),
            writer.event([[0, 0]] * 5, timestamp=(0, 0, 0, 0), deadregion=()),
            writer.sparse_event(
                *([0], [[0, 0]]),
                timestamp=(1, 1, 0, 0),
                deadregion=(0, 1, 0, 2, 0, 4, 5),
            ),
            writer.sparse_event(
                *([4, 0], [[0, 0]] * 2),
                timestamp=(2, 2, 0, 0),
                deadregion=(1, 1, 1, 3, 0, 4, 5),
            ),
        ],
        kept=[(1, 0), (2, 1), (3, 2)],
        irregular={CLAMPED: 2},
        columns={
            "FCEvent/deadinterval_nsec": [0, 0, 0, 0, 0, 0, 8, 0],
            "FCEvent/deadtime": [0, 0, 0, 0, 0, 0, 12e-9, 0],
        },
    ),
]


@parametrized(DEAD_TIME)
def test_dead_region_outside_the_traces(case, file):
    check(case, file)


@pytest.mark.parametrize("surplus", [0, 1, 3])
def test_pending_dead_intervals_beyond_2048_push_out_the_oldest(surplus, file):
    """Each interval has a length of its own, so that the sum tells which are gone."""
    n = 2048 + surplus
    lengths = [1000 + k for k in range(n)]
    records = [
        full(k, 1, deadregion=(1000 + k, 0, 1000 + k, ticks, 0, 0, 1))
        for k, ticks in enumerate(lengths)
    ]
    after = writer.event([samples(1)], timestamp=(n, 10_000, 0, 0, 0))
    case = Case(
        "pending",
        [config(adcs=1), *records, after],
        kept=[(k + 1, k) for k in range(n + 1)],
        irregular={DROPPED: surplus} if surplus else {},
    )
    check(case, file)
    decoded = decode(file)
    assert column(decoded, "FCEvent/deadtime")[-1] == 4 * sum(lengths[surplus:]) / 1e9
    assert column(decoded, "FCEvent/deadinterval_nsec")[-1] == 4 * lengths[-1]

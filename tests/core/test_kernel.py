"""The frame of all kernels: what holds without a format."""

from __future__ import annotations

import pytest
from daq2lh5.fc._kernel import FcioKernel
from daq2lh5.llama._kernel import LlamaKernel

from daq2lh5 import report
from daq2lh5._core import kernel

STATUSES = ("END", "MORE", "LIMIT", "FULL", "SKIPPED", "HEADER", "KEY", "WIDTH")


@pytest.fixture(params=[kernel.Kernel, FcioKernel, LlamaKernel])
def fresh(request):
    """A kernel to which nothing was said yet."""
    return request.param()


def test_fates_are_those_of_reports():
    assert kernel.FATES == report.FATES


def test_each_status_means_one_thing():
    values = [getattr(kernel.Kernel, name) for name in STATUSES]
    assert len(set(values)) == len(STATUSES)


def test_kernels_begin_with_nothing_done(fresh):
    assert sum(fresh.packets) == sum(fresh.bytes) == 0
    assert fresh.rows_left == -1
    assert fresh.irregular == {}
    assert fresh.skipped_channels() == {}
    assert not fresh.scanning


def test_an_empty_input_ends(fresh):
    fresh.begin()
    try:
        assert fresh.decode(b"", 0, None, True, 10) == fresh.END
    finally:
        fresh.end()
    assert fresh.consumed == fresh.n_packets == 0


def test_no_packet_is_decoded_beyond_the_limit(fresh):
    assert fresh.decode(bytes(100), 0, 100, True, 0) == fresh.LIMIT
    fresh.rows_left = 0
    assert fresh.decode(bytes(100), 0, 100, True, 10) == fresh.LIMIT
    assert fresh.consumed == 0


@pytest.mark.parametrize("left", [None, 6, 2])
def test_fewer_bytes_left_than_there_are_do_not_count(left):
    """A file may have grown since it was opened."""
    stream = FcioKernel()
    handshake = b"\xff\x35\x65\xc4FlashCamV1" + bytes(54)
    assert stream.decode(handshake, 0, left, False, 10) == stream.MORE
    assert stream.consumed == 68


def test_a_damaged_range_says_what_it_is():
    stream = FcioKernel()
    assert stream.decode(b"abc", 5, 3, True, 10) == stream.SKIPPED
    found = stream.damaged
    assert (found.start, found.end, found.fate) == (5, 8, "cut_off")
    assert found.reason == FcioKernel.reasons[found.code]
    assert stream.decode(b"", 8, 0, True, 10) == stream.END

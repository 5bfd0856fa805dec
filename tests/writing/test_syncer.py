"""What is written goes to the disk meanwhile; an error names the file, once."""

from __future__ import annotations

import os
import threading

import h5py
import pytest

from daq2lh5.writing import syncer as module
from daq2lh5.writing.syncer import Syncer


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SYNC_BYTES", 100)
    with h5py.File(tmp_path / "x.lh5", "w") as file:
        yield file


@pytest.fixture
def calls(monkeypatch):
    """The descriptors that were sent to the disk, each by which thread."""
    found: list[tuple[int, str]] = []

    def fsync(descriptor):
        found.append((descriptor, threading.current_thread().name))

    monkeypatch.setattr(os, "fsync", fsync)
    return found


def test_after_so_many_bytes(file, calls):
    syncer = Syncer(file)
    for n, wanted in ((60, 0), (39, 0), (1, 1), (99, 1), (1000, 2)):
        syncer.count(n)
        syncer.wait()
        assert len(calls) == wanted
    syncer.close()
    assert {descriptor for descriptor, _ in calls} == {file.id.get_vfd_handle()}
    assert threading.current_thread().name not in {name for _, name in calls}


def test_nothing_is_started_for_little(file, calls):
    syncer = Syncer(file)
    syncer.count(99)
    syncer.wait()
    syncer.close()
    assert calls == []


def test_work_goes_on_meanwhile(file, monkeypatch):
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def fsync(_):
        begun.release()
        assert go_on.wait(20)

    monkeypatch.setattr(os, "fsync", fsync)
    syncer = Syncer(file)
    syncer.count(100)
    assert begun.acquire(timeout=20)
    # while one is on its way there is no other
    syncer.count(100)
    syncer.count(100)
    go_on.set()
    syncer.wait()
    assert not begun.acquire(blocking=False)
    # those bytes are counted
    syncer.count(0)
    assert begun.acquire(timeout=20)
    syncer.wait()
    syncer.close()


def test_an_error_names_the_file(file, monkeypatch):
    def fsync(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    syncer = Syncer(file)
    syncer.count(100)
    with pytest.raises(OSError, match=r"No space left on device: .*x\.lh5"):
        syncer.wait()
    syncer.close()

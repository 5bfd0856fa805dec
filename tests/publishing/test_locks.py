"""Locks of files and folders: writers share, who renames is alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from kit.places import ENVIRONMENT

from daq2lh5.publishing.locks import LOCK_NAME, alone_in, hold, is_at

HOLDER = """
import sys
from pathlib import Path
from daq2lh5.publishing.locks import alone_in
with alone_in([Path(sys.argv[1])]) as certain:
    print(certain, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def another(tmp_path):
    """Another process that is alone in the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.communicate()


def test_nothing_is_left_of_a_lock(tmp_path):
    (tmp_path / "a").mkdir()
    folders = [tmp_path, tmp_path / "a", tmp_path / "a" / ".."]
    with alone_in(folders) as certain:
        assert certain
        assert (tmp_path / LOCK_NAME).exists()
        assert (tmp_path / "a" / LOCK_NAME).exists()
    assert [p.name for p in tmp_path.rglob("*")] == ["a"]


def test_another_process_is_not_waited_for_without_end(tmp_path, another):
    began = time.monotonic()
    with alone_in([tmp_path], patience=0.2) as certain:
        assert not certain
    assert time.monotonic() - began < 10
    # its lock is left alone
    assert (tmp_path / LOCK_NAME).exists()
    assert another.poll() is None


def test_a_lock_ends_with_its_process(tmp_path, another):
    another.kill()
    another.wait()
    assert (tmp_path / LOCK_NAME).exists()
    with alone_in([tmp_path], patience=5) as certain:
        assert certain
    assert not (tmp_path / LOCK_NAME).exists()


def test_a_folder_that_cannot_be_locked_is_not_certain(tmp_path):
    with alone_in([tmp_path / "missing"]) as certain:
        assert not certain


def test_writers_share_a_file(tmp_path):
    path = tmp_path / "x"
    path.touch()
    first, second = (os.open(path, os.O_RDWR) for _ in range(2))
    assert hold(first)
    assert hold(second)
    os.close(first)
    os.close(second)


def test_a_name_of_another_file_is_not_that_of_an_open_one(tmp_path):
    path = tmp_path / "x"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    assert is_at(path, descriptor)
    path.rename(tmp_path / "y")
    assert not is_at(path, descriptor)
    path.touch()
    assert not is_at(path, descriptor)
    assert is_at(tmp_path / "y", descriptor)
    path.unlink()
    path.symlink_to(tmp_path / "y")
    assert not is_at(path, descriptor)
    os.close(descriptor)

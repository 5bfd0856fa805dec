"""The structs around the objects of a file are those that lh5 makes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import lgdo
import lh5
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kit.lh5_trees import differences, tree
from lh5.io.exceptions import LH5EncodeError

from daq2lh5.raw_buffer import RawBuffer, write_to_lh5_and_clear
from daq2lh5.writing.lh5_writer import LH5Writer

# few names, so that they meet often; some look alike
NAMES = ("a", "b", "ab", "c", "é")
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
GROUPS = st.one_of(st.just("/"), PATHS, PATHS.map(lambda p: f"/{p}/"))
WRITES = st.lists(st.tuples(GROUPS, PATHS), min_size=1, max_size=6)


def obj(n: int = 3) -> lgdo.Array:
    return lgdo.Array(np.arange(n))


def place(group: str, name: str) -> tuple[str, ...]:
    return tuple(p for p in f"{group}/{name}".split("/") if p)


def apart(writes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out what would be inside, or around, an object that is there already."""
    kept: list[tuple[str, str]] = []
    for group, name in writes:
        path = place(group, name)
        others = [place(*other) for other in kept]
        if all(
            path == other
            or (path[: len(other)] != other and other[: len(path)] != path)
            for other in others
        ):
            kept.append((group, name))
    return kept


def write_with_lh5(path: Path, writes: list[tuple[str, str]]) -> bool:
    """Write objects; false if lh5 refuses to."""
    try:
        for group, name in writes:
            lh5.write(obj(), name, path, group=group)
    except (LH5EncodeError, KeyError, ValueError, RuntimeError):
        return False
    return True


def write_ours(path: Path, writes: list[tuple[str, str]], how: str) -> None:
    buffers = []
    for group, name in writes:
        rb = RawBuffer(lgdo=obj(), out_stream=f"{path}:{group}", out_name=name)
        rb.loc = 3
        buffers.append(rb)
    if how == "one call each":
        for rb in buffers:
            write_to_lh5_and_clear([rb])
    elif how == "one call":
        write_to_lh5_and_clear(buffers)
    else:
        with h5py.File(path, "a") as file:
            writer = LH5Writer(file)
            for group, name in writes:
                writer.append_lgdo(obj(), name, group)
            writer.finish()


HOWS = ["one call", "one call each", "one writer"]


@pytest.mark.parametrize("how", HOWS)
@given(writes=WRITES.map(apart))
@example(writes=[("/", "a"), ("/", "b")])
@example(writes=[("/", "a/b"), ("/", "c")])
@example(writes=[("/", "a/b"), ("/", "a/c")])
@example(writes=[("a", "b"), ("a", "c"), ("a/", "ab/c")])
@example(writes=[("a/b", "c"), ("/", "a/ab"), ("a", "c/ab")])
@settings(max_examples=40, deadline=None)
def test_new_file(how, writes):
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = Path(directory) / "ours.lh5", Path(directory) / "theirs.lh5"
        if not write_with_lh5(theirs, writes):
            return
        write_ours(ours, writes, how)
        assert differences(tree(ours), tree(theirs)) == []


@pytest.mark.parametrize("how", ["one call", "one writer"])
@given(before=WRITES, after=WRITES)
@settings(max_examples=40, deadline=None)
def test_file_that_exists(how, before, after):
    """Made by lh5, with some groups that are no LH5 objects."""
    writes = apart(before + after)
    before, after = writes[: len(before)], writes[len(before) :]
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = Path(directory) / "ours.lh5", Path(directory) / "theirs.lh5"
        if not write_with_lh5(theirs, before):
            return
        ours.write_bytes(theirs.read_bytes())
        if not write_with_lh5(theirs, after):
            return
        write_ours(ours, after, how)
        assert differences(tree(ours), tree(theirs)) == []


@given(groups=st.lists(PATHS, max_size=3), after=WRITES.map(apart))
@settings(max_examples=40, deadline=None)
def test_groups_without_datatype(groups, after):
    """As some other program makes them: entered, or refused, as lh5 does."""
    with tempfile.TemporaryDirectory() as directory:
        ours, theirs = Path(directory) / "ours.lh5", Path(directory) / "theirs.lh5"
        for path in (ours, theirs):
            with h5py.File(path, "w") as file:
                for group in groups:
                    file.require_group(group)
        with h5py.File(ours) as file:
            if any("/".join(place(group, name)) in file for group, name in after):
                return
        if write_with_lh5(theirs, after):
            write_ours(ours, after, "one call each")
            assert differences(tree(ours), tree(theirs)) == []
        else:
            with pytest.raises((ValueError, RuntimeError)):
                write_ours(ours, after, "one call each")


def test_table_of_another_s_name_inside_an_object(tmp_path):
    """What is written into a struct of the same call joins it."""
    made = {}
    for who in ("ours", "theirs"):
        path = made[who] = tmp_path / f"{who}.lh5"
        header = lgdo.Struct({"k": lgdo.Scalar(1)})
        rb1 = RawBuffer(lgdo=header, out_stream=str(path), out_name="s")
        rb2 = RawBuffer(lgdo=obj(), out_stream=str(path), out_name="s/t")
        rb1.loc, rb2.loc = 1, 3
        if who == "ours":
            write_to_lh5_and_clear([rb1, rb2])
        else:
            lh5.write(header, "s", path)
            lh5.write(obj(), "s/t", path)
    assert differences(tree(made["ours"]), tree(made["theirs"])) == []


def test_objects_that_lh5_writes_find_the_others(tmp_path):
    """A histogram beside a table that is new in the same call."""
    counts = lgdo.Histogram(np.arange(5.0), [np.arange(6.0)])
    made = {}
    for who in ("ours", "theirs"):
        path = made[who] = tmp_path / f"{who}.lh5"
        if who == "theirs":
            lh5.write(obj(), "g/t", path)
            lh5.write(counts, "g/h", path)
            continue
        rb1 = RawBuffer(lgdo=obj(), out_stream=str(path), out_name="g/t")
        rb2 = RawBuffer(lgdo=counts, out_stream=str(path), out_name="g/h")
        rb1.loc, rb2.loc = 3, 1
        write_to_lh5_and_clear([rb1, rb2])
    assert differences(tree(made["ours"]), tree(made["theirs"])) == []


def test_a_dataset_in_the_way(tmp_path):
    """A path through a dataset is an error that names it; nothing else changes."""
    path = tmp_path / "x.lh5"
    lh5.write(obj(), "a", path)
    before = tree(path)
    rb = RawBuffer(lgdo=obj(), out_stream=str(path), out_name="a/b")
    rb.loc = 3
    with pytest.raises((ValueError, RuntimeError), match="a"):
        write_to_lh5_and_clear([rb])
    assert differences(tree(path), before) == []

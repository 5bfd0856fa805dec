"""Rows end up in chunks of the right shape, wherever the borders fall."""

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
from kit.generators.lgdo_objects import array, struct, table, vectors, waveforms
from kit.lh5_trees import datasets, differences, tree
from kit.writers import fcio as writer
from lh5.io.exceptions import LH5EncodeError

import daq2lh5
from daq2lh5.raw_buffer import RawBuffer, write_to_lh5_and_clear
from daq2lh5.resources.memory import MemoryPlan
from daq2lh5.writing.lh5_writer import LH5Writer

MIB = 2**20


def buffer_of(obj, path, name="obj", loc=None) -> RawBuffer:
    rb = RawBuffer(lgdo=obj, out_stream=str(path), out_name=name)
    rb.loc = len(obj) if loc is None else loc
    return rb


def append_ours(path, parts: list, plan: MemoryPlan | None = None, name="obj") -> None:
    with h5py.File(path, "a") as file:
        lh5_writer = LH5Writer(file, plan=plan)
        for part in parts:
            lh5_writer.append_lgdo(part, name)
        lh5_writer.finish()


# --- shapes -------------------------------------------------------------------------


class TestShapes:
    @pytest.mark.parametrize("n_samples", [1, 50, 100, 127, 128, 1000, 8192, 65536])
    def test_waveforms_are_whole_and_chunks_not_large(self, n_samples, tmp_path):
        """At most 1 MiB: what HDF5 up to 1.14 keeps of a dataset while reading."""
        n = 4 * MIB // (2 * n_samples)
        values = np.zeros((min(n, 30_000), n_samples), "u2")
        made = lgdo.Table(size=len(values))
        made.add_field("wf", lgdo.ArrayOfEqualSizedArrays(nda=values, dims=(1, 1)))
        made.add_field("n", lgdo.Array(np.arange(len(values))))
        write_to_lh5_and_clear([buffer_of(made, tmp_path / "x.lh5")])
        found = datasets(tmp_path / "x.lh5")
        assert len(found) == 2
        for name, storage in found.items():
            assert storage["chunks"][1:] == storage["shape"][1:], name
            assert storage["chunk size"] <= max(MIB, storage["row"]), name
        # and not small: at least a quarter of that, or 8192 rows
        storage = found["obj/wf"]
        assert storage["chunk size"] >= MIB / 4 or storage["chunks"][0] >= 4096

    @pytest.mark.parametrize("n_channels", [1, 30])
    def test_the_same_for_all_buffer_sizes_and_threads(self, n_channels, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(
            writer.make_stream(
                200 // n_channels,
                n_channels=n_channels,
                n_samples=3000,
                status_every=3,
                fsp=True,
                kind="mixed",
            )
        )
        found = []
        for i, options in enumerate(
            (
                {"threads": 1},
                {"threads": 1, "buffer_size": max(n_channels, 4)},
                {"threads": 2, "buffer_size": n_channels + 7},
                {"threads": 3, "buffer_size": 100_000},
            )
        ):
            path = tmp_path / f"{i}.lh5"
            daq2lh5.build_raw(source, out_spec=path, **options)
            found.append(datasets(path))
        assert len(found[0]) > 50
        for other in found[1:]:
            assert other == found[0]

    def test_chunks_do_not_depend_on_the_size_of_appends(self, tmp_path):
        """Tables that stay small have chunks as small."""
        whole = waveforms(900, 1)
        stored = []
        for step in (900, 899, 450, 64, 7):
            path = tmp_path / f"{step}.lh5"
            parts = [
                waveforms_of(whole, start, min(step, 900 - start))
                for start in range(0, 900, step)
            ]
            append_ours(path, parts, MemoryPlan(2**24, 400))
            stored.append(datasets(path))
            found = lh5.read("obj", path)
            for name in ("values", "t0", "dt"):
                assert np.array_equal(found[name].nda, whole[name].nda)
        for other in stored[1:]:
            assert other == stored[0]
        assert stored[0]["obj/values"]["chunks"][0] < 900

    def test_first_append_of_one_row_makes_no_chunks_of_one_row(self, tmp_path):
        """As lh5 would, for ever."""
        for n in (1, 500, 500):
            write_to_lh5_and_clear([buffer_of(waveforms(n, n), tmp_path / "x.lh5")])
        for storage in datasets(tmp_path / "x.lh5").values():
            assert storage["chunks"][0] > 500


def waveforms_of(whole: lgdo.Table, start: int, n: int) -> lgdo.Table:
    rows = slice(start, start + n)
    return lgdo.WaveformTable(
        values=lgdo.ArrayOfEqualSizedArrays(nda=whole["values"].nda[rows], dims=(1, 1)),
        t0=whole["t0"].nda[rows],
        t0_units="ns",
        dt=whole["dt"].nda[rows],
        dt_units="ns",
    )


# --- borders ------------------------------------------------------------------------

CHUNK = 16
"""Rows of a chunk of the tables below: the least that the plan gives short rows."""

SMALL_PLAN = MemoryPlan(2**24, 40_000)

NEAR_BORDERS = st.one_of(
    st.integers(1, 3 * CHUNK + 2),
    st.builds(
        lambda k, d: max(1, k * CHUNK + d),
        st.integers(1, 3),
        st.sampled_from((-1, 0, 1)),
    ),
)


def test_chunks_are_small_here(tmp_path):
    """So that the tests below show something."""
    append_ours(tmp_path / "x.lh5", [mixed(100, 1)], SMALL_PLAN)
    found = datasets(tmp_path / "x.lh5")
    assert {s["chunks"][0] for s in found.values()} <= set(range(1, CHUNK + 1))


def mixed(n: int, seed: int) -> lgdo.Table:
    made = lgdo.Table(size=n)
    made.add_field("wide", lgdo.ArrayOfEqualSizedArrays(nda=rows(n, seed, 150)))
    made.add_field("number", array("i4")(n, seed))
    made.add_field("flag", lgdo.Array(rows(n, seed, 1)[:, 0] > 500))
    made.add_field("vector", vectors("u2")(n, seed))
    made.add_field("short", vectors("f4", "u4")(n, seed + 1))
    return made


def rows(n: int, seed: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 999, (n, width)).astype("u2")


@given(
    sizes=st.lists(NEAR_BORDERS, min_size=1, max_size=6),
    sessions=st.lists(
        st.sampled_from(("ours", "ours small", "lh5", "call")), min_size=6
    ),
    cuts=st.lists(st.booleans(), min_size=6, max_size=6),
)
@example(sizes=[CHUNK, CHUNK], sessions=["ours small"] * 6, cuts=[True] * 6)
@example(sizes=[CHUNK - 1, 1, 1], sessions=["ours small"] * 6, cuts=[False] * 6)
@example(
    sizes=[CHUNK + 1, CHUNK - 1, CHUNK],
    sessions=["ours small", "lh5"] * 3,
    cuts=[True] * 6,
)
@settings(max_examples=25, deadline=None)
def test_appends_by_anybody(sizes, sessions, cuts):
    """Whoever began the file, whoever goes on: what lh5 reads is all of it.

    Where `cuts` says so the file is closed, and the next one goes on.
    """
    parts = [mixed(n, seed) for seed, n in enumerate(sizes)]
    with tempfile.TemporaryDirectory() as directory:
        path, plain = Path(directory) / "x.lh5", Path(directory) / "plain.lh5"
        together: list = []
        for i, part in enumerate(parts):
            together.append(part)
            if not cuts[i] and i < len(parts) - 1:
                continue
            who = sessions[i]
            if who == "lh5":
                for one in together:
                    lh5.write(one, "obj", path)
            elif who == "call":
                write_to_lh5_and_clear([buffer_of(one, path) for one in together])
            else:
                append_ours(path, together, SMALL_PLAN if who == "ours small" else None)
            together = []
        for part in parts:
            lh5.write(part, "obj", plain)
        assert lh5.read("obj", path) == lh5.read("obj", plain)
        assert differences(tree(path), tree(plain)) == []


@pytest.mark.parametrize("after", ["lh5", "ours", "lh5, ours", "ours, lh5, ours"])
@pytest.mark.parametrize("before", ["ours", "lh5"])
def test_small_chunks_that_compress_badly(before, after, tmp_path):
    """Some of them become as large, compressed, as they are.

    HDF5 does not update the filter mask of a chunk that it, or a direct write, replaces
    by one of as many bytes: what is in the mask must be right before and after.
    """
    n_columns = 150
    values = np.random.default_rng(1).random((4, 17, n_columns)) < 0.5

    def part(i: int, n: int) -> lgdo.Table:
        made = lgdo.Table(size=n)
        for k in range(n_columns):
            made.add_field(f"c{k:03d}", lgdo.Array(values[i, :n, k]))
        return made

    path = tmp_path / "x.lh5"
    sizes = (13, 2, 1, 16)
    sessions = [before, *after.split(", ")]
    for i, (who, n) in enumerate(zip(sessions, sizes, strict=False)):
        if who == "lh5":
            lh5.write(part(i, n), "obj", path, chunks=(16,))
        else:
            append_ours(path, [part(i, n)], SMALL_PLAN)
    found = lh5.read("obj", path)
    wanted = np.concatenate([values[i, : sizes[i]] for i in range(len(sessions))])
    for k in range(n_columns):
        assert np.array_equal(found[f"c{k:03d}"].nda, wanted[:, k]), k


@pytest.mark.parametrize("other", ["lzf", "zstd", "gzip, no shuffle", "fletcher32"])
def test_appends_to_files_with_other_filters(other, tmp_path):
    """The file's filters stay, whatever the defaults are."""
    import hdf5plugin

    given = {
        "lzf": {"compression": "lzf"},
        "zstd": dict(hdf5plugin.Zstd(9)),
        "gzip, no shuffle": {"shuffle": False},
        "fletcher32": {"fletcher32": True},
    }[other]
    path, plain = tmp_path / "x.lh5", tmp_path / "plain.lh5"
    for i, n in enumerate((700, 3, 900, 1)):
        lh5.write(mixed(n, n), "obj", plain, **given)
        if i == 0:
            lh5.write(mixed(n, n), "obj", path, **given)
        else:
            write_to_lh5_and_clear([buffer_of(mixed(n, n), path)])
    assert differences(tree(path), tree(plain)) == []


def test_appends_to_chunks_of_parts_of_rows(tmp_path):
    """As lh5 makes them: (rows, samples) in both directions."""
    path = tmp_path / "x.lh5"
    wanted = []
    for i, n in enumerate((2000, 3, 70, 500)):
        values = rows(n, i, 2000)
        wanted.append(values)
        obj = lgdo.ArrayOfEqualSizedArrays(nda=values, dims=(1, 1))
        if i == 0:
            lh5.write(obj, "obj", path)
            assert datasets(path)["obj"]["chunks"][1] < 2000
        else:
            write_to_lh5_and_clear([buffer_of(obj, path)])
    assert np.array_equal(lh5.read("obj", path).nda, np.concatenate(wanted))


def test_rows_after_the_filled_ones_are_not_written(tmp_path):
    """`loc` says how many count, of vectors too."""
    path = tmp_path / "x.lh5"
    made = mixed(50, 1)
    for n in (1, 20, 7):
        write_to_lh5_and_clear([buffer_of(made, path, loc=n)])
    found = lh5.read("obj", path)
    assert len(found) == 28
    ends = [made["vector"].cumulative_length.nda[n - 1] for n in (1, 20, 7)]
    assert len(found["vector"].flattened_data) == sum(ends)
    for name in ("wide", "number", "flag"):
        wanted = np.concatenate([made[name].nda[:n] for n in (1, 20, 7)])
        assert np.array_equal(found[name].nda, wanted)


def test_the_user_s_objects_stay_as_they_are(tmp_path):
    made, copy = struct(9, 1), struct(9, 1)
    for _ in range(2):
        rb = RawBuffer(lgdo=made, out_stream=str(tmp_path / "x"), out_name="s")
        rb.loc = 1
        write_to_lh5_and_clear([rb])
    assert made == copy
    assert repr(made) == repr(copy)


# --- what does not fit --------------------------------------------------------------


def one_column(values: np.ndarray, name: str = "x") -> lgdo.Table:
    made = lgdo.Table(size=len(values))
    if values.ndim > 1:
        made.add_field(name, lgdo.ArrayOfEqualSizedArrays(nda=values, dims=(1, 1)))
    else:
        made.add_field(name, lgdo.Array(values))
    return made


class TestOtherTypes:
    """Data are cast to the type on disk, as HDF5 casts them."""

    CASTS = (
        ("u2", np.array([70_000, -1, 5])),
        ("i4", np.array([3e10, -3e10, 1.7, -1.7])),
        ("u1", np.array([300, 255, 0], "u2")),
        ("f4", np.array([1e300, 0.1])),
        ("f8", np.array([1, 2, 3], "u1")),
        (">i4", np.array([1, -2, 3], "<i2")),
        ("i8", np.array([2**63 + 5, 1], "u8")),
        ("S2", np.array([b"abcd", b"x"])),
    )

    @pytest.mark.parametrize("together", [False, True])
    @pytest.mark.parametrize(("dtype", "values"), CASTS, ids=[c[0] for c in CASTS])
    def test_cast(self, dtype, values, together, tmp_path):
        parts = [np.zeros(3, dtype), values]
        for part in parts:
            lh5.write(one_column(part), "obj", tmp_path / "theirs")
        buffers = [buffer_of(one_column(p), tmp_path / "ours") for p in parts]
        if together:
            write_to_lh5_and_clear(buffers)
        else:
            for rb in buffers:
                write_to_lh5_and_clear([rb])
        ours, theirs = tree(tmp_path / "ours"), tree(tmp_path / "theirs")
        assert differences(ours, theirs) == []

    def test_bytes_to_strings_of_variable_length(self, tmp_path):
        """As other programs write them: HDF5 makes the references, not we."""
        for who in ("ours", "theirs"):
            with h5py.File(tmp_path / who, "w") as file:
                file.attrs["datatype"] = "struct{obj}"
                made = file.create_dataset(
                    "obj",
                    data=["abc", "de"],
                    dtype=h5py.string_dtype(),
                    maxshape=(None,),
                    chunks=(4,),
                    compression="gzip",
                    shuffle=True,
                )
                made.attrs["datatype"] = "array<1>{string}"
        obj = lgdo.Array(np.array([b"x", b"yyyy", b"z"]))
        lh5.write(obj, "obj", tmp_path / "theirs")
        write_to_lh5_and_clear([buffer_of(obj, tmp_path / "ours")])
        ours, theirs = tree(tmp_path / "ours"), tree(tmp_path / "theirs")
        assert differences(ours, theirs) == []

    def test_bools_to_an_enumeration(self, tmp_path):
        """As older files have them."""
        path = tmp_path / "x.lh5"
        with h5py.File(path, "w") as file:
            file.attrs["datatype"] = "struct{obj}"
            made = file.create_dataset("obj", data=[True, False], maxshape=(None,))
            made.attrs["datatype"] = "array<1>{bool}"
        write_to_lh5_and_clear([buffer_of(lgdo.Array(np.array([True, True])), path)])
        assert lh5.read("obj", path).nda.tolist() == [True, False, True, True]


class TestOtherShapes:
    @pytest.mark.parametrize("together", [False, True])
    @pytest.mark.parametrize(("before", "after"), [(5, 5), (524, 524), (600, 1500)])
    @pytest.mark.parametrize("width", [700, 1500])
    def test_rows_of_another_width_are_refused(
        self, width, before, after, together, tmp_path
    ):
        """With an error; the table is as before, or its rows are gone altogether."""
        path = tmp_path / "x.lh5"
        first, second = (
            one_column(rows(before, 1, 1000)),
            one_column(rows(after, 2, width)),
        )
        first.add_field("n", lgdo.Array(np.arange(before)))
        second.add_field("n", lgdo.Array(np.arange(after)))
        buffers = [buffer_of(first, path), buffer_of(second, path)]
        if not together:
            write_to_lh5_and_clear(buffers[:1])
        with pytest.raises((ValueError, RuntimeError), match="obj"):
            write_to_lh5_and_clear(buffers if together else buffers[1:])
        if not together:
            found = lh5.read("obj", path)
            assert len(found["x"]) == len(found["n"]) == before
            assert np.array_equal(found["x"].nda, first["x"].nda)
        else:
            lengths = {s["shape"][0] for s in datasets(path).values()}
            assert len(lengths) <= 1

    def test_columns_in_another_order(self, tmp_path):
        """They are matched by name, as lh5 does."""
        a, b = np.arange(4.0), np.arange(5, 9)
        first, second = lgdo.Table(size=4), lgdo.Table(size=4)
        for made, names in ((first, "ab"), (second, "ba")):
            for name in names:
                made.add_field(name, lgdo.Array({"a": a, "b": b}[name]))
        path = tmp_path / "x.lh5"
        write_to_lh5_and_clear([buffer_of(first, path), buffer_of(second, path)])
        found = lh5.read("obj", path)
        assert np.array_equal(found["a"].nda, np.tile(a, 2))
        assert np.array_equal(found["b"].nda, np.tile(b, 2))

    @pytest.mark.parametrize("together", [False, True])
    @pytest.mark.parametrize("change", ["missing", "more", "attribute"])
    def test_other_columns_or_attributes_are_refused(self, change, together, tmp_path):
        """As lh5 does (RuntimeError); the file has what it had."""
        path = tmp_path / "x.lh5"
        first, second = table(4, 1), table(4, 2)
        if change == "missing":
            second.pop("zeta")
            second.update_datatype()
        elif change == "more":
            second.add_field("more", lgdo.Array(np.zeros(4)))
        else:
            second["wf"].attrs["description"] = "other"
        lh5.write(first, "obj", tmp_path / "theirs")
        with pytest.raises((RuntimeError, LH5EncodeError)):
            lh5.write(second, "obj", tmp_path / "theirs")
        if not together:
            write_to_lh5_and_clear([buffer_of(first, path)])
            before = tree(path)
        buffers = [buffer_of(first, path), buffer_of(second, path)]
        with pytest.raises(RuntimeError):
            write_to_lh5_and_clear(buffers if together else buffers[1:])
        if not together:
            assert differences(tree(path), before) == []

    def test_scalars_take_the_last_type_and_attributes(self, tmp_path):
        """They are made anew with each append."""
        values = [1, 1.0, True, np.uint8(1), "1", 1]
        for i, value in enumerate(values):
            scalar = lgdo.Scalar(value, attrs={"units": f"u{i}"})
            for who in ("ours", "theirs"):
                path = tmp_path / who
                if who == "theirs":
                    lh5.write(lgdo.Struct({"s": scalar}), "obj", path)
                    continue
                rb = buffer_of(lgdo.Struct({"s": scalar}), path, loc=1)
                write_to_lh5_and_clear([rb])
            ours, theirs = tree(tmp_path / "ours"), tree(tmp_path / "theirs")
            assert differences(ours, theirs) == []

    def test_scalars_of_one_call(self, tmp_path):
        buffers = [
            buffer_of(lgdo.Scalar(v), tmp_path / "ours", loc=1) for v in (1, 1.0, True)
        ]
        write_to_lh5_and_clear(buffers)
        lh5.write(lgdo.Scalar(True), "obj", tmp_path / "theirs")
        ours, theirs = tree(tmp_path / "ours"), tree(tmp_path / "theirs")
        assert differences(ours, theirs) == []

"""LH5 files are what lh5 makes of the same objects, but for the shapes of chunks."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import h5py
import hdf5plugin
import lgdo
import lh5
import lh5.io.exceptions
import numpy as np
import pytest
from kit.generators.lgdo_objects import ARRAYS, SCALARS, TABLES, VECTORS, histogram
from kit.lh5_trees import differences, tree
from kit.places import ENVIRONMENT, TESTDATA
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.buffers.table_buffer import TableBuffer
from daq2lh5.raw_buffer import RawBuffer, RawBufferLibrary, write_to_lh5_and_clear
from daq2lh5.resources.memory import MemoryPlan
from daq2lh5.writing import lh5_writer

real_files = pytest.mark.skipif(
    not TESTDATA.is_dir(),
    reason="no real files: DAQ2LH5_TESTDATA names no directory",
)

MAKERS = ARRAYS | VECTORS | TABLES


def buffer_of(obj, out_stream, out_name="obj", loc=None) -> RawBuffer:
    rb = RawBuffer(lgdo=obj, out_stream=str(out_stream), out_name=out_name)
    rb.loc = loc or rows_of(obj) or 1
    return rb


def rows_of(obj: lgdo.LGDO) -> int:
    whole = isinstance(obj, lgdo.Scalar) or type(obj) is lgdo.Struct
    return 1 if whole else len(obj)


class TestEveryKind:
    """Ours against `lh5.write` of the same objects."""

    @pytest.mark.parametrize("kind", MAKERS)
    def test_once(self, kind, tmp_path):
        make = MAKERS[kind]
        write_to_lh5_and_clear([buffer_of(make(11, 1), tmp_path / "ours.lh5")])
        lh5.write(make(11, 1), "obj", tmp_path / "theirs.lh5")
        ours, theirs = tree(tmp_path / "ours.lh5"), tree(tmp_path / "theirs.lh5")
        assert differences(ours, theirs) == []

    @pytest.mark.parametrize("kind", MAKERS)
    @pytest.mark.parametrize("together", [False, True])
    def test_appended(self, kind, together, tmp_path):
        """Several buffers of one table, in one call or in one each."""
        make = MAKERS[kind]
        sizes = (3, 1, 12, 3)
        objects = [make(n, seed) for seed, n in enumerate(sizes)]
        buffers = [buffer_of(obj, tmp_path / "ours.lh5") for obj in objects]
        if together:
            write_to_lh5_and_clear(buffers)
        else:
            for rb in buffers:
                write_to_lh5_and_clear([rb])
        for seed, n in enumerate(sizes):
            lh5.write(make(n, seed), "obj", tmp_path / "theirs.lh5")
        ours, theirs = tree(tmp_path / "ours.lh5"), tree(tmp_path / "theirs.lh5")
        assert differences(ours, theirs) == []

    @pytest.mark.parametrize("kind", SCALARS)
    def test_scalar(self, kind, tmp_path):
        for _ in range(2):
            scalar = lgdo.Scalar(SCALARS[kind], attrs={"units": "Å"})
            write_to_lh5_and_clear([buffer_of(scalar, tmp_path / "ours.lh5")])
            lh5.write(scalar, "obj", tmp_path / "theirs.lh5")
        ours, theirs = tree(tmp_path / "ours.lh5"), tree(tmp_path / "theirs.lh5")
        assert differences(ours, theirs) == []


# --- conversions --------------------------------------------------------------------


def convert_by_lh5(source, path, group="/", **options) -> None:
    """Write what the streamer decodes with lh5 alone."""
    with (
        daq2lh5.open_stream(str(source), **options) as (streamer, header),
        lh5.LH5Store(keep_open=True) as store,
    ):
        for chunk in itertools.chain([header], streamer):
            for rb in chunk:
                if rb.loc == 0:
                    continue
                datatype = rb.lgdo.attrs["datatype"]
                rows = {"n_rows": rb.loc} if datatype.startswith("table") else {}
                store.write(rb.lgdo, rb.out_name, path, group=group, **rows)
                rb.loc = 0


STREAMS = {
    "events": {"n_channels": 3, "n_samples": 300},
    "all records": {
        "n_channels": 5,
        "n_samples": 33,
        "fsp": True,
        "kind": "mixed",
        "deadtime": True,
        "status_every": 4,
    },
    "triggers": {"n_channels": 6, "triggers": 2, "adcbits": 12, "n_samples": 7},
    "cards": {"n_channels": 12, "event_type": 11, "kind": ("sparse", "header")},
}


class TestConversions:
    """`build_raw` against `lh5.write` of the decoded buffers."""

    @pytest.mark.parametrize("buffer_size", [50, 8192])
    @pytest.mark.parametrize("kind", STREAMS)
    def test_default_tables(self, kind, buffer_size, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(90, **STREAMS[kind]))
        daq2lh5.build_raw(
            source, out_spec=tmp_path / "ours", buffer_size=buffer_size, threads=2
        )
        convert_by_lh5(source, tmp_path / "theirs", buffer_size=buffer_size)
        ours = tree(tmp_path / "ours", skip=("daq2lh5_columns", "daq2lh5_report"))
        theirs = tree(tmp_path / "theirs")
        assert len(ours) > 40
        assert differences(ours, theirs) == []

    @pytest.mark.parametrize("group", ["", ":g", ":/deep/group/"])
    def test_a_table_for_each_channel(self, group, tmp_path):
        """In which order tables get their first rows does not matter either."""
        source = tmp_path / "run.fcio"
        source.write_bytes(
            writer.make_stream(30, n_channels=4, n_samples=9, kind="sparse")
        )

        def config(out) -> dict:
            of_events = {"key_list": ["*"], "out_stream": f"{out}{group}"}
            return {
                "FCEventDecoder": {"ch{key:07d}/raw": of_events},
                "*": {"{name}": {"key_list": ["*"], "out_stream": f"{out}{group}"}},
            }

        daq2lh5.build_raw(source, out_spec=config(tmp_path / "ours"))
        library = RawBufferLibrary(config=config(""))
        place = group.removeprefix(":") or "/"
        convert_by_lh5(source, tmp_path / "theirs", place, rb_lib=library)
        ours = tree(tmp_path / "ours", skip=("daq2lh5_columns", "daq2lh5_report"))
        assert differences(ours, tree(tmp_path / "theirs")) == []

    @pytest.mark.parametrize("through", ["nothing", "store", "kept store", "lgdo"])
    def test_chunks_of_the_user_s_loop(self, through, tmp_path):
        """`open_stream` and `write_to_lh5_and_clear`, as in the documentation."""
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(90, **STREAMS["all records"]))
        given = {}
        if "store" in through:
            given["lh5_store"] = lh5.LH5Store(keep_open="kept" in through)
        options = {"buffer_size": 40, "out_stream": str(tmp_path / "ours")}
        with daq2lh5.open_stream(str(source), **options) as (streamer, header):
            for chunk in itertools.chain([header], streamer):
                if through == "lgdo":
                    assert all(rb.lgdo is not None for rb in chunk)
                write_to_lh5_and_clear(chunk, **given)
                assert not any(rb.loc for rb in chunk)
        if given:
            given["lh5_store"].close()
        convert_by_lh5(source, tmp_path / "theirs", buffer_size=40)
        assert differences(tree(tmp_path / "ours"), tree(tmp_path / "theirs")) == []

    @pytest.mark.parametrize(
        "settings",
        [{}, {"compression": None}, dict(hdf5plugin.Zstd()), {"chunks": True}],
    )
    def test_bytes_do_not_depend_on_threads(self, settings, tmp_path, monkeypatch):
        """Nor on the run, or on who reads the input."""
        monkeypatch.setattr("daq2lh5.reading.readers.AHEAD_FROM", 0)
        source = tmp_path / "run.fcio"
        stream = STREAMS["all records"] | {"n_samples": 1500}
        source.write_bytes(writer.make_stream(150, **stream))
        made = set()
        for threads in (1, 2, 4, 2, None):
            daq2lh5.build_raw(
                source,
                out_spec=tmp_path / "x.lh5",
                threads=threads,
                buffer_size=100,
                hdf5_settings=settings,
                memory_limit=2**25,
                overwrite=True,
            )
            made.add((tmp_path / "x.lh5").read_bytes())
        assert len(made) == 1

    def test_several_files_and_threads(self, tmp_path):
        """Chunks of different files are on their way together."""
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(100, n_channels=4, n_samples=2000))
        made = []
        for threads in (1, 3):
            of_events = {
                "key_list": ["*"],
                "out_stream": f"{tmp_path}/{threads}_{{key}}.lh5:raw",
            }
            config = {"FCEventDecoder": {"events_{key}": of_events}}
            report = daq2lh5.build_raw(source, out_spec=config, threads=threads)
            made.append([Path(p) for p in sorted(report.outputs)])
        assert len(made[0]) == 4
        for one, other in zip(*made, strict=True):
            skip = ("daq2lh5_columns", "daq2lh5_report")
            assert differences(tree(one, skip), tree(other, skip)) == []

    @real_files
    @pytest.mark.parametrize("name", ["L200-comm-20211130-phy-spms.fcio"])
    def test_real_file(self, name, tmp_path):
        source = TESTDATA / "fcio" / name
        if not source.exists():
            pytest.skip(f"no {name}")
        daq2lh5.build_raw(source, out_spec=tmp_path / "ours")
        convert_by_lh5(source, tmp_path / "theirs")
        ours = tree(tmp_path / "ours", skip=("daq2lh5_columns", "daq2lh5_report"))
        assert differences(ours, tree(tmp_path / "theirs")) == []
        # the default compression is no worse than zlib's at its default level
        size = (tmp_path / "ours").stat().st_size
        assert size < 1.02 * (tmp_path / "theirs").stat().st_size


class TestFiles:
    """What a file is like as HDF5 (LH5 format, 1.5)."""

    def test_oldest_format(self, tmp_path):
        source = tmp_path / "run.fcio"
        source.write_bytes(writer.make_stream(9, n_channels=2, n_samples=30))
        daq2lh5.build_raw(source, out_spec=tmp_path / "a")
        write_to_lh5_and_clear([buffer_of(MAKERS["table"](9, 1), tmp_path / "b")])
        for path in (tmp_path / "a", tmp_path / "b"):
            with h5py.File(path) as file:
                version, *others = file.id.get_create_plist().get_version()
                assert (version, others) == (0, [0, 0, 0])
                for obj in (file, *(file[name] for name in all_names(file))):
                    # of headers in the newer format HDF5 1.6 knows nothing
                    properties = obj.id.get_create_plist()
                    assert properties.get_attr_creation_order() == 0
                    info = h5py.h5o.get_info(obj.id)
                    assert info.hdr.version == 1

    def test_plain_bytes_of_the_superblock(self, tmp_path):
        write_to_lh5_and_clear([buffer_of(MAKERS["table"](9, 1), tmp_path / "x")])
        head = (tmp_path / "x").read_bytes()[:9]
        assert head == b"\x89HDF\r\n\x1a\n\x00"

    @pytest.mark.parametrize("name", ["größe", "漢字/表", "with space", "x" * 200])
    def test_names(self, name, tmp_path):
        obj = MAKERS["table"]
        for seed in (1, 2):
            rb = buffer_of(obj(4, seed), f"{tmp_path / 'ours'}:gruppé", name)
            write_to_lh5_and_clear([rb])
            lh5.write(obj(4, seed), name, tmp_path / "theirs", group="gruppé")
        assert differences(tree(tmp_path / "ours"), tree(tmp_path / "theirs")) == []

    def test_more_tables_than_are_kept_open(self, tmp_path, monkeypatch):
        """Datasets are closed and opened again; chunks of all of them fill slowly."""
        monkeypatch.setattr(lh5_writer, "OPEN_DATASETS", 5)
        plan = MemoryPlan(2**24, 20_000)
        sizes = (3, 20, 1, 40, 16)
        with h5py.File(tmp_path / "ours", "w") as file:
            made = lh5_writer.LH5Writer(file, plan=plan)
            for i, n in enumerate(sizes):
                for k in range(6):
                    made.append_lgdo(MAKERS["table"](n, 7 * i + k), f"ch{k}/raw")
            made.finish()
        for i, n in enumerate(sizes):
            for k in range(6):
                obj = MAKERS["table"](n, 7 * i + k)
                lh5.write(obj, f"ch{k}/raw", tmp_path / "theirs")
        assert differences(tree(tmp_path / "ours"), tree(tmp_path / "theirs")) == []

    @pytest.mark.parametrize("order", ["small first", "large first"])
    def test_copies_of_one_template(self, order, tmp_path):
        """Tables of the same columns and different numbers of rows, also of none."""
        sizes = [1, 2, 3, 1, 15, 16, 17, 1, 200, 5, 33, 2]
        if order == "large first":
            sizes.sort(reverse=True)
        table = TableBuffer(
            {
                "n": {"dtype": "u4"},
                "v": {"dtype": "u2", "datatype": "array<1>{array<1>{real}}"},
                "w": {
                    "dtype": "u2",
                    "datatype": "array_of_equalsized_arrays<1,1>{real}",
                    "length": 200,
                },
            },
            300,
        )
        wanted = {}
        with h5py.File(tmp_path / "x.lh5", "w") as file:
            made = lh5_writer.LH5Writer(file, plan=MemoryPlan(2**24, 1000))
            for i, n in enumerate(sizes):
                # some without any elements in the vectors
                lengths = np.arange(n) % 3 * (i % 2)
                table.grow_vectors(0, int(lengths.sum()))
                arrays = table.arrays
                arrays["n"][:n] = 1000 * i + np.arange(n)
                arrays["v/offsets"][1 : n + 1] = np.cumsum(lengths)
                arrays["v/flattened_data"][: lengths.sum()] = i
                arrays["w"][:n] = np.arange(i, i + 200)
                made.append(table.layout, table.rows(arrays, n), f"t{i}")
                made.drain()
                wanted[f"t{i}"] = (n, lengths)
            made.finish()
        for i, (name, (n, lengths)) in enumerate(wanted.items()):
            found = lh5.read(name, tmp_path / "x.lh5")
            assert np.array_equal(found["n"].nda, 1000 * i + np.arange(n))
            assert np.array_equal(found["v"].cumulative_length.nda, np.cumsum(lengths))
            assert (found["v"].flattened_data.nda == i).all()
            assert (found["w"].nda == np.arange(i, i + 200)).all()
            assert found["w"].nda.shape == (n, 200)


def all_names(file: h5py.File) -> list[str]:
    names: list[str] = []
    file.visit(names.append)
    return names


# --- imports ------------------------------------------------------------------------

HEAVY = """
import sys
heavy = {"lgdo", "lh5", "numba", "pandas", "awkward", "hdf5plugin", "matplotlib"}
def check():
    found = heavy & set(sys.modules)
    assert not found, found
"""

LIGHT = {
    "import": "import daq2lh5",
    "help": """
from daq2lh5.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
""",
    "default": """
import daq2lh5
daq2lh5.build_raw("run.fcio", out_spec="x.lh5")
""",
    "command line": """
from daq2lh5.cli import main
try:
    main(["convert", "-o", "x.lh5", "run.fcio"])
except SystemExit as e:
    assert not e.code
""",
    "channels": """
import daq2lh5
daq2lh5.build_raw("run.fcio", out_spec={
    "FCEventDecoder": {"ch{key:07d}/raw": {"key_list": ["*"], "out_stream": "x.lh5"}},
    "*": {"{name}": {"key_list": ["*"], "out_stream": "x.lh5"}},
})
""",
    "settings": """
import daq2lh5
settings = {"compression": "lzf", "fletcher32": True}
daq2lh5.build_raw("run.fcio", out_spec="x.lh5", hdf5_settings=settings)
""",
    "damaged": """
import daq2lh5
daq2lh5.build_raw("damaged.fcio", out_spec="x.lh5")
""",
    "buffers": """
import daq2lh5
from daq2lh5.raw_buffer import write_to_lh5_and_clear
options = {"out_stream": "x.lh5", "buffer_size": 8}
with daq2lh5.open_stream("run.fcio", **options) as (streamer, header):
    write_to_lh5_and_clear(header)
    for chunk in streamer:
        write_to_lh5_and_clear(chunk)
""",
}


@pytest.mark.parametrize(
    ("what", "fsp"),
    [*((w, False) for w in LIGHT), ("default", True), ("buffers", True)],
)
def test_nothing_heavy_is_imported(what, fsp, tmp_path):
    """It would take longer than the conversion of a small file."""
    data = writer.make_stream(9, n_channels=3, n_samples=30, status_every=2, fsp=fsp)
    (tmp_path / "run.fcio").write_bytes(data)
    (tmp_path / "damaged.fcio").write_bytes(data[:5000] + b"x" * 99 + data[5000:])
    done = subprocess.run(
        [sys.executable, "-c", f"{HEAVY}{LIGHT[what]}\ncheck()"],
        env=ENVIRONMENT,
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if what not in ("import", "help"):
        assert h5py.is_hdf5(tmp_path / "x.lh5")


def test_what_lh5_must_write(tmp_path):
    """Histograms and deep vectors, between tables and inside of a struct."""
    for seed in (1, 2):
        objects = {
            "t": MAKERS["table"](9, seed),
            "deep/vv": MAKERS["vectors of vectors"](3, seed),
            "deep/t": MAKERS["table"](9, seed),
        }
        if seed == 1:
            objects["deep/h"] = histogram(5, seed)
            objects["s"] = lgdo.Struct(
                {"h": histogram(4, seed), "t": MAKERS["table"](3, seed)}
            )
        buffers = [
            buffer_of(obj, tmp_path / "ours", name) for name, obj in objects.items()
        ]
        write_to_lh5_and_clear(buffers)
        for name, obj in objects.items():
            lh5.write(obj, name, tmp_path / "theirs")
    assert differences(tree(tmp_path / "ours"), tree(tmp_path / "theirs")) == []


@pytest.mark.parametrize("mode", ["write_safe", "overwrite", "o", "append", "a"])
def test_modes_of_lh5(mode, tmp_path):
    """Arguments of `LH5Store.write` are passed on."""
    for seed, name in ((1, "a"), (2, "b"), (3, "b")):
        obj = MAKERS["table"](9, seed)
        if mode == "write_safe" and seed == 3:
            with pytest.raises(lh5.io.exceptions.LH5EncodeError):
                write_to_lh5_and_clear(
                    [buffer_of(obj, tmp_path / "ours", name)], wo_mode=mode
                )
            continue
        write_to_lh5_and_clear([buffer_of(obj, tmp_path / "ours", name)], wo_mode=mode)
        lh5.write(obj, name, tmp_path / "theirs", wo_mode=mode)
    assert differences(tree(tmp_path / "ours"), tree(tmp_path / "theirs")) == []

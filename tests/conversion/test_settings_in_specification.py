"""HDF5 and column settings in the specification: levels, precedence, provenance."""

import json

import h5py
import hdf5plugin
import pytest
from click.testing import CliRunner
from kit.writers import fcio as writer

from daq2lh5.build_raw import convert
from daq2lh5.cli import main
from daq2lh5.raw_buffer import RawBufferLibrary

LZF, ZSTD, DEFLATE = "lzf", "32015", "gzip"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "run.fcio"
    path.write_bytes(writer.make_stream(3, n_channels=3, n_samples=20))
    return path


def spec_of(out, *, top=None, columns=None, own=None, own_columns=None, **more):
    """A specification with a table of one channel, and one of the others."""
    first = {"key_list": ["*0"], "out_stream": str(out)}
    if own is not None:
        first["hdf5_settings"] = own
    if own_columns is not None:
        first["column_settings"] = own_columns
    rest = {"key_list": ["*"], "out_stream": str(out)} | more
    spec = {"FCEventDecoder": {"first": first, "rest": rest}}
    if top is not None:
        spec["hdf5_settings"] = top
    if columns is not None:
        spec["column_settings"] = columns
    return spec


def compressions(out, column="baseline"):
    """Compression of a column in the two tables."""
    with h5py.File(out) as file:
        found = []
        for table in ("first", "rest"):
            dataset = file[table][column]
            plugin = [n for n in dataset._filters if n.isdigit()]
            found.append(plugin[0] if plugin else dataset.compression)
        return found


LEVELS = [
    # specification, arguments, compression of both tables
    ({"top": {"compression": LZF}}, {}, [LZF, LZF]),
    ({"top": {"compression": LZF}}, {"compression": "zstd"}, [ZSTD, ZSTD]),
    ({"own": {"compression": LZF}}, {}, [LZF, DEFLATE]),
    ({"own": {"compression": LZF}}, {"compression": "zstd"}, [LZF, ZSTD]),
    (
        {"top": {"compression": "zstd"}, "own": {"compression": None}},
        {},
        [None, ZSTD],
    ),
    ({"own": {"compression": None}, "columns": {"baseline": LZF}}, {}, [LZF, LZF]),
    ({"columns": {"baseline": LZF}, "own_columns": {"baseline": "zstd"}}, {}, None),
]


@pytest.mark.parametrize(("given", "argument", "expected"), LEVELS)
def test_levels(source, tmp_path, given, argument, expected):
    out = tmp_path / "out.lh5"
    convert(source, out_spec=spec_of(out, **given), hdf5_settings=argument)
    assert compressions(out) == (expected or [ZSTD, LZF])


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ({"baseline": LZF}, ["32004", LZF]),
        ({"first/baseline": LZF}, [LZF, ZSTD]),
        ({"FCEventDecoder/baseline": LZF}, [LZF, LZF]),
    ],
)
def test_columns_of_arguments(source, tmp_path, argument, expected):
    """Settings for fewer tables win; for the same tables the argument wins."""
    out = tmp_path / "out.lh5"
    spec = spec_of(out, columns={"baseline": "zstd"}, own_columns={"baseline": "lz4"})
    convert(source, out_spec=spec, column_settings=argument)
    assert compressions(out) == expected


def test_other_settings_stay(source, tmp_path):
    out = tmp_path / "out.lh5"
    spec = spec_of(
        out,
        top={"compression": "gzip", "compression_opts": 9, "fs_strategy": "page"},
        own={"compression": LZF, "fletcher32": True},
    )
    convert(source, out_spec=spec, hdf5_settings={"shuffle": False})
    with h5py.File(out) as file:
        first, rest = file["first/baseline"], file["rest/baseline"]
        assert (first.compression, first.fletcher32, first.shuffle) == (
            LZF,
            True,
            False,
        )
        assert (rest.compression, rest.compression_opts, rest.fletcher32) == (
            "gzip",
            9,
            False,
        )
        assert file.id.get_create_plist().get_file_space_strategy()[0] == 1


def test_headers_and_processed_tables(source, tmp_path):
    """Settings of a buffer are for processed columns, and for templates."""
    out = tmp_path / "out.lh5"
    zstd = {"compression": "zstd"}
    events = {
        "key_list": ["*"],
        "out_stream": str(out),
        "hdf5_settings": zstd,
        "proc_spec": {
            "window": ["waveform", 2, 8, "windowed"],
            "hdf5_settings": {"windowed/values": {"compression": "lzf"}},
        },
    }
    rest = {"key_list": ["*"], "out_stream": str(out), "hdf5_settings": zstd}
    spec = {"FCEventDecoder": {"ch{key}": events}, "*": {"{name}": rest}}
    convert(source, out_spec=spec)
    with h5py.File(out) as file:
        (table, *_) = [name for name in file if name.startswith("ch")]
        assert file[table]["windowed/values"].compression == LZF
        assert ZSTD in file[table]["windowed/t0"]._filters
        assert ZSTD in file[table]["baseline"]._filters
        assert ZSTD in file["FCConfig/tracemap/flattened_data"]._filters


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"own": {"libver": "v110"}}, "whole files"),
        ({"own": {"compresion": "lzf"}}, "did you mean 'compression'"),
        ({"own": [1]}, "buffer 'first': hdf5_settings is"),
        ({"top": "lzf"}, "the specification: hdf5_settings is 'lzf'"),
        ({"own_columns": {5: "lzf"}}, "expected text"),
        ({"own_columns": {"waveform": "lzf"}}, "is a waveform"),
        ({"own": {"compression": "zsdt"}}, "did you mean 'zstd'"),
    ],
)
def test_mistakes(source, tmp_path, given, words):
    out = tmp_path / "out.lh5"
    with pytest.raises(ValueError, match=words):
        convert(source, out_spec=spec_of(out, **given))
    assert not out.exists()


def test_a_misspelled_level_is_an_error(source):
    with pytest.raises(ValueError, match="did you mean 'hdf5_settings'"):
        convert(source, out_spec={"hdf5_setings": {}})


def test_unused_columns_are_reported(source, tmp_path):
    spec = spec_of(tmp_path / "o.lh5", own_columns={"basline": LZF})
    report = convert(source, out_spec=spec)
    assert any("'basline' (did you mean 'baseline'?)" in n for n in report.notes)


def test_provenance_and_skip_existing(source, tmp_path):
    out = tmp_path / "out.lh5"
    file = tmp_path / "spec.json"
    spec = spec_of(out, top={"compression": "zstd"}, own={"shuffle": False})
    file.write_text(json.dumps(spec))
    args = ["convert", str(source), "-o", str(file), "--skip-existing"]
    runner = CliRunner()
    assert runner.invoke(main, args).exit_code == 0
    with h5py.File(out) as opened:
        found = json.loads(opened.attrs["daq2lh5_report"])["specification"]
    assert found["hdf5_settings"] == {"compression": "zstd"}
    (entry,) = [e for e in found["FCEventDecoder"] if "first" in e["tables"]]
    assert entry["hdf5_settings"] == {"shuffle": False}
    assert "up to date" in runner.invoke(main, args).output
    spec["FCEventDecoder"]["first"]["hdf5_settings"] = {"shuffle": True}
    file.write_text(json.dumps(spec))
    assert "up to date" not in runner.invoke(main, args).output
    with h5py.File(out) as opened:
        assert opened["first/baseline"].shuffle


def test_objects_in_python(source, tmp_path):
    out = tmp_path / "out.lh5"
    zstd = hdf5plugin.Zstd(clevel=4)
    report = convert(source, out_spec=spec_of(out, top={"compression": zstd}))
    assert compressions(out) == [ZSTD, ZSTD]
    found = report.provenance["specification"]["hdf5_settings"]["compression"]
    assert found == {"compression": 32015, "compression_opts": [4]}
    # these restore the conversion
    again = tmp_path / "again.lh5"
    convert(source, out_spec=spec_of(again, top={"compression": found}))
    with h5py.File(again) as file:
        assert file["rest/baseline"]._filters[ZSTD] == (4,)


def test_libraries_keep_the_settings(source, tmp_path):
    out = tmp_path / "out.lh5"
    library = RawBufferLibrary(
        spec_of(out, top={"compression": LZF}, own={"compression": None})
    )
    convert(source, out_spec=library)
    assert compressions(out) == [None, LZF]


def test_daq2lh5_process(source, tmp_path):
    raw, out = tmp_path / "raw.lh5", tmp_path / "out.lh5"
    convert(source, out_spec=spec_of(raw))
    file = tmp_path / "spec.json"
    spec = spec_of(raw, top={"compression": LZF}, own={"compression": None})
    spec["FCEventDecoder"]["first"]["column_settings"] = {"baseline": "zstd"}
    file.write_text(json.dumps(spec))
    done = CliRunner().invoke(
        main, ["process", str(raw), "-s", str(file), "-o", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert compressions(out) == [None, LZF]
    assert "column_settings are for conversions" in done.output

"""Fragments of specifications are merged, from files and dictionaries."""

import copy
import json

import h5py
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from kit.writers import fcio as writer

from daq2lh5.buffers.merge_specs import merge_specs
from daq2lh5.build_raw import build_raw
from daq2lh5.cli import main
from daq2lh5.raw_buffer import RawBufferLibrary


def merged(*fragments):
    return merge_specs((f"part {i}", f) for i, f in enumerate(fragments, 1))


def test_levels_lists_and_null():
    first = {"a": {"e": {"x": 1, "y": [1, 2], "z": {"q": 1}}}, "b": 2}
    second = {"a": {"e": {"x": 3, "y": [4], "z": None}}, "c": {}}
    before = copy.deepcopy((first, second))
    assert merged(first, second) == {
        "a": {"e": {"x": 3, "y": [4], "z": None}},
        "b": 2,
        "c": {},
    }
    assert (first, second) == before
    assert list(merged(first, second)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("one", "other", "kinds"),
    [
        ({}, "x", "is a single value .*, but a dictionary"),
        ([1], {}, "is a dictionary .*, but a list"),
        (5, [5], "is a list .*, but a single value"),
    ],
)
def test_conflicts_name_the_place(one, other, kinds):
    with pytest.raises(ValueError, match=f"part 2: a > b > 3 {kinds}"):
        merged({"a": {"b": {3: one}}}, {"a": {"b": {3: other}}})
    # null between them
    assert merged({"a": one}, {"a": None}, {"a": other}) == {"a": other}


@pytest.mark.parametrize(
    ("nulls", "place"),
    [({"a": None}, "a"), ({"a": {"b": None}}, "a > b")],
)
def test_decoders_and_buffers_that_stay_null_are_refused(nulls, place):
    first = {"a": {"b": {"key_list": [1]}}}
    with pytest.raises(ValueError, match=f"part 2: {place} is null"):
        merged(first, nulls, {"c": {}})
    with pytest.raises(ValueError, match=f"part 3: {place} is null"):
        merged(first, nulls, nulls)
    assert merged(first, nulls, first) == first
    # settings may be null
    settings = {"hdf5_settings": None}
    assert merged({"hdf5_settings": {"shuffle": True}}, settings) == settings


def test_one_specification_names_its_decoder(source):
    with pytest.raises(ValueError, match="FCEventDecoder': expected a dictionary"):
        build_raw(source, out_spec={"FCEventDecoder": None})


def nested(below):
    return st.integers(0, 3) | st.dictionaries(st.sampled_from("abc"), below)


dictionaries = st.dictionaries(
    st.sampled_from("abc"), nested(nested(st.integers(0, 3)))
)


def leaves(tree, path=()):
    if not isinstance(tree, dict):
        return {path: tree}
    return {k: v for key, t in tree.items() for k, v in leaves(t, (*path, key)).items()}


@given(dictionaries, dictionaries)
def test_any_two(first, second):
    try:
        found = merged(first, second)
    except ValueError:
        paths = [set(leaves(t)) for t in (first, second)]
        assert paths[0] != paths[1]
        return
    assert leaves(found) == leaves(first) | leaves(second)
    assert merged(found, second) == found
    assert merged(first) == first


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "run.fcio"
    path.write_bytes(writer.make_stream(3, n_channels=2, n_samples=20))
    return path


def test_files_on_the_command_line_and_a_list_in_python(source, tmp_path):
    general, site = tmp_path / "general.yaml", tmp_path / "site.json"
    general.write_text(
        "FCEventDecoder: {all: {key_list: ['*'], out_stream: '{dir}/x.lh5'}}\n"
        "hdf5_settings: {compression: zstd, shuffle: false}\n"
    )
    spec = {
        "hdf5_settings": {"compression": "lzf"},
        "FCEventDecoder": {"all": {"out_name": "events"}},
    }
    site.write_text(json.dumps(spec))
    args = ["convert", str(source), "-o", str(general), "-o", str(site)]
    for way in ("command", "python"):
        folder = tmp_path / way
        if way == "command":
            keywords = json.dumps({"dir": str(folder)})
            done = CliRunner().invoke(main, [*args, "-k", keywords])
            assert done.exit_code == 0, done.output
        else:
            before = copy.deepcopy(spec)
            build_raw(source, out_spec=[general, spec], dir=folder)
            assert spec == before
        with h5py.File(folder / "x.lh5") as file:
            baseline = file["events/baseline"]
            assert (baseline.compression, baseline.shuffle) == ("lzf", False)


def test_one_in_a_list_is_like_one(source, tmp_path):
    spec = {
        "FCEventDecoder": {"ch{key}": {"key_list": [[3, 4]], "out_stream": "x.lh5"}}
    }
    with pytest.raises(ValueError, match="selects nothing"):
        build_raw(source, out_spec=[spec])
    build_raw(source, out_spec=[tmp_path / "one.lh5"])
    assert (tmp_path / "one.lh5").exists()


def test_names_of_outputs_cannot_be_merged(source, tmp_path):
    spec = {"FCEventDecoder": {"all": {"key_list": ["*"], "out_stream": "x.lh5"}}}
    with pytest.raises(ValueError, match=r"y\.lh5' is the name of an output"):
        build_raw(source, out_spec=[spec, "y.lh5"])
    with pytest.raises(ValueError, match="empty list"):
        build_raw(source, out_spec=[])
    with pytest.raises(ValueError, match="a library of buffers"):
        build_raw(source, out_spec=[spec, RawBufferLibrary(copy.deepcopy(spec))])
    with pytest.raises(TypeError, match="out_spec is a int"):
        build_raw(source, out_spec=[spec, 5])
    done = CliRunner().invoke(
        main, ["convert", str(source), "-o", "a.lh5", "-o", "b.lh5"]
    )
    assert done.exit_code == 2
    assert "is the name of an output" in done.output

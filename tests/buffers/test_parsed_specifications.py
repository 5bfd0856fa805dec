"""Specifications are parsed once; the user's dictionary is expanded at the end."""

from __future__ import annotations

import copy

import pytest

from daq2lh5.buffers.out_spec import parse_out_spec
from daq2lh5.buffers.places import Place
from daq2lh5.conversion import targets
from daq2lh5.errors import OutSpecError

SPEC = {
    "FCEventDecoder": {
        "ch{key:03d}": {
            "key_list": [[1, 2]],
            "out_stream": "{run}.lh5:{name}",
            "proc_spec": {"drop": ["baseline"]},
        },
        "rest": {"key_list": ["*"], "out_stream": "{run}.lh5", "out_name": "all"},
    }
}


def test_parsing_leaves_the_dictionary_alone():
    given = copy.deepcopy(SPEC)
    spec = parse_out_spec(given)
    assert given == SPEC
    buffers = spec.decoders["FCEventDecoder"]
    assert [b.name for b in buffers] == ["rest", "ch001", "ch002"]
    assert [b.key_list for b in buffers] == [["*"], [1], [2]]
    assert buffers[0].has_patterns
    assert spec.fields == {"run", "name"}
    spec.write_back(given)
    assert list(given["FCEventDecoder"]) == ["rest", "ch001", "ch002"]
    assert parse_out_spec(given) == spec


def test_one_specification_serves_for_many_conversions():
    spec = parse_out_spec(copy.deepcopy(SPEC))
    for run in ("a", "b"):
        rest, first, _ = spec.fill_in({"run": run}).decoders["FCEventDecoder"]
        assert Place.of(first.out_stream, first.out_name) == Place(
            f"{run}.lh5", "ch001", "ch001"
        )
        assert (rest.out_stream, rest.out_name) == (f"{run}.lh5", "all")
        assert first.proc_spec is spec.decoders["FCEventDecoder"][1].proc_spec


def test_an_error_in_the_processing_leaves_the_dictionary_alone():
    """The expansion is the last step: nothing comes after it that can fail."""
    given = copy.deepcopy(SPEC)
    given["FCEventDecoder"]["rest"]["proc_spec"] = {"window": 5}
    before = copy.deepcopy(given)
    with pytest.raises(OutSpecError, match="window"):
        targets.target_of(given, "x.fcio", {"run": "r"})
    assert given == before


def test_many_inputs_parse_a_file_once(tmp_path, monkeypatch):
    from daq2lh5.command.arguments import targets_of

    path = tmp_path / "spec.json"
    path.write_text(
        '{"*": {"{name}": {"key_list": ["*"], "out_stream": "{orig_basename}.lh5"}}}'
    )
    parsed = []

    def parse(config, channel_map):
        parsed.append(config)
        return parse_out_spec(config, channel_map)

    monkeypatch.setattr(targets, "parse_out_spec", parse)
    found = targets_of(("a.fcio", "b.fcio"), (str(path),), {})
    assert [t.files for t in found.values()] == [["a.lh5"], ["b.lh5"]]
    assert len(parsed) == 1

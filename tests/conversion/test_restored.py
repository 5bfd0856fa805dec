"""The stored provenance suffices to convert again."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
from kit.writers import fcio

from daq2lh5 import build_raw
from daq2lh5.conversion.provenance import (
    hash_of_settings,
    keys_of,
    provenance_of,
)
from daq2lh5.conversion.restored import (
    LostSettingsError,
    restored_arguments,
    restored_name,
    restored_target,
)
from daq2lh5.conversion.stored_reports import read_report
from daq2lh5.conversion.targets import target_of

SPEC = {
    "FCEventDecoder": {
        "a": {"key_list": [[1, 3], 7, "9*"], "out_stream": "OUT/x/a.lh5:g"},
        "b": {"key_list": [10], "out_stream": "OUT/x/a.lh5:g"},
        "c": {"key_list": [[11, 12]], "out_stream": "OUT/y/a.lh5", "out_name": "b"},
    },
    "*": {"{name}": {"key_list": ["*"], "out_stream": "OUT/y/{key:d}.lh5:g/{key}"}},
}


def spec_in(folder) -> dict:
    text = json.dumps(SPEC).replace("OUT", str(folder))
    return json.loads(text)


def places(target) -> list[tuple]:
    return [
        (decoder, rb.out_name, rb.out_stream, rb.key_list, rb.proc_spec)
        for decoder, rb in target.rb_lib.buffers()
    ]


def test_a_specification_is_stored_without_its_folder(tmp_path):
    spec = provenance_of("x", target_of(spec_in(tmp_path), "x", {}), {})
    stored = spec["specification"]["FCEventDecoder"]
    assert stored == [
        {"tables": {"a": [[1, 3], 7, "9*"], "b": [10]}, "out_stream": "x/a.lh5:g"},
        {"tables": {"b": [[11, 12]]}, "out_stream": "y/a.lh5"},
    ]
    assert str(tmp_path) not in json.dumps(spec)


def test_a_specification_is_restored_in_another_folder(tmp_path):
    target = target_of(spec_in(tmp_path), "x", {})
    made = json.loads(json.dumps(provenance_of("x", target, {})))
    found = restored_target(made, f"{tmp_path}/out.lh5")
    assert places(found) == places(target)
    assert provenance_of("x", found, {})["settings"] == made["settings"]


def test_one_file(tmp_path):
    for out, group in ((f"{tmp_path}/x.lh5", None), (f"{tmp_path}/x.lh5:a/b", "a/b")):
        made = provenance_of("x", target_of(out, "x", {}), {})
        assert made["specification"] == (group and {"group": group})
        found = restored_target(made, f"{tmp_path}/y.lh5")
        assert found.rb_lib is None
        assert provenance_of("x", found, {})["settings"] == made["settings"]


def test_processing_in_files_is_stored(tmp_path):
    spec = {"drop": ["waveform"], "dsp_config": str(tmp_path / "dsp.json")}
    (tmp_path / "dsp.json").write_text('{"outputs": [], "processors": {}}')
    (tmp_path / "p.json").write_text(json.dumps(spec))
    table = {"key_list": ["*"], "out_stream": f"{tmp_path}/x.lh5"}
    target = target_of(
        {"FCEventDecoder": {"a": table | {"proc_spec": str(tmp_path / "p.json")}}},
        "x",
        {},
    )
    (entry,) = provenance_of("x", target, {})["specification"]["FCEventDecoder"]
    assert entry["proc_spec"] == {
        "drop": ["waveform"],
        "dsp_config": {"outputs": [], "processors": {}},
    }


@pytest.mark.parametrize("keys", [[], [1], [1, 2], [3, 1, 2, 7, 8, 9], ["a", 1, 2]])
def test_keys(keys, tmp_path):
    table = {"key_list": [*keys], "out_stream": f"{tmp_path}/x.lh5"}
    target = target_of({"FCEventDecoder": {"a": table}}, "x", {})
    wanted = next(target.rb_lib.buffers())[1].key_list
    (entry,) = provenance_of("x", target, {})["specification"]["FCEventDecoder"]
    assert [*keys_of(entry["tables"]["a"])] == wanted


def test_arguments_of_numpy_are_stored(tmp_path):
    target = target_of(f"{tmp_path}/x.lh5", "x", {})
    given = {"db_dict": {"a": {"b": np.float64(0.1), "c": np.arange(3)}}, "n_max": None}
    made = json.loads(json.dumps(provenance_of("x", target, given)))
    assert made["arguments"] == {"db_dict": {"a": {"b": 0.1, "c": [0, 1, 2]}}}
    assert restored_arguments(made, {}) == made["arguments"] | {"options": {}}


def test_lost_settings(tmp_path):
    made = provenance_of("x", target_of(f"{tmp_path}/x.lh5", "x", {}), {})
    with pytest.raises(LostSettingsError, match="were changed"):
        restored_target(made | {"specification": {"group": "a"}}, "x.lh5")
    with pytest.raises(LostSettingsError, match="lacks"):
        restored_target({}, "x.lh5")
    file = {"compass_config_file": {"name": "a.xml", "sha256": "0"}}
    with pytest.raises(LostSettingsError, match=r"compass_config_file=a\.xml"):
        restored_arguments(made | {"arguments": file}, {})
    given = {"compass_config_file": "b.xml"}
    found = restored_arguments(made | {"arguments": file}, given)
    assert found["options"] == given


def test_each_output_has_its_name(tmp_path):
    daq = tmp_path / "x.fcio"
    daq.write_bytes(fcio.make_stream(3, n_channels=2, n_samples=8))
    table = {"key_list": ["*"], "out_stream": f"{tmp_path}/o/{{key}}.lh5"}
    build_raw(daq, out_spec={"FCEventDecoder": {"raw": table}})
    names = sorted((tmp_path / "o").iterdir())
    reports = [read_report(str(name)) for name in names]
    assert [r["output"] for r in reports] == [n.name for n in names]
    assert [restored_name(r, f"{tmp_path}/z.lh5") for r in reports] == [
        str(tmp_path / n.name) for n in names
    ]
    for report in reports:
        assert hash_of_settings(report) == report["settings"]


def test_a_damaged_report_is_not_read(tmp_path):
    path = tmp_path / "x.lh5"
    for text in ("{", "[]", '{"packed": {"a": "AAAA"}}', '{"packed": {"a": "!"}}'):
        with h5py.File(path, "w") as file:
            file.attrs["daq2lh5_report"] = text
        assert read_report(str(path)) is None

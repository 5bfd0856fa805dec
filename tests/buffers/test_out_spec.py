"""Output specifications: used many times, with all types of values, with errors."""

from __future__ import annotations

import copy
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.buffers.fields import fill_in
from daq2lh5.conversion.targets import target_of
from daq2lh5.errors import OutSpecError
from daq2lh5.raw_buffer import (
    RawBuffer,
    RawBufferLibrary,
    RawBufferList,
    write_to_lh5_and_clear,
)

KEYS = [1027200, 1027201, 1027202]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty directory to work in, with three runs."""
    monkeypatch.chdir(tmp_path)
    for i in range(1, 4):
        (tmp_path / f"run{i}.fcio").write_bytes(
            writer.make_stream(i, n_channels=3, n_samples=20)
        )
    return tmp_path


def rows(file) -> dict[str, int]:
    found = {}

    def add(name, obj):
        if name.endswith("packet_id"):
            found[name.rpartition("/")[0]] = len(obj)

    with h5py.File(file) as f:
        f.visititems(add)
    return found


def keys_of(key_list) -> list:
    library = RawBufferLibrary({"FCEventDecoder": {"a": {"key_list": key_list}}})
    return library["FCEventDecoder"][0].key_list


class TestOneSpecificationManyRuns:
    """Values of one conversion stay out of the user's dictionary."""

    @pytest.mark.parametrize("key_list", [["*"], [KEYS], KEYS, [[KEYS[0], KEYS[2]]]])
    def test_three_runs_give_three_files(self, here, key_list):
        if key_list == [KEYS]:
            key_list = [np.array(KEYS)[0], *KEYS[1:]]
        spec = {
            "FCEventDecoder": {
                "ch{key}": {"key_list": key_list, "out_stream": "{run}.lh5"}
            }
        }
        for i in range(1, 4):
            daq2lh5.build_raw(
                f"run{i}.fcio", out_spec=spec, run=f"run{i}", overwrite=True
            )
        for i in range(1, 4):
            assert rows(f"run{i}.lh5") == {f"ch{key}": i for key in KEYS}

    @pytest.mark.parametrize("name", ["raw", "ch{key}"])
    def test_a_variable_ends_where_a_keyword_begins(self, here, monkeypatch, name):
        """$OUT{run} is the variable OUT and the keyword run."""
        monkeypatch.setenv("OUT", "a{b}")
        monkeypatch.setenv("OUTrun1", "wrong")
        buffer = {"key_list": ["*"], "out_stream": "$OUT{run}.lh5"}
        spec = {"FCEventDecoder": {name: buffer}}
        daq2lh5.build_raw("run1.fcio", out_spec=spec, run="run1")
        assert [f.name for f in here.glob("*.lh5")] == ["a{b}run1.lh5"]

    def test_environment_variables_are_those_of_each_run(self, here, monkeypatch):
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "$OUT/x.lh5"}}}
        for i in range(1, 4):
            monkeypatch.setenv("OUT", f"out{i}")
            daq2lh5.build_raw(f"run{i}.fcio", out_spec=spec)
        for i in range(1, 4):
            assert rows(f"out{i}/x.lh5")["FCEvent"] == 3 * i

    def test_values_do_not_enter_the_dictionary(self, here, monkeypatch):
        monkeypatch.setenv("OUT", "out")
        spec = {
            "FCEventDecoder": {
                "ch{key}": {
                    "key_list": KEYS,
                    "out_stream": "$OUT/{run}.lh5:{key}",
                    "out_name": "{name}_{run}",
                }
            }
        }
        daq2lh5.build_raw("run1.fcio", out_spec=spec, run="secret")
        assert list(spec["FCEventDecoder"]) == [f"ch{k}" for k in KEYS]
        assert "secret" not in str(spec)
        assert "'out/" not in str(spec)

    def test_expanding_twice_is_expanding_once(self):
        spec = {
            "FCEventDecoder": {
                "ch{key:07d}/{name}": {
                    "key_list": [[1, 3], 7],
                    "out_stream": "{run}_{key}.lh5:{name}",
                },
                "rest": {"key_list": ["*"], "out_stream": "{run}.lh5"},
                "p{key}": {"key_list": ["8*"], "out_stream": "{run}.lh5"},
            },
            "*": {"{name}": {"key_list": ["*"], "out_stream": "{run}.lh5"}},
        }
        first = RawBufferLibrary(spec, {"run": "a"})
        expanded = copy.deepcopy(spec)
        second = RawBufferLibrary(spec, {"run": "a"})
        assert spec == expanded
        assert [str(rb) for _, rb in first.buffers()] == [
            str(rb) for _, rb in second.buffers()
        ]

    def test_two_decoders_with_one_dictionary(self):
        buffers = {"{name}": {"key_list": ["*"], "out_stream": "x.lh5"}}
        spec = {"FCEventDecoder": buffers, "FCStatusDecoder": buffers}
        for _ in range(2):
            library = RawBufferLibrary(spec)
            names = {d: rb.out_name for d, rb in library.buffers()}
            assert names == {"FCEventDecoder": "FCEvent", "FCStatusDecoder": "FCStatus"}

    def test_nothing_else_of_the_users_is_changed(self, here):
        key_list = [[KEYS[0], KEYS[2]]]
        spec = {
            "FCEventDecoder": {
                "a": {
                    "key_list": key_list,
                    "out_stream": "x.lh5",
                    "proc_spec": {"window": ["waveform", 1, 5, "short"]},
                }
            }
        }
        proc_spec = copy.deepcopy(spec["FCEventDecoder"]["a"]["proc_spec"])
        hdf5_settings = {"compression": "lzf"}
        db_dict = {"a": {"x": 1}}
        daq2lh5.build_raw(
            "run1.fcio", out_spec=spec, hdf5_settings=hdf5_settings, db_dict=db_dict
        )
        assert key_list == [[KEYS[0], KEYS[2]]]
        assert spec["FCEventDecoder"]["a"]["proc_spec"] == proc_spec
        assert hdf5_settings == {"compression": "lzf"}
        assert db_dict == {"a": {"x": 1}}

    def test_library_is_used_again(self, here):
        """Wildcards filled in by one run stay wildcards for the next."""
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "x.lh5"}}}
        library = RawBufferLibrary(spec)
        before = [str(rb) for _, rb in library.buffers()]
        for i in range(1, 4):
            daq2lh5.build_raw(f"run{i}.fcio", out_spec=library, overwrite=True)
            assert rows("x.lh5")["FCEvent"] == 3 * i
        assert [str(rb) for _, rb in library.buffers()] == before
        assert list(library) == ["*"]


class TestTypes:
    @pytest.mark.parametrize(
        "key_list",
        [
            [3, 4, 5],
            (3, 4, 5),
            range(3, 6),
            {3, 4, 5},
            np.arange(3, 6),
            np.arange(3, 6, dtype=np.uint16),
            [np.int64(3), np.uint8(4), 5.0],
            [[3, 5]],
            [(3, 5)],
            [[np.int32(3), 5]],
            np.array([[3, 5]]),
            [range(3, 6)],
            iter([3, 4, 5]),
            {3: None, 4: None, 5: None}.keys(),
        ],
        # an iterator's repr has its address: processes would not agree on the name
        ids=lambda keys: type(keys).__name__,
    )
    def test_any_collection_of_keys(self, key_list):
        keys = keys_of(key_list)
        assert keys == [3, 4, 5]
        assert {type(k) for k in keys} == {int}

    def test_sets_of_text_have_one_order(self):
        assert keys_of({"b", "a", 10, 9}) == [9, 10, "a", "b"]

    @pytest.mark.parametrize(
        "key_list",
        [
            None,
            5,
            "*",
            b"*",
            {},
            {"a": 1},
            [None],
            [True],
            [1.5],
            [float("nan")],
            [{}],
            [[]],
            [[1]],
            [[3, 1]],
            [["1", 2]],
            [[True, 2]],
            [[[1, 2], 3]],
            [b"x"],
            np.array([1.5]),
        ],
        ids=repr,
    )
    def test_what_is_no_key_is_one_line(self, key_list):
        with pytest.raises(OutSpecError, match="key_list") as error:
            keys_of(key_list)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        "key_list",
        [[[0, 2**31 - 1]], [range(2**40)], range(2**40), [[0, 2**20 - 1], 1]],
        ids=repr,
    )
    def test_endless_ranges_are_an_error_at_once(self, key_list):
        start = time.process_time()
        with pytest.raises(OutSpecError, match="keys"):
            keys_of(key_list)
        assert time.process_time() - start < 1

    def test_range_of_too_many_tables_is_an_error(self):
        spec = {"FCEventDecoder": {"ch{key}": {"key_list": [[0, 10**6]]}}}
        start = time.process_time()
        with pytest.raises(OutSpecError, match="buffers"):
            RawBufferLibrary(spec)
        assert time.process_time() - start < 2

    @pytest.mark.parametrize("name", [5, "5", np.int64(5)])
    def test_names_that_are_numbers(self, name):
        info = {"key_list": [1], "out_name": name}
        library = RawBufferLibrary({"FCEventDecoder": {5: info}})
        assert library["FCEventDecoder"][0].out_name == "5"

    @pytest.mark.parametrize("field", ["out_stream", "out_name"])
    @pytest.mark.parametrize("value", [None, True, 1.5, [], {}, ["x"]], ids=repr)
    def test_places_of_other_types_are_one_line(self, field, value):
        spec = {"FCEventDecoder": {"a": {"key_list": [1], field: value}}}
        with pytest.raises(OutSpecError, match=f"'a': {field}") as error:
            RawBufferLibrary(spec)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("out_name", ["", ".", "..", "a/./b", "/", "a\0"])
    def test_names_that_no_table_has(self, out_name):
        spec = {"FCEventDecoder": {"a": {"key_list": [1], "out_name": out_name}}}
        with pytest.raises(OutSpecError, match="table"):
            RawBufferLibrary(spec)

    @pytest.mark.parametrize("name", [None, True, 1.5, ""], ids=repr)
    def test_buffers_that_have_no_name(self, name):
        with pytest.raises(OutSpecError, match="name"):
            RawBufferLibrary({"FCEventDecoder": {name: {"key_list": [1]}}})

    def test_paths(self, here):
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": here / "x.lh5"}}}
        daq2lh5.build_raw(here / "run1.fcio", out_spec=spec)
        assert rows("x.lh5")["FCEvent"] == 3
        assert RawBuffer(out_stream=here / "x.lh5").out_stream == str(here / "x.lh5")

    @pytest.mark.parametrize("keep_open", [False, True])
    @pytest.mark.parametrize("base", [Path, str])
    def test_store_with_a_folder_of_its_own(self, here, keep_open, base):
        import lh5

        (here / "out").mkdir()
        store = lh5.LH5Store(base_path=base(here / "out"), keep_open=keep_open)
        library = RawBufferLibrary(
            {"*": {"{name}": {"key_list": ["*"], "out_stream": Path("x.lh5")}}}
        )
        with daq2lh5.open_stream(here / "run2.fcio", rb_lib=library) as (streamer, _):
            for chunk in streamer:
                write_to_lh5_and_clear(chunk, store)
        if keep_open:
            store.gimme_file("x.lh5").close()
        assert rows("out/x.lh5")["FCEvent"] == 6

    def test_numbers_and_sizes(self, here):
        report = daq2lh5.build_raw(
            "run3.fcio",
            out_spec=here / "x.lh5",
            buffer_size=1e4,
            n_max=None,
            memory_limit="200M",
            threads=np.int64(1),
            overwrite=np.bool_(True),
        )
        assert report.clean
        daq2lh5.build_raw("run3.fcio", out_spec="y.lh5", n_max=np.int32(2))
        assert rows("y.lh5")["FCEvent"] == 2

    @pytest.mark.parametrize(
        ("name", "value", "error"),
        [
            ("buffer_size", 2.5, ValueError),
            ("buffer_size", 0, ValueError),
            ("buffer_size", "many", TypeError),
            ("buffer_size", None, TypeError),
            ("buffer_size", True, TypeError),
            ("n_max", -1, ValueError),
            ("n_max", float("nan"), ValueError),
            ("n_max", "all", TypeError),
            ("memory_limit", "much", ValueError),
            ("memory_limit", 5, ValueError),
            ("threads", 0, ValueError),
            ("overwrite", "no", TypeError),
            ("hdf5_settings", ["gzip"], TypeError),
            ("db_dict", "a", TypeError),
            ("in_stream_type", 5, TypeError),
            ("compass_layout", 5, TypeError),
            ("llama_time_zone", 5, TypeError),
            ("compass_config_file", 5, TypeError),
        ],
        ids=str,
    )
    def test_other_values_are_one_line_before_reading(self, here, name, value, error):
        with pytest.raises(error) as raised:
            daq2lh5.build_raw("run1.fcio", out_spec="x.lh5", **{name: value})
        assert "\n" not in str(raised.value)
        assert not Path("x.lh5").exists()


class TestKeywords:
    @pytest.mark.parametrize(
        ("out_stream", "used"),
        [
            ("{run}.lh5", True),
            ("{run:03d}.lh5", True),
            ("{run!s:>4}.lh5", True),
            ("x{key:{run}}.lh5", True),
            ("{runx}.lh5", False),
            ("{{run}}.lh5", False),
        ],
    )
    def test_a_keyword_is_used_where_it_is_used(self, out_stream, used):
        spec = {"FCEventDecoder": {"a": {"key_list": [1], "out_stream": out_stream}}}
        target = target_of(spec, "x.fcio", {"run": 7, "runx": 1})
        assert ("run" in target.unused) != used

    @pytest.mark.parametrize(
        "value", [None, [], {}, (1,)], ids=["None", "list", "dict", "tuple"]
    )
    def test_values_that_are_neither_text_nor_number(self, value):
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "{run}.lh5"}}}
        with pytest.raises(OutSpecError, match=r"'run' is .*text"):
            target_of(spec, "x.fcio", {"run": value})

    def test_undefined_keyword_is_both_errors(self):
        """A ValueError, and a KeyError as in the peer."""
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "{run}.lh5"}}}
        for error in (KeyError, ValueError):
            with pytest.raises(error, match="'run' in out_stream"):
                target_of(copy.deepcopy(spec), "x.fcio", {})

    def test_keyword_in_the_name_of_a_buffer_with_keys(self):
        spec = {"FCEventDecoder": {"{run}_{key}": {"key_list": [1]}}}
        with pytest.raises(OutSpecError, match="'run' in the name of buffer"):
            RawBufferLibrary(spec, {"run": 1})

    def test_values_with_braces_and_dollars_are_text(self, here):
        """Also if names are filled in twice, for keys found later."""
        spec = {
            "FCEventDecoder": {
                "c{key}": {"key_list": ["*"], "out_stream": "{orig_basename}.lh5"}
            },
            "*": {"{name}": {"key_list": ["*"], "out_stream": "{orig_basename}.lh5"}},
        }
        daq2lh5.build_raw("run1.fcio", out_spec=spec, orig_basename="r{1}${A}$B{key}")
        assert rows("r{1}${A}$B{key}.lh5")["c1027200"] == 1

    @pytest.mark.parametrize(
        "template",
        ["{", "}", "{}", "{0}", "{run!x}", "{run:q}", "{run.x}", "{run:9999}"],
    )
    def test_templates_that_cannot_be_filled_in(self, template):
        spec = {"FCEventDecoder": {"a": {"key_list": [1], "out_stream": template}}}
        with pytest.raises(OutSpecError, match="'a'") as error:
            RawBufferLibrary(spec, {"run": 1})
        assert "\n" not in str(error.value)

    @given(st.text(), st.text())
    def test_what_is_filled_in_twice_is_as_if_once(self, literal, value):
        template = literal.replace("{", "{{").replace("}", "}}") + "{a}{b}"
        once = fill_in(template, {"a": value, "b": "b"})
        twice = fill_in(fill_in(template, {"a": value}, keep=("b",)), {"b": "b"})
        # (a '$' before a field has no effect: both have values)
        assert once == twice == literal + value + "b"


class TestVariables:
    def test_unset_variable_is_an_error_of_a_conversion(self, here, monkeypatch):
        monkeypatch.delenv("NO_SUCH", raising=False)
        for out_stream in ("$NO_SUCH/x.lh5", "${NO_SUCH}/x.lh5", "a/$NO_SUCH.lh5:g"):
            spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": out_stream}}}
            for out_spec in (spec, out_stream, RawBufferLibrary(copy.deepcopy(spec))):
                with pytest.raises(ValueError, match=r"'NO_SUCH'.* not set"):
                    daq2lh5.build_raw("run1.fcio", out_spec=out_spec)
        assert len(list(here.iterdir())) == 3

    def test_library_alone_leaves_it(self, monkeypatch):
        """The peer's interface, which its tests use."""
        monkeypatch.delenv("NO_SUCH", raising=False)
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": [1], "out_stream": "$NO_SUCH/x"}})
        assert rbs[0].out_stream == "$NO_SUCH/x"

    def test_home(self, here, monkeypatch):
        monkeypatch.setenv("HOME", str(here / "home"))
        spec = {"*": {"{name}": {"key_list": ["*"], "out_stream": "~/x.lh5:g"}}}
        daq2lh5.build_raw("run1.fcio", out_spec=spec)
        assert rows("home/x.lh5")["g/FCEvent"] == 3

    def test_variable_in_braces_beside_a_key(self, here, monkeypatch):
        monkeypatch.setenv("OUT", "a{b}")
        spec = {
            "FCEventDecoder": {
                "c{key}": {"key_list": ["*"], "out_stream": "${OUT}/$OUT.lh5"}
            }
        }
        daq2lh5.build_raw("run1.fcio", out_spec=spec)
        assert set(rows("a{b}/a{b}.lh5")) == {f"c{k}" for k in KEYS}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["*", "{key}", "{name}", "{run}", "$A/x", "~", "x.lh5:g", "."]),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(st.text(max_size=4), children, max_size=3)
    ),
    max_leaves=8,
)
names = st.sampled_from(["a", "{name}", "c{key}", "{key:03d}", "{run}"]) | st.text(
    max_size=4
)
infos = st.fixed_dictionaries(
    {"key_list": st.lists(st.integers(0, 9) | json_values, max_size=3) | json_values},
    optional={
        "out_stream": st.just("x.lh5") | json_values,
        "out_name": st.just("t") | json_values,
        "proc_spec": st.just({"drop": ["x"]}) | json_values,
    },
)
specs = st.dictionaries(
    st.sampled_from(["FCEventDecoder", "*", "FCStatusDecoder"]) | st.text(max_size=3),
    st.dictionaries(names, infos | json_values, max_size=2) | json_values,
    max_size=2,
)


def refusal_of(function, *arguments) -> str | None:
    """Call a function; return the message of its error, or None."""
    try:
        function(*arguments)
    except (ValueError, TypeError) as error:
        return str(error)
    return None


@settings(max_examples=400)
@given(specs | json_values.filter(lambda v: not isinstance(v, str)))
def test_any_value_is_taken_or_one_clear_error(spec):
    """Random specifications give no other exception, with one line, at once.

    On an error the user's dictionary is as it was.
    """
    before = repr(spec)
    message = refusal_of(RawBufferLibrary, spec, {"run": "r"})
    if message is not None:
        assert repr(spec) == before
    for text in (message, refusal_of(target_of, spec, "run.fcio", {"run": "r"})):
        assert "\n" not in (text or "")
        assert len(text or "") < 1000

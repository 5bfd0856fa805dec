"""Output specifications are expanded: ranges, keys in names, keywords; and errors."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.generators.eight_channels import places

from daq2lh5.errors import OutSpecError
from daq2lh5.raw_buffer import (
    RawBufferLibrary,
    RawBufferList,
    expand_rblist_dict,
)

# --- what needs no stream -----------------------------------------------------------


class TestExpansion:
    def test_range_of_keys_has_both_ends(self):
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": [[3, 6], 9, [11, 11]], "out_stream": "f"}})
        assert rbs[0].key_list == [3, 4, 5, 6, 9, 11]

    def test_ranges_stand_where_they_were(self):
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": [9, [1, 2], "x", [5, 7]]}})
        assert rbs[0].key_list == [9, 1, 2, "x", 5, 6, 7]

    def test_key_in_name_gives_a_buffer_for_each_key(self):
        rbs = RawBufferList()
        rbs.set_from_dict(
            {"g{key:0>3d}": {"key_list": [[3, 5], 12], "out_stream": "f"}}
        )
        assert places(rbs) == {"g003": [3], "g004": [4], "g005": [5], "g012": [12]}
        assert {rb.out_stream for rb in rbs} == {"f"}

    def test_key_in_out_stream_and_out_name_of_each_buffer(self):
        rbs = RawBufferList()
        rbs.set_from_dict(
            {
                "g{key:02d}": {
                    "key_list": [[3, 4]],
                    "out_stream": "run_{key:04d}.lh5:ch{key}",
                    "out_name": "{key}/raw",
                }
            }
        )
        assert [rb.out_stream for rb in rbs] == ["run_0003.lh5:ch3", "run_0004.lh5:ch4"]
        assert [rb.out_name for rb in rbs] == ["3/raw", "4/raw"]

    def test_key_of_a_buffer_with_one_key(self):
        rbs = RawBufferList()
        rbs.set_from_dict({"puls": {"key_list": [7], "out_stream": "ch{key}.lh5"}})
        assert rbs[0].out_stream == "ch7.lh5"

    def test_key_of_one_buffer_is_not_taken_for_the_next(self):
        """`{key}` has no meaning for several keys, whatever stands before."""
        config = {
            "one": {"key_list": [7], "out_stream": "f"},
            "two": {"key_list": [8, 9], "out_stream": "ch{key}.lh5"},
        }
        with pytest.raises(KeyError, match="key"):
            RawBufferList().set_from_dict(config)

    def test_name_stands_for_the_name_of_the_buffer(self):
        rbs = RawBufferList()
        rbs.set_from_dict(
            {
                "spms": {"key_list": [1], "out_stream": "{name}.lh5:/{name}"},
                "geds": {
                    "key_list": [2],
                    "out_stream": "{name}.lh5",
                    "out_name": "{name}/raw",
                },
            }
        )
        assert [rb.out_stream for rb in rbs] == ["spms.lh5:/spms", "geds.lh5"]
        assert [rb.out_name for rb in rbs] == ["spms", "geds/raw"]

    def test_keywords(self):
        rbs = RawBufferList()
        rbs.set_from_dict(
            {
                "a": {
                    "key_list": [1],
                    "out_stream": "{where}/{run:04d}.lh5:/{name}",
                    "out_name": "{where}_{name}",
                }
            },
            kw_dict={"where": "here", "run": 7},
        )
        assert rbs[0].out_stream == "here/0007.lh5:/a"
        assert rbs[0].out_name == "here_a"

    def test_environment_variables_also_inside_keywords(self, monkeypatch):
        monkeypatch.setenv("DAQ2LH5_TEST_A", "there")
        monkeypatch.setenv("DAQ2LH5_TEST_B", "deep")
        rbs = RawBufferList()
        rbs.set_from_dict(
            {"a": {"key_list": [1], "out_stream": "$DAQ2LH5_TEST_A/{dir}/x.lh5"}},
            kw_dict={"dir": "${DAQ2LH5_TEST_B}"},
        )
        assert rbs[0].out_stream == "there/deep/x.lh5"

    def test_unset_environment_variable_stays(self, monkeypatch):
        monkeypatch.delenv("DAQ2LH5_TEST_A", raising=False)
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": [1], "out_stream": "$DAQ2LH5_TEST_A/x"}})
        assert rbs[0].out_stream == "$DAQ2LH5_TEST_A/x"

    def test_all_but_the_keys_may_be_left_out(self):
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": [1]}})
        (rb,) = rbs
        assert (rb.out_name, rb.out_stream, rb.proc_spec) == ("a", "", None)
        assert rb.lgdo is None

    def test_proc_spec_is_kept_for_each_key(self):
        spec = {"window": ["waveform", 1, 2, "short"]}
        rbs = RawBufferList()
        rbs.set_from_dict({"{key}": {"key_list": [1, 2], "proc_spec": spec}})
        assert [rb.proc_spec for rb in rbs] == [spec, spec]

    def test_the_dictionary_is_expanded_in_place(self):
        """The peer's users read names and keys later; values belong to one file."""
        config = {
            "FCEventDecoder": {
                "g{key:02d}": {"key_list": [[1, 2]], "out_stream": "{run}.lh5:{key}"},
                "rest": {"key_list": [[7, 9]], "out_stream": "{name}.lh5"},
            }
        }
        RawBufferLibrary(config=config, kw_dict={"run": "r0"})
        assert config == {
            "FCEventDecoder": {
                "g01": {"key_list": [1], "out_stream": "{run}.lh5:{key}"},
                "g02": {"key_list": [2], "out_stream": "{run}.lh5:{key}"},
                "rest": {"key_list": [7, 8, 9], "out_stream": "{name}.lh5"},
            }
        }

    def test_expansion_alone(self):
        config = {"g{key}": {"key_list": [[1, 2]], "out_stream": "{run}.lh5"}}
        expand_rblist_dict(config, {"run": "r0"})
        assert config == {
            "g1": {"key_list": [1], "out_stream": "r0.lh5"},
            "g2": {"key_list": [2], "out_stream": "r0.lh5"},
        }

    def test_keywords_of_the_caller_stay_as_they_are(self):
        keywords = {"run": "r0"}
        config = {"a": {"key_list": [1], "out_stream": "{run}_{name}_{key}.lh5"}}
        RawBufferLibrary(config={"FCEventDecoder": config}, kw_dict=keywords)
        assert keywords == {"run": "r0"}

    def test_braces_may_be_written_twice(self):
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": [1], "out_stream": "{{x}}_{name}.lh5"}})
        assert rbs[0].out_stream == "{x}_a.lh5"

    def test_several_calls_add_up(self):
        library = RawBufferLibrary()
        library.set_from_dict({"FCEventDecoder": {"a": {"key_list": [1]}}})
        library.set_from_dict({"FCEventDecoder": {"b": {"key_list": [2]}}})
        assert places(library["FCEventDecoder"]) == {"a": [1], "b": [2]}

    @given(
        st.lists(
            st.one_of(
                st.integers(0, 50),
                st.tuples(st.integers(0, 50), st.integers(0, 8)).map(
                    lambda t: [t[0], t[0] + t[1]]
                ),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_any_list_of_keys_and_ranges(self, key_list):
        """Keys come out in the order in which they stand, ranges spelled out."""
        wanted: list[int] = []
        for entry in key_list:
            if isinstance(entry, list):
                wanted.extend(range(entry[0], entry[1] + 1))
            else:
                wanted.append(entry)
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": copy.deepcopy(key_list)}})
        assert rbs[0].key_list == wanted
        split = RawBufferList()
        split.set_from_dict({"x{key}": {"key_list": key_list}})
        assert {rb.out_name for rb in split} == {f"x{key}" for key in wanted}


class TestErrors:
    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"a": {"out_stream": "f"}}, "'a' has no key_list"),
            ({"": {"key_list": [1]}}, "name"),
            ({"a": {"key_list": [1], "out_strem": "f"}}, "did you mean 'out_stream'"),
            ({"a": {"keylist": [1]}}, "did you mean 'key_list'"),
            ({"a": {"key_list": [1], "zzzz": 1}}, "unknown field 'zzzz'"),
            ({"a": [1, 2]}, "'a'.*dictionary"),
        ],
    )
    def test_wrong_description_is_refused(self, config, message):
        with pytest.raises(OutSpecError, match=message):
            RawBufferLibrary(config={"FCEventDecoder": config})

    def test_the_error_is_a_value_error(self):
        """So that code which catches the peer's errors goes on to work."""
        with pytest.raises(ValueError, match="key_list"):
            RawBufferLibrary(config={"FCEventDecoder": {"a": {}}})

    @pytest.mark.parametrize("field", ["out_stream", "out_name"])
    def test_undefined_keyword(self, field):
        config = {"a": {"key_list": [1], field: "{run}.lh5"}}
        with pytest.raises(KeyError, match=r"run.*not defined"):
            RawBufferLibrary(config={"FCEventDecoder": config}, kw_dict={"ruin": 1})

    @pytest.mark.parametrize(
        "decoder",
        [
            {"a": {"key_list": 5}},
            {"a": {"key_list": "*"}},
            {"a": {"key_list": None}},
            None,
            ["a"],
        ],
    )
    def test_wrong_types_are_one_clear_error(self, decoder):
        """A list of keys that is none, buffers that are no dictionary."""
        with pytest.raises((OutSpecError, TypeError), match=r"key_list|dictionary"):
            RawBufferLibrary(config={"FCEventDecoder": decoder})

    @pytest.mark.parametrize("key_list", [[[1, 2, 3]], [["a", "b"]], [[5, 3]]])
    def test_wrong_range_is_one_clear_error(self, key_list):
        """Three ends, ends that are no numbers, or a range from above to below."""
        with pytest.raises(OutSpecError, match=r"range|key"):
            RawBufferLibrary(config={"FCEventDecoder": {"a": {"key_list": key_list}}})

    def test_two_buffers_of_one_expanded_name(self):
        """An expansion must not silently replace another buffer of the same name."""
        config = {
            "ch1": {"key_list": [5], "out_stream": "f"},
            "ch{key}": {"key_list": [1, 2], "out_stream": "f"},
        }
        with pytest.raises(OutSpecError, match="ch1"):
            RawBufferLibrary(config={"FCEventDecoder": config})

    def test_name_in_the_name_of_a_buffer_stands_for_the_decoder(self):
        """As under the decoder `*`; the order of the buffers stays."""
        rest = {"key_list": [1], "out_stream": "{name}.lh5"}
        library = RawBufferLibrary(
            {"FCEventDecoder": {"a": dict(rest), "{name}/raw": dict(rest)}}
        )
        names = [(rb.out_name, rb.out_stream) for _, rb in library.buffers()]
        assert names == [("a", "a.lh5"), ("FCEvent/raw", "FCEvent/raw.lh5")]

    def test_two_buffers_called_like_the_decoder(self):
        config = {"FCEvent": {"key_list": [1]}, "{name}": {"key_list": [2]}}
        with pytest.raises(OutSpecError, match="FCEvent"):
            RawBufferLibrary(config={"FCEventDecoder": config})

"""Raw buffers and the shorthand that describes them (``out_spec``)."""

from __future__ import annotations

import copy
import json
import logging
from typing import Any

import lgdo
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.errors import OutSpecError
from daq2lh5.raw_buffer import (
    RawBuffer,
    RawBufferLibrary,
    RawBufferList,
    expand_rblist_dict,
    write_to_lh5_and_clear,
)

N_EVENTS = 4
KEYS = [1027200, 1027201, 1027202, 1027203, 1027204, 1027205, 1028800, 1028801]
"""Keys of the traces of a run with eight channels on two cards."""

CARDS = ["fcid_1/status/card0", "fcid_1/status/card8192", "fcid_1/status/card8193"]
"""Keys of its status rows."""


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> str:
    """A run with all kinds of tables that a default file has."""
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    path.write_bytes(
        writer.make_stream(N_EVENTS, n_channels=8, n_samples=6, status_every=2)
    )
    return str(path)


@pytest.fixture(scope="module")
def fsp_run(tmp_path_factory) -> str:
    """A run with the software trigger's tables too."""
    path = tmp_path_factory.mktemp("run") / "fsp.fcio"
    path.write_bytes(
        writer.make_stream(
            N_EVENTS, n_channels=2, n_samples=6, status_every=2, fsp=True
        )
    )
    return str(path)


def opened(path: str, config: dict, **keywords: Any) -> dict[str, list[RawBuffer]]:
    """Open a run with a specification; return the buffers by decoder."""
    library = RawBufferLibrary(config=copy.deepcopy(config), kw_dict=keywords)
    with daq2lh5.open_stream(path, rb_lib=library) as (streamer, _):
        return dict(streamer.rb_lib)


def places(rbs: list[RawBuffer]) -> dict[str, list]:
    """Return the keys by name of the buffer."""
    assert len({rb.out_name for rb in rbs}) == len(rbs)
    return {rb.out_name: rb.key_list for rb in rbs}


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


class TestLists:
    def test_keyed_dict(self):
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": [1, 2]}, "b": {"key_list": ["x"]}})
        keyed = rbs.get_keyed_dict()
        assert keyed == {1: rbs[0], 2: rbs[0], "x": rbs[1]}
        assert rbs.get_keyed_dict() is keyed

    def test_key_asked_for_twice_goes_to_the_last_with_a_warning(self, caplog):
        rbs = RawBufferList()
        rbs.set_from_dict({"a": {"key_list": [1, 2]}, "b": {"key_list": [2, 3]}})
        with caplog.at_level(logging.WARNING, "daq2lh5"):
            keyed = rbs.get_keyed_dict()
        assert {key: rb.out_name for key, rb in keyed.items()} == {
            1: "a",
            2: "b",
            3: "b",
        }
        (message,) = [r.getMessage() for r in caplog.records]
        assert "2" in message
        assert "'b'" in message

    def test_values_of_an_attribute_are_listed_once(self):
        rbs = RawBufferList()
        rbs.set_from_dict(
            {
                "a": {"key_list": [1], "out_stream": "f"},
                "b": {"key_list": [2], "out_stream": "g"},
                "c": {"key_list": [3], "out_stream": "f"},
            }
        )
        assert rbs.get_list_of("out_stream") == ["f", "g"]
        assert rbs.get_list_of("key_list") == [[1], [2], [3]]
        assert rbs.get_list_of("no_such_attribute") == []

    def test_values_of_an_attribute_over_all_decoders(self):
        library = RawBufferLibrary(
            config={
                "FCEventDecoder": {
                    "a": {"key_list": [1], "out_stream": "f"},
                    "b": {"key_list": [2], "out_stream": "g"},
                },
                "FCStatusDecoder": {"c": {"key_list": ["*"], "out_stream": "f"}},
            }
        )
        assert sorted(library.get_list_of("out_stream")) == ["f", "g"]
        assert library.get_list_of("out_stream", unique=False) == ["f", "g", "f"]
        # values need not be hashable
        assert library.get_list_of("key_list") == [[1], [2], ["*"]]

    def test_clear_full_empties_only_what_is_full(self):
        library = RawBufferLibrary(
            config={"D": {"a": {"key_list": [1]}, "b": {"key_list": [2]}}}
        )
        full, part = library["D"]
        for rb, loc in ((full, 10), (part, 9)):
            rb.lgdo = lgdo.Array(np.zeros(10))
            rb.loc = loc
        library.clear_full()
        assert (full.loc, part.loc) == (0, 9)
        part.loc = 10
        library["D"].clear_full()
        assert part.loc == 0

    def test_lists_are_lists_and_libraries_dictionaries(self):
        library = RawBufferLibrary(config={"D": {"a": {"key_list": [1]}}})
        assert isinstance(library, dict)
        assert isinstance(library["D"], RawBufferList)
        assert isinstance(library["D"], list)
        assert library["D"].keyed_dict is None


class TestBuffer:
    def test_a_new_buffer_is_empty(self):
        rb = RawBuffer()
        assert rb.lgdo is None
        assert (rb.key_list, rb.out_stream, rb.out_name) == ([], "", "")
        assert (rb.proc_spec, rb.loc, rb.fill_safety, len(rb)) == (None, 0, 1, 0)
        assert rb.key_list is not RawBuffer().key_list

    @pytest.mark.parametrize(
        ("rows", "loc", "fill_safety", "full"),
        [(10, 9, 1, False), (10, 10, 1, True), (10, 7, 3, False), (10, 8, 3, True)],
    )
    def test_full_is_without_room_for_a_packet(self, rows, loc, fill_safety, full):
        rb = RawBuffer(lgdo=lgdo.Array(np.zeros(rows)))
        rb.loc, rb.fill_safety = loc, fill_safety
        assert rb.is_full() is full

    @pytest.mark.parametrize(
        ("value", "length"),
        [
            (lgdo.Scalar(1), 1),
            (lgdo.Array(np.zeros(5)), 5),
            (lgdo.Table(size=7), 7),
        ],
    )
    def test_length_is_that_of_the_data(self, value, length):
        rb = RawBuffer(lgdo=value)
        assert len(rb) == length
        assert rb.lgdo is value

    def test_text_says_what_goes_where(self):
        rb = RawBuffer(key_list=[1, 2], out_stream="f.lh5", out_name="a")
        for part in ("[1, 2]", "'f.lh5'", "'a'"):
            assert part in repr(rb)
        assert str(rb) == repr(rb)

    def test_native_table_is_always_the_same_object_with_live_values(self, run):
        """What decoding writes is seen through `lgdo` without asking again."""
        with daq2lh5.open_stream(run, chunk_mode="single_packet") as (streamer, _):
            (rb,) = streamer.rb_lib["FCEventDecoder"]
            table = rb.lgdo
            assert isinstance(table, lgdo.Table)
            energies = table["daqenergy"].nda
            seen = []
            for chunk in streamer:
                if rb in chunk:
                    assert rb.lgdo is table
                    seen += table["daqenergy"].nda[: rb.loc].tolist()
                    assert np.shares_memory(energies, table["daqenergy"].nda)
                    assert energies[: rb.loc].tolist() == seen[-rb.loc :]
        with daq2lh5.open_stream(run) as (streamer, _):
            wanted = [
                value
                for chunk in streamer
                for rb in chunk
                if rb.out_name == "FCEvent"
                for value in rb.lgdo["daqenergy"].nda[: rb.loc].tolist()
            ]
        assert seen == wanted
        assert len(seen) == 8 * N_EVENTS

    def test_rows_written_before_the_table_is_asked_for_are_in_it(self, run):
        with daq2lh5.open_stream(run) as (streamer, _):
            chunk = streamer.read_chunk()
            (rb,) = [rb for rb in chunk if rb.out_name == "FCEvent"]
            assert rb.lgdo["channel"].nda[:8].tolist() == list(range(8))
            assert rb.lgdo is rb.lgdo

    def test_default_buffers_have_the_rows_asked_for(self, run):
        with daq2lh5.open_stream(run, buffer_size=50) as (streamer, _):
            (rb,) = streamer.rb_lib["FCEventDecoder"]
            assert len(rb) == len(rb.lgdo) == 50

    @pytest.mark.parametrize("rows", [8, 9, 100, 20000])
    def test_user_sets_a_table_of_any_length(self, run, rows):
        """The user's own object is filled, whatever its length."""
        found = []
        with daq2lh5.open_stream(run, chunk_mode="single_packet") as (streamer, _):
            (rb,) = streamer.rb_lib["FCEventDecoder"]
            mine = streamer.event_decoder.make_lgdo(key=KEYS[0], size=rows)
            rb.lgdo = mine
            assert rb.lgdo is mine
            assert len(rb) == rows
            for chunk in streamer:
                if rb in chunk:
                    found += mine["channel"].nda[: rb.loc].tolist()
            assert rb.lgdo is mine
        assert found == list(range(8)) * N_EVENTS

    def test_user_replaces_the_table_in_mid_stream(self, run):
        """Each chunk goes to the table that is set when it is read."""
        with daq2lh5.open_stream(run, chunk_mode="single_packet") as (streamer, _):
            (rb,) = streamer.rb_lib["FCEventDecoder"]
            tables = []
            for chunk in streamer:
                if rb in chunk:
                    tables.append(rb.lgdo)
                    rb.lgdo = streamer.event_decoder.make_lgdo(size=8 + len(tables))
        assert len(tables) == N_EVENTS
        numbers = [t["eventnumber"].nda[:8].tolist() for t in tables]
        assert [set(n) for n in numbers] == [
            {i} for i in sorted({n[0] for n in numbers})
        ]
        assert [len(t) for t in tables[1:]] == [9, 10, 11]

    def test_users_table_of_other_types_gets_the_same_values(self, run):
        """Columns of another dtype are converted; dropped ones are not filled."""
        with daq2lh5.open_stream(run) as (streamer, _):
            (rb,) = streamer.rb_lib["FCEventDecoder"]
            mine = streamer.event_decoder.make_lgdo(size=100)
            mine["channel"] = lgdo.Array(np.zeros(100, np.float64))
            mine.pop("daqenergy")
            rb.lgdo = mine
            for chunk in streamer:
                assert rb in chunk
        assert mine["channel"].nda[: 8 * N_EVENTS].tolist() == list(range(8)) * N_EVENTS
        assert "daqenergy" not in mine

    def test_table_too_short_for_a_packet_is_an_error(self, run):
        with daq2lh5.open_stream(run) as (streamer, _):
            (rb,) = streamer.rb_lib["FCEventDecoder"]
            rb.lgdo = streamer.event_decoder.make_lgdo(size=7)
            with pytest.raises(ValueError, match="FCEvent"):
                list(streamer)

    def test_made_tables_have_exactly_the_rows_asked_for(self, run):
        with daq2lh5.open_stream(run) as (streamer, _):
            for decoder in streamer.get_decoder_list():
                if type(decoder).__name__ == "FSPConfigDecoder":
                    continue
                table = decoder.make_lgdo(size=17)
                assert isinstance(table, lgdo.Table)
                assert len(table) == 17
                assert list(table) == list(decoder.get_decoded_values())


# --- with a stream ------------------------------------------------------------------


class TestSelection:
    def test_star_takes_all_keys(self, run):
        found = opened(run, {"FCEventDecoder": {"all": {"key_list": ["*"]}}})
        assert places(found["FCEventDecoder"]) == {"all": KEYS}

    def test_star_takes_what_is_left(self, run):
        config = {
            "rest": {"key_list": ["*"]},
            "some": {"key_list": [KEYS[3], KEYS[1]]},
        }
        found = places(opened(run, {"FCEventDecoder": config})["FCEventDecoder"])
        assert found["some"] == [KEYS[3], KEYS[1]]
        assert found["rest"] == [k for k in KEYS if k not in found["some"]]

    def test_pattern_matches_numbers_by_their_digits(self, run):
        found = opened(run, {"FCEventDecoder": {"card": {"key_list": ["10272*"]}}})
        assert places(found["FCEventDecoder"]) == {"card": KEYS[:6]}
        assert all(isinstance(k, int) for k in KEYS)

    def test_pattern_matches_names(self, run):
        found = opened(run, {"FCStatusDecoder": {"a": {"key_list": ["*/card8*"]}}})
        assert places(found["FCStatusDecoder"]) == {"a": CARDS[1:]}

    def test_several_patterns_of_one_buffer(self, run):
        config = {"a": {"key_list": ["*01", "*5", KEYS[2]]}}
        (rb,) = opened(run, {"FCEventDecoder": config})["FCEventDecoder"]
        assert sorted(rb.key_list) == [KEYS[1], KEYS[2], KEYS[5], KEYS[7]]

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    def test_keys_then_patterns_then_star(self, run, order):
        """Whatever the order in which the buffers stand."""
        buffers = [
            ("exact", {"key_list": [KEYS[0]]}),
            ("card", {"key_list": ["10272*"]}),
            ("rest", {"key_list": ["*"]}),
        ]
        config = dict(copy.deepcopy(buffers[i]) for i in order)
        found = places(opened(run, {"FCEventDecoder": config})["FCEventDecoder"])
        assert found == {"exact": KEYS[:1], "card": KEYS[1:6], "rest": KEYS[6:]}

    def test_first_of_two_patterns_gets_the_key(self, run):
        config = {"a": {"key_list": ["*1"]}, "b": {"key_list": ["10272*"]}}
        found = places(opened(run, {"FCEventDecoder": config})["FCEventDecoder"])
        assert found == {
            "a": [KEYS[1], KEYS[7]],
            "b": [KEYS[0], *KEYS[2:6]],
        }

    def test_two_stars_are_an_error(self, run):
        config = {"a": {"key_list": ["*"]}, "b": {"key_list": ["*"]}}
        with pytest.raises(KeyError, match=r"\*"):
            opened(run, {"FCEventDecoder": config})

    @pytest.mark.parametrize("pattern", ["*", "10272*"])
    def test_key_in_names_is_filled_in_when_the_stream_is_open(self, run, pattern):
        config = {
            "ch{key:08d}/raw": {
                "key_list": [pattern],
                "out_stream": "dir/{key}_{run}.lh5:/x/{key:09d}",
            }
        }
        rbs = opened(run, {"FCEventDecoder": config}, run="r1")["FCEventDecoder"]
        keys = KEYS if pattern == "*" else KEYS[:6]
        assert places(rbs) == {f"ch{k:08d}/raw": [k] for k in keys}
        assert [rb.out_stream for rb in rbs] == [
            f"dir/{k}_r1.lh5:/x/{k:09d}" for k in keys
        ]

    def test_key_in_out_stream_alone(self, run):
        config = {"raw": {"key_list": ["10288*"], "out_stream": "ch{key}.lh5"}}
        rbs = opened(run, {"FCEventDecoder": config})["FCEventDecoder"]
        assert [(rb.out_stream, rb.out_name) for rb in rbs] == [
            (f"ch{k}.lh5", "raw") for k in KEYS[6:]
        ]

    def test_key_in_out_name_alone(self, run):
        config = {
            "x": {"key_list": ["10288*"], "out_stream": "f", "out_name": "{name}{key}"}
        }
        rbs = opened(run, {"FCEventDecoder": config})["FCEventDecoder"]
        assert [rb.out_name for rb in rbs] == [f"x{k}" for k in KEYS[6:]]

    def test_key_in_a_name_beside_a_pattern_and_keys(self, run):
        config = {"ch{key}": {"key_list": [KEYS[7], "*0"], "out_stream": "f"}}
        rbs = opened(run, {"FCEventDecoder": config})["FCEventDecoder"]
        assert places(rbs) == {f"ch{k}": [k] for k in (KEYS[7], KEYS[0], KEYS[6])}

    def test_doubled_braces_beside_a_key(self, run):
        config = {"raw": {"key_list": ["10288*"], "out_stream": "{{a}}{key}.lh5"}}
        rbs = opened(run, {"FCEventDecoder": config})["FCEventDecoder"]
        assert [rb.out_stream for rb in rbs] == [f"{{a}}{k}.lh5" for k in KEYS[6:]]

    def test_format_for_numbers_and_a_key_that_is_none(self, run):
        config = {"st{key:07d}": {"key_list": ["*"], "out_stream": "f"}}
        with pytest.raises(OutSpecError, match=r"status/card0.*numbers only"):
            opened(run, {"FCStatusDecoder": config})

    def test_key_that_is_a_string_in_names(self, run):
        config = {"st/{key}": {"key_list": ["*"], "out_stream": "f"}}
        rbs = opened(run, {"FCStatusDecoder": config})["FCStatusDecoder"]
        assert places(rbs) == {f"st/{k}": [k] for k in CARDS}

    def test_number_written_as_a_string_loses_no_rows(self, run, caplog):
        """JSON and YAML make strings of numbers easily; some buffer must get them."""
        config = {"a": {"key_list": [str(KEYS[0])]}, "b": {"key_list": ["*"]}}
        with caplog.at_level(logging.WARNING, "daq2lh5"):
            rows = rows_by_buffer(run, {"FCEventDecoder": config})
        assert sum(rows.values()) == 8 * N_EVENTS
        assert rows.get("a") == N_EVENTS or "'a'" in caplog.text

    def test_decoder_star_stands_for_all_others(self, run):
        config = {
            "FCEventDecoder": {
                "events": {"key_list": [KEYS[0]], "out_stream": "e.lh5"}
            },
            "*": {"{name}": {"key_list": ["*"], "out_stream": "{name}_rest.lh5"}},
        }
        found = opened(run, config)
        assert "*" not in found
        assert places(found["FCEventDecoder"]) == {"events": [KEYS[0]]}
        for name in ("FCConfig", "FCStatus", "FCEventHeader", "FSPEvent"):
            (rb,) = found[name + "Decoder"]
            assert (rb.out_name, rb.out_stream) == (name, f"{name}_rest.lh5")
        assert found["FCStatusDecoder"][0].key_list == CARDS

    def test_decoder_star_with_text_around_the_name(self, run):
        config = {
            "*": {"all_{name}": {"key_list": ["*"], "out_stream": "{run}.lh5:/g"}}
        }
        found = opened(run, config, run="r7")
        assert {rb.out_name for rbs in found.values() for rb in rbs} == {
            "all_" + name.removesuffix("Decoder") for name in found
        }

    def test_decoder_star_with_an_out_name(self, run):
        config = {
            "*": {
                "{name}": {
                    "key_list": ["*"],
                    "out_stream": "f.lh5",
                    "out_name": "x/{name}",
                }
            }
        }
        found = opened(run, config)
        assert found["FCEventDecoder"][0].out_name == "x/FCEvent"

    def test_string_keys_and_wildcards_of_the_software_trigger(self, fsp_run):
        config = {
            "FSPEventDecoder": {
                "headers": {"key_list": ["*/evt_hdr"], "out_stream": "f"},
                "rest": {"key_list": ["*"], "out_stream": "f"},
            }
        }
        found = places(opened(fsp_run, config)["FSPEventDecoder"])
        assert found == {"headers": ["swtid_1/evt_hdr"], "rest": ["swtid_1/event"]}

    def test_unused_pattern_is_a_warning(self, run, caplog):
        config = {"none": {"key_list": ["99*"]}, "rest": {"key_list": ["*"]}}
        with caplog.at_level(logging.WARNING, "daq2lh5"):
            found = places(opened(run, {"FCEventDecoder": config})["FCEventDecoder"])
        assert found == {"none": [], "rest": KEYS}
        assert any("'none'" in r.getMessage() for r in caplog.records)

    def test_keys_that_the_stream_lacks_are_a_warning(self, run, caplog):
        config = {"a": {"key_list": [1, 2]}, "b": {"key_list": [KEYS[0]]}}
        with caplog.at_level(logging.WARNING, "daq2lh5"):
            opened(run, {"FCEventDecoder": config})
        (message,) = [r.getMessage() for r in caplog.records]
        assert "'a'" in message

    def test_decoder_that_the_stream_lacks_is_a_warning(self, run, caplog):
        """A specification for runs of several systems serves each of them."""
        config = {
            "ORFlashCamADCWaveformDecoder": {"a": {"key_list": ["*"]}},
            "FCEventDecoder": {"b": {"key_list": ["*"]}},
        }
        with caplog.at_level(logging.WARNING, "daq2lh5"):
            opened(run, config)
        (message,) = [r.getMessage() for r in caplog.records]
        assert "ORFlashCamADCWaveformDecoder" in message

    @pytest.mark.parametrize(
        "config",
        [
            {
                "a": {"key_list": [KEYS[0]], "out_stream": "f.lh5", "out_name": "t"},
                "b": {"key_list": [KEYS[1]], "out_stream": "f.lh5", "out_name": "t"},
            },
            {"a": {"key_list": ["*"], "out_stream": "f.lh5", "out_name": "x"}},
        ],
        ids=["one decoder", "two decoders"],
    )
    def test_two_buffers_for_one_table_are_an_error(self, run, config):
        """Also where decoders differ."""
        spec: dict = {"FCEventDecoder": config}
        if len(config) == 1:
            spec["FCStatusDecoder"] = {
                "x": {"key_list": ["*"], "out_stream": "f.lh5"},
            }
        with pytest.raises(OutSpecError, match=r"f\.lh5"):
            opened(run, spec)

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("f.lh5", "f.lh5:/"),
            ("f.lh5", "./f.lh5"),
            ("f.lh5:g", "f.lh5:/g/"),
            ("f.lh5:", "f.lh5"),
        ],
    )
    def test_one_table_spelled_in_two_ways_is_an_error(self, run, first, second):
        config = {
            "a": {"key_list": [KEYS[0]], "out_stream": first, "out_name": "t"},
            "b": {"key_list": [KEYS[1]], "out_stream": second, "out_name": "t"},
        }
        with pytest.raises(OutSpecError, match="t'"):
            opened(run, {"FCEventDecoder": config})

    def test_one_table_as_group_and_name_is_an_error(self, run):
        config = {
            "a": {"key_list": [KEYS[0]], "out_stream": "f.lh5:g", "out_name": "t"},
            "b": {"key_list": [KEYS[1]], "out_stream": "f.lh5", "out_name": "g/t"},
        }
        with pytest.raises(OutSpecError, match="t'"):
            opened(run, {"FCEventDecoder": config})

    def test_several_specifications_in_one_process_do_not_mix(self, run):
        config = {"FCEventDecoder": {"{key}": {"key_list": ["*"], "out_stream": "f"}}}
        first = places(opened(run, config)["FCEventDecoder"])
        second = places(opened(run, config)["FCEventDecoder"])
        assert first == second == {str(k): [k] for k in KEYS}


def rows_by_buffer(run: str, config: dict) -> dict[str, int]:
    """Count the rows that each buffer of a specification gets."""
    library = RawBufferLibrary(config=copy.deepcopy(config))
    rows: dict[str, int] = {}
    with daq2lh5.open_stream(run, rb_lib=library) as (streamer, _):
        for chunk in streamer:
            for rb in chunk:
                rows[rb.out_name] = rows.get(rb.out_name, 0) + rb.loc
    return rows


PATTERNS = ["10272*", "*1", "*0*4", "102880*", "9*"]


@st.composite
def specifications(draw) -> dict[str, list]:
    """Draw key lists of up to five buffers, with '*' in one at most."""
    names = [f"b{i}" for i in range(draw(st.integers(1, 5)))]
    entries = st.one_of(
        st.sampled_from(KEYS), st.sampled_from(PATTERNS), st.integers(1, 3)
    )
    spec = {name: draw(st.lists(entries, max_size=3)) for name in names}
    star = draw(st.sampled_from([None, *names]))
    if star is not None:
        spec[star].append("*")
    return spec


def rules(spec: dict[str, list]) -> dict[int, str]:
    """Say which buffer gets each key, from the text of the issue alone.

    Explicit keys first (the last buffer that asks for one gets it), then partial
    patterns, in the order of the buffers, then '*'.
    """
    out: dict[int, str] = {}
    for key in KEYS:
        exact = [name for name, entries in spec.items() if key in entries]
        partial = [
            name
            for name, entries in spec.items()
            if "*" not in entries
            and any(
                isinstance(e, str) and matches_by_hand(str(key), e) for e in entries
            )
        ]
        star = [name for name, entries in spec.items() if "*" in entries]
        winners = exact[-1:] or partial[:1] or star
        if winners:
            out[key] = winners[0]
    return out


def matches_by_hand(text: str, pattern: str) -> bool:
    """Match '*' against any run of characters, without the library's matcher."""
    head, star, tail = pattern.partition("*")
    if not star:
        return text == pattern
    if not text.startswith(head):
        return False
    rest = text[len(head) :]
    return any(matches_by_hand(rest[i:], tail) for i in range(len(rest) + 1))


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(spec=specifications())
def test_each_key_lands_in_exactly_the_buffer_that_the_rules_say(run, spec):
    """Rows are counted, not key lists: a key in no list is in the report."""
    wanted = rules(spec)
    library = RawBufferLibrary(
        config={"FCEventDecoder": {n: {"key_list": list(k)} for n, k in spec.items()}}
    )
    found: dict[int, set[str]] = {}
    with daq2lh5.open_stream(run, rb_lib=library) as (streamer, _):
        for chunk in streamer:
            for rb in chunk:
                table = rb.lgdo
                keys = {KEYS[c] for c in table["channel"].nda[: rb.loc]}
                for key in keys:
                    found.setdefault(key, set()).add(rb.out_name)
        skipped = streamer.report.skipped_channels.get("FCEventDecoder", {})
    assert found == {key: {name} for key, name in wanted.items()}
    assert skipped == {str(key): N_EVENTS for key in KEYS if key not in wanted}


# --- written files ------------------------------------------------------------------


class TestFiles:
    def test_several_files_and_groups(self, run, tmp_path, monkeypatch):
        """Groups, environment variables and keywords at once, read back by h5py."""
        import h5py

        monkeypatch.setenv("DAQ2LH5_TEST_OUT", str(tmp_path))
        config = {
            "FCEventDecoder": {
                "ch{key}/raw": {
                    "key_list": ["10288*"],
                    "out_stream": "$DAQ2LH5_TEST_OUT/{run}_a.lh5:/geds",
                },
                "spms": {
                    "key_list": [[KEYS[0], KEYS[1]]],
                    "out_stream": "$DAQ2LH5_TEST_OUT/{run}_b.lh5:x/y",
                },
            },
            "*": {
                "{name}": {
                    "key_list": ["*"],
                    "out_stream": "$DAQ2LH5_TEST_OUT/{run}_c.lh5",
                }
            },
        }
        report = daq2lh5.build_raw(run, out_spec=config, run="r3")
        names = [str(tmp_path / f"r3_{x}.lh5") for x in "abc"]
        assert sorted(report.outputs) == names
        with h5py.File(names[0]) as f:
            assert list(f) == ["geds"]
            assert sorted(f["geds"]) == ["ch1028800", "ch1028801"]
            for key, channel in ((1028800, 6), (1028801, 7)):
                table = f[f"geds/ch{key}/raw"]
                assert table["channel"][()].tolist() == [channel] * N_EVENTS
        with h5py.File(names[1]) as f:
            assert f["x/y/spms/channel"][()].tolist() == [0, 1] * N_EVENTS
        with h5py.File(names[2]) as f:
            assert sorted(f) == ["FCConfig", "FCStatus"]
        assert report.skipped_channels == {
            "FCEventDecoder": {str(k): N_EVENTS for k in KEYS[2:6]}
        }

    def test_a_buffer_without_a_file_is_not_written(self, run, tmp_path):
        config = {
            "FCEventDecoder": {"here": {"key_list": ["*"]}},
            "FCStatusDecoder": {
                "st": {"key_list": ["*"], "out_stream": str(tmp_path / "o.lh5")}
            },
        }
        report = daq2lh5.build_raw(run, out_spec=config)
        assert list(report.tables[str(tmp_path / "o.lh5")]) == ["st"]
        assert [p.name for p in tmp_path.iterdir()] == ["o.lh5"]

    def test_one_file_for_each_key(self, run, tmp_path):
        import h5py

        config = {
            "FCEventDecoder": {
                "raw": {
                    "key_list": ["*"],
                    "out_stream": str(tmp_path / "ch{key:08d}.lh5"),
                }
            }
        }
        daq2lh5.build_raw(run, out_spec=config)
        assert sorted(p.name for p in tmp_path.iterdir()) == [
            f"ch{k:08d}.lh5" for k in KEYS
        ]
        for i, key in enumerate(KEYS):
            with h5py.File(tmp_path / f"ch{key:08d}.lh5") as f:
                assert f["raw/channel"][()].tolist() == [i] * N_EVENTS

    @pytest.mark.parametrize(
        ("out_spec", "error", "message"),
        [
            (
                {"FCEventDecodr": {"a": {"key_list": ["*"], "out_stream": "f.lh5"}}},
                OutSpecError,
                "did you mean 'FCEventDecoder'",
            ),
            (
                {"FCEventDecoder": {"a": {"key_list": [5], "out_stream": "f.lh5"}}},
                OutSpecError,
                "selects nothing",
            ),
            (
                {"FCEventDecoder": {"a": {"key_list": ["8*"], "out_stream": "f.lh5"}}},
                OutSpecError,
                "selects nothing",
            ),
            (
                {"LLAMAEventDecoder": {"a": {"key_list": ["*"], "out_stream": "f"}}},
                OutSpecError,
                "selects nothing",
            ),
            (
                {"FCEventDecoder": {"a": {"key_list": ["*"]}}},
                OutSpecError,
                "out_stream",
            ),
            ({}, OutSpecError, "out_stream|nothing"),
            (
                {
                    "FCEventDecoder": {
                        "a": {"key_list": ["*"], "out_stream": "f"},
                        "b": {"key_list": ["*"], "out_stream": "g"},
                    }
                },
                KeyError,
                r"\*",
            ),
        ],
        ids=[
            "misspelled decoder",
            "no such key",
            "no such pattern",
            "no such decoder here",
            "no file",
            "empty",
            "two stars",
        ],
    )
    def test_wrong_specification_writes_nothing(
        self, run, tmp_path, monkeypatch, out_spec, error, message
    ):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(error, match=message):
            daq2lh5.build_raw(run, out_spec=out_spec)
        assert list(tmp_path.iterdir()) == []

    def test_specification_of_which_a_part_selects_nothing_is_noted(
        self, run, tmp_path
    ):
        out = str(tmp_path / "o.lh5")
        config = {
            "ORFCIOEventDecoder": {"x": {"key_list": ["*"], "out_stream": out}},
            "FCEventDecoder": {
                "a": {"key_list": [[1, 3]], "out_stream": out},
                "b": {"key_list": ["*"], "out_stream": out},
            },
        }
        report = daq2lh5.build_raw(run, out_spec=config)
        assert report.exit_status == 0
        assert any("ORFCIOEventDecoder" in note for note in report.notes)
        assert any("'a'" in note for note in report.notes)

    def test_the_users_dictionary_is_expanded_by_a_conversion_too(self, run, tmp_path):
        config = {
            "FCEventDecoder": {
                "k{key}": {
                    "key_list": [[KEYS[0], KEYS[1]]],
                    "out_stream": f"{tmp_path}/{{run}}.lh5",
                }
            }
        }
        daq2lh5.build_raw(run, out_spec=config, run="r0")
        assert config == {
            "FCEventDecoder": {
                f"k{k}": {"key_list": [k], "out_stream": f"{tmp_path}/{{run}}.lh5"}
                for k in KEYS[:2]
            }
        }
        # an expanded specification is one that can be used again
        again = json.loads(json.dumps(config))
        daq2lh5.build_raw(run, out_spec=again, overwrite=True, run="r0")
        assert again == config


class TestWriting:
    def table(self, n: int = 5) -> lgdo.Table:
        return lgdo.Table(col_dict={"x": lgdo.Array(np.arange(n))})

    def test_filled_rows_are_written_and_the_buffer_is_empty(self, tmp_path):
        import h5py
        import lh5

        rb = RawBuffer(self.table(), out_stream=f"{tmp_path}/f.lh5:g", out_name="t")
        rb.loc = 3
        write_to_lh5_and_clear([rb])
        assert rb.loc == 0
        with h5py.File(tmp_path / "f.lh5") as f:
            assert f["g/t/x"][()].tolist() == [0, 1, 2]
        assert lh5.read("g/t", str(tmp_path / "f.lh5"))["x"].nda.tolist() == [0, 1, 2]

    def test_rows_are_appended(self, tmp_path):
        import lh5

        rb = RawBuffer(self.table(), out_stream=f"{tmp_path}/f.lh5", out_name="t")
        for n in (2, 4):
            rb.loc = n
            write_to_lh5_and_clear([rb])
        table = lh5.read("t", str(tmp_path / "f.lh5"))
        assert table["x"].nda.tolist() == [0, 1, 0, 1, 2, 3]

    def test_empty_buffers_make_no_file(self, tmp_path):
        rb = RawBuffer(self.table(), out_stream=f"{tmp_path}/f.lh5", out_name="t")
        write_to_lh5_and_clear([rb])
        assert list(tmp_path.iterdir()) == []

    def test_buffer_without_a_file_is_emptied(self):
        rb = RawBuffer(self.table(), out_name="t")
        rb.loc = 3
        write_to_lh5_and_clear([rb])
        assert rb.loc == 0

    @pytest.mark.parametrize("n_buffers", [1, 3])
    def test_store_of_the_user_is_used(self, tmp_path, n_buffers):
        import lh5

        rbs = [
            RawBuffer(self.table(), out_stream=f"{tmp_path}/f.lh5", out_name=f"t{i}")
            for i in range(n_buffers)
        ]
        store = lh5.LH5Store(keep_open=True)
        for rb in rbs:
            rb.loc = 5
        write_to_lh5_and_clear(rbs, store)
        assert [str(name) for name in store.files] == [f"{tmp_path}/f.lh5"]
        for handle in store.files.values():
            handle.close()
        for i in range(n_buffers):
            table = lh5.read(f"t{i}", str(tmp_path / "f.lh5"))
            assert table["x"].nda.tolist() == list(range(5))

    def test_settings_are_passed_on(self, tmp_path):
        import h5py

        rb = RawBuffer(self.table(), out_stream=f"{tmp_path}/f.lh5", out_name="t")
        rb.loc = 5
        write_to_lh5_and_clear([rb], compression=None, shuffle=False, chunks=(2,))
        with h5py.File(tmp_path / "f.lh5") as f:
            assert f["t/x"].compression is None
            assert f["t/x"].shuffle is False
            assert f["t/x"].chunks == (2,)

    def test_scalars_and_structs_are_written_whole(self, tmp_path):
        import lh5

        values = {
            "s": lgdo.Scalar(5),
            "st": lgdo.Struct({"a": lgdo.Scalar(1.5), "b": lgdo.Array(np.arange(3))}),
        }
        rbs = [
            RawBuffer(value, out_stream=f"{tmp_path}/f.lh5", out_name=name)
            for name, value in values.items()
        ]
        for rb in rbs:
            rb.loc = 1
        write_to_lh5_and_clear(rbs)
        assert lh5.read("s", f"{tmp_path}/f.lh5").value == 5
        struct = lh5.read("st", f"{tmp_path}/f.lh5")
        assert struct["a"].value == 1.5
        assert struct["b"].nda.tolist() == [0, 1, 2]

    def test_array_is_written_up_to_the_filled_rows(self, tmp_path):
        """An LGDO that the user set need not be a table."""
        import lh5

        rb = RawBuffer(
            lgdo.Array(np.arange(9)), out_stream=f"{tmp_path}/f.lh5", out_name="a"
        )
        rb.loc = 4
        write_to_lh5_and_clear([rb])
        assert lh5.read("a", f"{tmp_path}/f.lh5").nda.tolist() == [0, 1, 2, 3]

    def test_chunks_of_a_stream_can_be_written_by_the_user(self, run, tmp_path):
        """As in the peer's examples: open, write the headers, loop, write."""
        import lh5

        out = f"{tmp_path}/mine.lh5"
        with daq2lh5.open_stream(run, out_stream=out, buffer_size=10) as opened_stream:
            streamer, header_data = opened_stream
            write_to_lh5_and_clear(header_data)
            for chunk in streamer:
                write_to_lh5_and_clear(chunk)
        daq2lh5.build_raw(run, out_spec=f"{tmp_path}/whole.lh5")
        for name in ("FCConfig", "FCStatus", "FCEvent"):
            assert lh5.read(name, out) == lh5.read(name, f"{tmp_path}/whole.lh5")

"""Which keys go to which buffer: lists, patterns and stars."""

from __future__ import annotations

import copy
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.generators.eight_channels import CARDS, KEYS, N_EVENTS, opened, places

import daq2lh5
from daq2lh5.errors import OutSpecError
from daq2lh5.raw_buffer import (
    RawBufferLibrary,
)


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

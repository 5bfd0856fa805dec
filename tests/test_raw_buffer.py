"""Raw buffers and the shorthand that describes them (``out_spec``)."""

from __future__ import annotations

import json
import logging

import lgdo
import numpy as np
import pytest
from kit.generators.eight_channels import KEYS, N_EVENTS, RUN
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.errors import OutSpecError
from daq2lh5.raw_buffer import (
    RawBuffer,
    RawBufferLibrary,
    RawBufferList,
    write_to_lh5_and_clear,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> str:
    """A run with all kinds of tables that a default file has."""
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    path.write_bytes(writer.make_stream(**RUN))
    return str(path)


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

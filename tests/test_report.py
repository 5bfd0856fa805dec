"""The account of a conversion: what it counts, and the forms that it comes in."""

from __future__ import annotations

import json
import re

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.errors import told
from daq2lh5.report import FATES, ConversionReport, TableSummary, sizeof_fmt

N_CHANNELS = 3
N_EVENTS = 6


@pytest.fixture
def converted(tmp_path):
    """Convert a stream of records; return its report and its rows by table."""

    def convert(data: bytes, out_spec=None, **options):
        source = tmp_path / "run.fcio"
        source.write_bytes(data)
        out = tmp_path / "x.lh5"
        return daq2lh5.build_raw(
            source,
            out_spec=out if out_spec is None else out_spec,
            overwrite=True,
            **options,
        )

    return convert


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    """The records of a run: a configuration, events, and status records."""
    stream = writer.Stream(
        N_EVENTS, n_channels=N_CHANNELS, n_samples=20, status_every=3
    )
    return list(stream.records())


def stream(records: list[bytes]) -> bytes:
    return writer.assemble(records)[0]


# --- of conversions -----------------------------------------------------------------


class TestConversion:
    def test_good_input_is_decoded_to_the_last_byte(self, converted, records):
        data = stream(records)
        report = converted(data)
        assert report.bytes == dict.fromkeys(FATES, 0) | {"decoded": len(data)}
        assert report.packets["decoded"] == len(records)
        assert report.n_bytes == len(data)
        assert report.clean
        assert (report.exit_status, report.n_damage, report.damage) == (0, 0, [])

    def test_rows_and_times_of_each_table(self, converted, records, tmp_path):
        report = converted(stream(records))
        (tables,) = report.tables.values()
        assert list(report.tables) == report.outputs == [str(tmp_path / "x.lh5")]
        assert {name: t.rows for name, t in tables.items()} == {
            "FCConfig": 1,
            "FCEvent": N_CHANNELS * N_EVENTS,
            "FCStatus": 4,
        }
        with h5py.File(tmp_path / "x.lh5") as f:
            for name, column in (("FCEvent", "timestamp"), ("FCStatus", "server_time")):
                times = f[name][column][()]
                assert tables[name].first_time == times[0]
                assert tables[name].last_time == times[-1]
        assert tables["FCConfig"].first_time is None
        assert report.n_rows == sum(t.rows for t in tables.values())

    @pytest.mark.parametrize("buffer_size", [N_CHANNELS, 7])
    def test_times_do_not_depend_on_chunks(self, converted, records, buffer_size):
        whole = converted(stream(records))
        parts = converted(stream(records), buffer_size=buffer_size)
        assert parts.tables == whole.tables

    def test_tables_in_groups_go_by_their_paths(self, converted, records, tmp_path):
        out = f"{tmp_path}/y.lh5"
        config = {
            "FCEventDecoder": {
                "ch{key}/raw": {"key_list": ["*"], "out_stream": f"{out}:/a/b"}
            },
            "FCStatusDecoder": {"st": {"key_list": ["*"], "out_stream": out}},
        }
        report = converted(stream(records), out_spec=config)
        with h5py.File(out) as f:
            assert list(report.tables) == [out]
            for name, summary in report.tables[out].items():
                assert len(f[name]["packet_id"]) == summary.rows
        assert len(report.tables[out]) == N_CHANNELS + 1

    def test_records_of_unknown_kind_go_by_number(self, converted, records):
        unknown = [writer.record(11, b"abc"), writer.record(99, b"", b"x" * 40)]
        data = stream([*records[:3], unknown[0], *records[3:], *unknown])
        report = converted(data)
        counts = {
            re.findall(r"\d+", k)[-1]: n for k, n in report.unknown_records.items()
        }
        assert counts == {"11": 2, "99": 1}
        assert report.packets["unknown"] == 3
        assert report.bytes["unknown"] == 2 * len(unknown[0]) + len(unknown[1])
        assert report.n_bytes == len(data)
        # a newer writer is no damage
        assert report.exit_status == 0

    def test_thousands_of_unknown_kinds(self, converted, records, tmp_path):
        """As in a file that is mostly noise: the stored form is valid all the same."""
        unknown = [writer.record(1000 + i, b"") for i in range(4000)]
        report = converted(stream([*records, *unknown]))
        assert report.packets["unknown"] == 4000
        with h5py.File(tmp_path / "x.lh5") as f:
            stored = json.loads(f.attrs["daq2lh5_report"])
        assert stored["packets"]["unknown"] == 4000
        assert len(report.lines()) < 100

    def test_channels_that_nobody_asked_for_go_by_key(
        self, converted, records, tmp_path
    ):
        config = {
            "FCEventDecoder": {
                "a": {"key_list": ["*1"], "out_stream": f"{tmp_path}/y.lh5"}
            }
        }
        data = stream(records)
        report = converted(data, out_spec=config)
        assert report.skipped_channels == {
            "FCEventDecoder": {"1027200": N_EVENTS, "1027202": N_EVENTS}
        }
        assert report.n_bytes == len(data)
        assert report.exit_status == 0

    def test_tables_that_nobody_asked_for_are_skipped_on_request(
        self, converted, records, tmp_path
    ):
        """Their bytes count as skipped; those of other records as decoded."""
        config = {
            "FCStatusDecoder": {
                "st": {"key_list": ["*"], "out_stream": f"{tmp_path}/y.lh5"}
            }
        }
        data = stream(records)
        report = converted(data, out_spec=config)
        events = [r for r in records if r[:4] == writer.tag(writer.TAG_EVENT)]
        assert report.n_bytes == len(data)
        assert report.bytes["skipped"] == sum(map(len, events))
        assert report.packets["skipped"] == len(events)
        assert report.exit_status == 0

    def test_damage_has_place_length_and_reason(self, converted, records):
        junk = b"\x77" * 33
        data = stream([*records[:4], junk, *records[4:]])
        report = converted(data)
        (damage,) = report.damage
        start = 68 + sum(map(len, records[:4]))
        assert (damage.offset, damage.length, damage.fate) == (start, 33, "corrupt")
        assert damage.reason
        assert report.bytes["corrupt"] == 33
        assert report.bytes["decoded"] == len(data) - 33
        assert (report.clean, report.exit_status) == (False, 3)

    @pytest.mark.parametrize("missing", [1, 4, 50])
    def test_record_that_the_end_cuts_off(self, converted, records, missing):
        data = stream(records)[:-missing]
        report = converted(data)
        (damage,) = report.damage
        assert damage.fate == "cut_off"
        assert damage.offset + damage.length == len(data)
        assert report.bytes["cut_off"] == damage.length == len(records[-1]) - missing
        assert report.n_bytes == len(data)
        assert report.exit_status == 3

    def test_no_more_than_a_hundred_damages_are_listed(self, converted, records):
        """All are counted, and their bytes too."""
        parts = [records[0]]
        for _ in range(75):
            parts += [records[1], b"\x77" * 9, records[2], b"\x77" * 9]
        data = stream(parts)
        report = converted(data)
        assert report.n_damage == 150
        assert len(report.damage) == 100
        assert report.bytes["corrupt"] == 150 * 9
        assert report.n_bytes == len(data)
        offsets = [d.offset for d in report.damage]
        assert offsets == sorted(offsets)

    def test_two_reports_of_one_input_are_equal_but_for_times(self, converted, records):
        data = stream([*records[:3], b"\x77" * 9, *records[3:]])
        first, second = converted(data).as_dict(), converted(data).as_dict()
        first.pop("peak_memory"), second.pop("peak_memory")
        # (the input is written twice)
        first["input"].pop("modified"), second["input"].pop("modified")
        assert first.pop("seconds") != {}
        assert second.pop("seconds").keys() >= {"total"}
        assert first == second

    def test_stored_form_is_that_of_the_report(self, converted, records, tmp_path):
        report = converted(stream([*records[:3], b"\x77" * 9, *records[3:]]))
        with h5py.File(tmp_path / "x.lh5") as f:
            text = f.attrs["daq2lh5_report"]
        assert text == report.as_attribute(str(tmp_path / "x.lh5"))
        assert json.loads(text)["damage"] == report.as_dict()["damage"]


# --- of the class alone -------------------------------------------------------------

ranges = st.lists(
    st.tuples(
        st.integers(0, 2**40),
        st.integers(1, 2**33),
        st.sampled_from(("unknown", "corrupt", "cut_off")),
        st.text(max_size=20),
    ),
    max_size=150,
)


class TestCounting:
    def test_a_new_report_is_empty_and_clean(self):
        report = ConversionReport()
        assert report.n_bytes == report.n_rows == report.n_damage == 0
        assert set(report.bytes) == set(report.packets) == set(FATES)
        assert report.clean
        assert report.exit_status == 0
        assert report.bytes is not ConversionReport().bytes

    @given(ranges, st.integers(0, 2**40))
    def test_bytes_add_up(self, ranges, decoded):
        report = ConversionReport()
        report.bytes["decoded"] += decoded
        for damaged in ranges:
            report.add_damaged(*damaged)
        assert report.n_bytes == decoded + sum(length for _, length, _, _ in ranges)
        bad = [s for s in ranges if s[2] != "unknown"]
        assert report.n_damage == len(bad)
        assert [d.offset for d in report.damage] == [s[0] for s in bad[:100]]
        assert report.clean is (not bad)
        assert report.exit_status == (3 if bad else 0)
        as_dict = json.loads(json.dumps(report.as_dict()))
        assert as_dict["input_bytes"] == sum(as_dict["bytes"].values())
        assert as_dict["n_damage"] == len(bad)

    def test_rows_and_times_add_up(self):
        report = ConversionReport()
        report.add_rows("f", "a", 3, (1.0, 2.0))
        report.add_rows("f", "a", 2, (2.5, 4.0))
        report.add_rows("f", "b", 5, None)
        report.add_rows("g", "a", 1, (7.0, 7.0))
        assert report.tables == {
            "f": {"a": TableSummary(5, 1.0, 4.0), "b": TableSummary(5)},
            "g": {"a": TableSummary(1, 7.0, 7.0)},
        }
        assert report.n_rows == 11

    def test_a_time_of_zero_is_a_time(self):
        report = ConversionReport()
        report.add_rows("f", "a", 1, (0.0, 0.0))
        report.add_rows("f", "a", 1, (5.0, 6.0))
        assert report.tables["f"]["a"] == TableSummary(2, 0.0, 6.0)

    def test_notes_are_not_repeated(self):
        report = ConversionReport()
        for text in ("a", "b", "a"):
            report.note(text)
        assert report.notes == ["a", "b"]

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({}, 0),
            ({"error": "no"}, 1),
            ({"container_error": "checksum"}, 3),
            ({"container_error": "checksum", "error": "no"}, 1),
            ({"irregular": {"rule": 1}}, 3),
            ({"unknown_records": {"tag 11": 1}}, 0),
            ({"skipped_channels": {"D": {"1": 5}}}, 0),
            ({"notes": ["something"]}, 0),
        ],
    )
    def test_exit_status(self, change, status):
        report = ConversionReport()
        for name, value in change.items():
            setattr(report, name, value)
        assert report.exit_status == status
        assert report.clean is not bool({"container_error", "irregular"} & set(change))


def full_report(n: int, text: str = "some reason of usual length") -> ConversionReport:
    """A report with `n` of everything that can be many."""
    report = ConversionReport(source="in/run.fcio", format="FlashCam")
    for i in range(n):
        report.add_damaged(i * 100, 50, "corrupt", f"{text} {i}")
        report.add_rows("out.lh5", f"group/ch{i:07d}/raw", i + 1, (float(i), i + 0.5))
        report.unknown_records[f"{text} tag {i}"] += 1
        report.irregular[f"{text} rule {i}"] += 1
        report.skipped_channels.setdefault("FCEventDecoder", {})[str(i)] = i + 1
        report.note(f"{text} {i}")
    return report


class TestForms:
    def test_full_form_has_everything_as_plain_objects(self):
        report = full_report(3)
        report.seconds["decode"] = 1.5
        as_dict = report.as_dict()
        assert json.loads(json.dumps(as_dict)) == as_dict
        assert as_dict["status"] == 3
        assert as_dict["source"] == "in/run.fcio"
        assert as_dict["tables"]["out.lh5"]["group/ch0000001/raw"] == {
            "rows": 2,
            "first_time": 1.0,
            "last_time": 1.5,
        }
        assert as_dict["damage"][1] == {
            "offset": 100,
            "length": 50,
            "reason": "some reason of usual length 1",
            "fate": "corrupt",
        }
        assert as_dict["seconds"] == {"decode": 1.5}

    def test_a_failure_is_in_the_full_form(self):
        report = ConversionReport(error="disk full")
        assert report.as_dict()["error"] == "disk full"
        assert report.as_dict()["status"] == 1

    @pytest.mark.parametrize("n", [0, 1, 50, 101, 5000])
    @pytest.mark.parametrize(
        "text", ["reason", "a much longer reason " * 20, "ü☃" * 30]
    )
    def test_stored_form_is_short_and_valid(self, n, text):
        """HDF5 attributes hold 64 kB, whatever the input was like."""
        report = full_report(n, text)
        stored = report.as_attribute("out.lh5")
        assert len(stored.encode()) <= 60_000
        short = json.loads(stored)
        assert short["n_damage"] == n
        assert sum(short["bytes"].values()) == short["input_bytes"] == 50 * n
        assert short["status"] == (3 if n else 0)

    def test_stored_form_keeps_what_fits(self):
        report = full_report(20)
        short = json.loads(report.as_attribute("out.lh5"))
        full = report.as_dict()
        for name in ("damage", "skipped_channels", "unknown_records", "notes"):
            assert short[name] == full[name]
        assert short["tables"] == full["tables"]["out.lh5"]

    def test_stored_form_says_that_something_was_left_out(self):
        """A reader must be able to tell an empty list from one that did not fit."""
        report = full_report(5000)
        short = json.loads(report.as_attribute("out.lh5"))
        for name in ("damage", "skipped_channels", "tables"):
            assert name not in short or short[name]

    def test_stored_form_has_neither_times_nor_paths(self):
        report = full_report(2)
        report.seconds["decode"] = 123.456
        report.outputs = ["/home/me/out.lh5"]
        stored = report.as_attribute("out.lh5")
        for part in ("123.456", "in/run.fcio", "/home/me", "out.lh5"):
            assert part not in stored

    def test_stored_form_of_a_file_without_tables(self):
        assert json.loads(full_report(3).as_attribute("other.lh5"))["tables"] == {}

    @given(st.dictionaries(st.text(), st.integers(1, 2**40), max_size=30), st.text())
    def test_any_text_can_be_stored(self, counts, note):
        report = ConversionReport()
        report.unknown_records.update(counts)
        report.note(note)
        short = json.loads(report.as_attribute("f"))
        assert short["unknown_records"] == counts
        assert short["notes"] == [told(note)]


class TestLines:
    def test_good_input_takes_two_lines(self):
        report = ConversionReport(source="run.fcio", format="FlashCam")
        report.bytes["decoded"] = 2048
        report.packets["decoded"] = 7
        report.add_rows("x.lh5", "FCEvent", 21, None)
        first, second = report.lines()
        for part in ("run.fcio", "FlashCam", "2.000 KB", "7 records", "21 rows"):
            assert part in first
        assert "x.lh5" in second
        assert "FCEvent 21" in second

    def test_many_tables_and_damages_stay_short(self):
        report = full_report(1000)
        report.unknown_records.clear()
        report.irregular.clear()
        report.notes.clear()
        lines = report.lines()
        assert len(lines) < 15
        assert max(map(len, lines)) < 500
        assert any("992 more tables" in line for line in lines)
        assert any("995 more" in line for line in lines)

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            (lambda r: r.add_damaged(17, 5, "corrupt", "why"), "byte 17, 5 bytes: why"),
            (lambda r: r.add_damaged(9, 3, "cut_off", "end"), "3 bytes lost"),
            (lambda r: r.unknown_records.update({"FCIO tag 11": 4}), "4 x FCIO tag 11"),
            (lambda r: r.irregular.update({"some rule": 2}), "2 x some rule"),
            (lambda r: setattr(r, "container_error", "bad checksum"), "bad checksum"),
            (lambda r: setattr(r, "garbage_bytes_dropped", 12), "12 bytes"),
            (lambda r: r.note("something odd"), "something odd"),
            (lambda r: r.bytes.update(skipped=99), "99 bytes"),
        ],
    )
    def test_everything_that_is_not_as_usual_has_a_line(self, change, part):
        report = ConversionReport(source="run.fcio", format="FlashCam")
        change(report)
        assert any(part in line for line in report.lines()[1:])


def test_sizes_are_written_as_the_peer_writes_them():
    assert sizeof_fmt(3 * 1024**2) == "3.000 MB"
    assert sizeof_fmt(10.5, "Bps") == "10.500 Bps"

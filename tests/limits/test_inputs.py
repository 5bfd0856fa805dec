"""Inputs that ask for more memory or disk than they get, and inputs that are cut."""

from __future__ import annotations

import gzip
import lzma
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from kit.writers import compass, fcio, llama, orca

import daq2lh5
from daq2lh5.cli import main
from daq2lh5.compass.compass_config_parser import read_settings
from daq2lh5.errors import DecodeError
from daq2lh5.mgdo import tree
from daq2lh5.orca.orca_header_decoder import parse_header_packet
from daq2lh5.report import ConversionReport

zstandard = pytest.importorskip("zstandard")

GOOD = fcio.make_stream(3, n_channels=2, n_samples=9)


def converted(*arguments):
    """Return status and lines of a conversion."""
    done = CliRunner().invoke(main, ["convert", *map(str, arguments)])
    return done.exit_code, done.output.splitlines()


# ---- containers ----------------------------------------------------------------------


def zstd(data, window_log):
    parameters = zstandard.ZstdCompressionParameters(
        window_log=window_log,
        enable_ldm=True,
        hash_log=10,
        chain_log=10,
        strategy=zstandard.STRATEGY_FAST,
    )
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(data) + stream.flush()


def xz(data, dict_size):
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": dict_size}]
    return lzma.compress(data, filters=filters)


LARGE = {
    "zstd": (zstd(GOOD, 31), "a window of 2048 MiB", "the limit is 128 MiB"),
    "xz": (xz(GOOD, 1 << 29), "a window of more than 256 MiB", "the limit is 256 MiB"),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_window_is_refused_with_words(tmp_path, kind):
    """An intact file is not called empty, nor unknown."""
    data, *words = LARGE[kind]
    (tmp_path / "run.fcio").write_bytes(data)
    status, (line,) = converted(tmp_path / "run.fcio")
    assert status == 1
    assert all(word in line for word in [*words, "decompress it by"])
    assert not (tmp_path / "run.lh5").exists()


@pytest.mark.parametrize("kind", LARGE)
def test_what_is_in_front_of_a_large_window_is_kept(tmp_path, kind):
    first = zstd(GOOD, 17) if kind == "zstd" else xz(GOOD, 1 << 20)
    (tmp_path / "run.fcio").write_bytes(first + LARGE[kind][0])
    status, lines = converted(tmp_path / "run.fcio")
    assert status == 3
    assert "9 rows" in lines[0] or "rows" in lines[0]
    assert any(LARGE[kind][1] in line for line in lines)
    assert (tmp_path / "run.lh5").exists()


def test_what_is_cut_off_in_its_container_is_not_called_empty(tmp_path):
    (tmp_path / "run.fcio").write_bytes(gzip.compress(GOOD)[:12])
    status, (line,) = converted(tmp_path / "run.fcio")
    assert status == 1
    assert "the gzip stream is cut off" in line


class TestCopies:
    """Compressed ROOT files are copied to a temporary file."""

    @pytest.fixture(autouse=True)
    def _uproot(self):
        pytest.importorskip("uproot")

    @pytest.fixture
    def bomb(self, tmp_path):
        path = tmp_path / "run.root"
        with gzip.open(path, "wb", compresslevel=1) as file:
            file.write(b"root" + bytes(20 << 20))
        return path

    def test_have_a_limit(self, bomb, tmp_path, monkeypatch):
        folder = tmp_path / "temporary"
        folder.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        monkeypatch.setenv(tree.LIMIT_VARIABLE, "10M")
        status, (line,) = converted(bomb)
        assert status == 1
        for word in ("larger than 10M", str(folder), "TMPDIR", tree.LIMIT_VARIABLE):
            assert word in line
        assert not [*folder.iterdir()]

    def test_have_a_limit_by_default(self):
        assert tree.parse_size(tree.COPY_LIMIT) <= 4 << 30

    def test_on_a_full_disk_name_the_folder(self, bomb, tmp_path, monkeypatch):
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        resource = pytest.importorskip("resource")
        code = (
            "import resource, signal, sys\n"
            "from daq2lh5.cli import main\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
            "main()\n"
        )
        assert resource.RLIMIT_FSIZE is not None
        done = python(code, "convert", bomb, TMPDIR=tmp_path)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert str(tmp_path) in line
        assert "TMPDIR" in line

    def test_of_a_wrong_limit(self, bomb, monkeypatch):
        monkeypatch.setenv(tree.LIMIT_VARIABLE, "much")
        status, (line,) = converted(bomb)
        assert status == 2
        assert "'much' is not a valid size" in line


def python(code, *arguments, **environment):
    """Run some code in a process of its own."""
    package = str(Path(daq2lh5.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": package}
        | {name: str(value) for name, value in environment.items()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


# ---- settings and headers ------------------------------------------------------------

SETTINGS = compass.settings([compass.Board()])


def test_settings_of_millions_of_elements_are_refused(tmp_path):
    """Within a second, and before they take memory."""
    path = tmp_path / "settings.xml"
    many = "<a/>" * 3_900_000 + "</configuration>"
    path.write_text(SETTINGS.replace("</configuration>", many))
    start = time.process_time()
    with pytest.raises(
        DecodeError, match="more than 1000000 elements, the limit for settings"
    ):
        read_settings(path)
    assert time.process_time() - start < 1
    path.write_text(SETTINGS.replace("</configuration>", "<a/>" * 15_000_000))
    with pytest.raises(
        DecodeError, match=r"larger than 16 MiB, the limit for settings"
    ):
        read_settings(path)


def test_settings_of_many_levels(tmp_path):
    path = tmp_path / "settings.xml"
    deep = "<a>" * 300_000 + "</a>" * 300_000
    path.write_text(SETTINGS.replace("</configuration>", f"{deep}</configuration>"))
    assert len(read_settings(path).boards) == 1


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        pytest.param("<dict/>" * 3_000_000, "more elements than any header", id="many"),
        pytest.param("<array>" * 400_000, "ORCA header: ", id="open"),
        pytest.param(
            "<array>" * 400_000 + "</array>" * 400_000, "nested too deeply", id="deep"
        ),
        pytest.param(
            "<integer>" + "9" * 10**7 + "</integer>", "ORCA header: ", id="digits"
        ),
    ],
)
def test_headers_that_are_too_much(inside, problem):
    text = f'<?xml version="1.0"?><plist><dict><key>k</key>{inside}</dict></plist>'
    packet = orca.header_packet(text.encode())
    start = time.process_time()
    with pytest.raises(DecodeError, match=problem) as caught:
        parse_header_packet(packet)
    assert time.process_time() - start < 3
    assert len(str(caught.value)) < 1500


# ---- cuts ----------------------------------------------------------------------------

FORM = compass.form()
FIRST = {
    "run.fcio": fcio.handshake() + fcio.config(),
    "run.orca": orca.header_packet(orca.header()),
    "run.bin": llama.header([llama.Channel()]),
    "DataR_CH0@DT5730_1_run.BIN": compass.file(FORM, compass.events(FORM, 2)),
}


@pytest.mark.parametrize("name", FIRST)
def test_cut_in_the_first_record(tmp_path, monkeypatch, name):
    """One clear line: what it is, not what went wrong inside of us."""
    monkeypatch.chdir(tmp_path)
    data = FIRST[name]
    ends = {*range(20), *range(0, len(data), max(1, len(data) // 97))}
    ends |= set(range(max(0, len(data) - 20), len(data)))
    for end in sorted(ends):
        Path(name).write_bytes(data[:end])
        status, lines = converted("-w", "-o", "o.lh5", name)
        errors = [line for line in lines if line.startswith("error: ")]
        assert status in (0, 1, 3)
        assert len(errors) == (status == 1)
        if errors:
            words = "cut off|is empty|not recognized|no configuration|no channel"
            assert re.search(words, errors[0]), errors
        assert not re.search("window|consume|Traceback|index|struct", str(lines))


@pytest.mark.parametrize("missing", [1, 2, 3, 4, 5, 100])
def test_orca_header_cut_off(tmp_path, missing):
    """Also in the zeros behind its text."""
    path = tmp_path / "run.orca"
    data = FIRST["run.orca"]
    path.write_bytes(data[:-missing])
    there, all_ = len(data) - missing, len(data)
    status, (line,) = converted(path)
    assert status == 1
    assert f"cut off ({there} of {all_} bytes are there)" in line


# ---- reports -------------------------------------------------------------------------


def test_notes_are_counted_from_some_number_on():
    report = ConversionReport()
    for i in range(5000):
        report.note(f"note {i}")
        report.note("note 7")
    assert len(report.notes) == 1000
    assert report.notes[998:] == ["note 998", "and 4001 more notes"]
    lines = report.lines()
    assert len(lines) < 60
    assert lines[-1] == "  and 4950 more notes"


def test_kinds_of_unknown_records_are_counted_from_some_number_on():
    report = ConversionReport()
    for i in range(5000):
        report.add_unknown(f"kind {i}", 2)
    assert len(report.unknown_records) == 1001
    assert report.unknown_records["other kinds"] == 8000
    assert len(report.lines()) < 20

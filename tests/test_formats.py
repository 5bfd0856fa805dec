"""Formats: found by name, by extension, and by the first bytes of each."""

from __future__ import annotations

import pytest
from kit.writers import compass, fcio, llama, llama_old, orca

from daq2lh5.errors import UnknownFormatError
from daq2lh5.formats import FORMATS, detect, find, known_decoders, make_streamer
from daq2lh5.reading.source import open_source


def compass_file() -> bytes:
    form = compass.form(0xCAED)
    return compass.file(form, compass.events(form, channels=[(0, 0)], n=3, n_samples=9))


INPUTS = {
    "FlashCam": lambda: fcio.make_stream(3),
    "ORCA": lambda: orca.make_stream(n_events=3),
    "LlamaDaq": lambda: llama.make_file([llama.Channel()], n_events=3)[0],
    "Compass": compass_file,
    "MGDO": lambda: b"root" + bytes(100),
}


def detected(path, data: bytes) -> str:
    path.write_bytes(data)
    with open_source(str(path)) as source:
        return detect(str(path), source).name


def test_every_format_is_tested_here():
    assert INPUTS.keys() == {f.name for f in FORMATS}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("ending", ["dat", "fcio", "orca", "bin", "root"])
def test_content_decides_whatever_the_extension(name, ending, tmp_path):
    assert detected(tmp_path / f"run.{ending}", INPUTS[name]()) == name


def test_older_llama_files_are_recognized(tmp_path):
    channels = [llama_old.OldChannel(channel=0)]
    data = llama_old.make_file(channels, [[1]], size=80).data
    assert detected(tmp_path / "run", data) == "LlamaDaq"


@pytest.mark.parametrize("name", INPUTS)
def test_names_and_extensions_in_any_letter_case(name):
    format_ = find(name)
    assert find(f" {name.upper()} ") is find(name.lower()) is format_
    for ending in format_.extensions:
        assert format_.has_extension(ending.upper())
        owners = [f for f in FORMATS if f.has_extension(ending)]
        if len(owners) == 1:
            assert find(f".{ending}") is format_
        else:
            with pytest.raises(NotImplementedError, match="is the extension of"):
                find(ending)


def test_an_unknown_name_has_a_hint():
    with pytest.raises(NotImplementedError, match="ORCA"):
        find("ORKA")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"nothing of the kind", "format not recognized"),
        (b"\x89HDF\r\n\x1a\n", "HDF5 file"),
        (b"", "is empty"),
    ],
)
def test_other_files_are_refused(data, words, tmp_path):
    with pytest.raises(UnknownFormatError, match=words):
        detected(tmp_path / "run.dat", data)


def test_the_extension_decides_where_nothing_can_be_read():
    assert detect("run.orca.gz", None).name == "ORCA"
    with pytest.raises(UnknownFormatError, match="extension"):
        detect("run.abc", None)


@pytest.mark.parametrize("format_", FORMATS, ids=lambda f: f.name)
def test_streamers_have_the_decoders_of_their_format(format_):
    streamer = make_streamer(format_)
    names = {type(d).__name__ for d in streamer.get_decoder_list()}
    assert names <= set(format_.decoders) <= known_decoders()
    assert streamer is not make_streamer(format_)

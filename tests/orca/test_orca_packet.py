"""The first words of packets, and how packets are shown.

"Format N" means section N of the ORCA format.
"""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest

from daq2lh5.orca import orca_base
from daq2lh5.orca import orca_packet as op

LONG = [3 << 18 | 4, 0x21, 0x500, 0x63C1977A]
EXTENDED = [9 << 18, 5, 0x10001, 7, 8]
SHORT = [33 << 26 | 0x155]
HEADER = [4, 5, 0x6D783F3C, 0x6C]
FULL = [0x1FFE << 18 | 0x3FFFF]


def words(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint32)


@pytest.mark.parametrize(
    ("values", "short", "extended", "n_words", "data_id", "unshifted"),
    [
        (LONG, False, False, 4, 3, 0xC0000),
        (EXTENDED, False, True, 5, 9, 0x240000),
        (SHORT, True, False, 1, 33, 0x84000000),
        (HEADER, False, False, 4, 0, 0),
        (FULL, False, False, 0x3FFFF, 0x1FFE, 0x7FF80000),
        # format 1.1: a short packet can have anything below its id
        ([62 << 26], True, True, 1, 62, 0xF8000000),
        ([1 << 18, 2**32 - 1], False, True, 2**32 - 1, 1, 1 << 18),
        # zeros between packets (format 7.4), and the length 1 (format 7.8)
        ([0, 0], False, True, 0, 0, 0),
        ([5 << 18 | 1], False, False, 1, 5, 5 << 18),
    ],
)
def test_first_words(values, short, extended, n_words, data_id, unshifted):
    packet = words(values)
    assert op.is_short(packet) is short
    assert op.is_extended(packet) is extended
    assert op.get_n_words(packet) == n_words
    assert op.get_data_id(packet) == data_id
    assert op.get_data_id(packet, shift=False) == unshifted


def test_lengths_can_be_multiplied():
    """Of numpy's integers of 32 bits the length in bytes would overflow."""
    assert 4 * op.get_n_words(words([1 << 18, 2**31])) == 2**33


@pytest.mark.parametrize("n_bytes", [2**20, 2**20 - 12, 2**20 - 11, 3 * 2**20 + 7])
def test_length_of_a_header_that_word_0_cannot_say(n_bytes):
    n_words = 2 + n_bytes // 4 + 1
    packet = words([n_words & 0x3FFFF, n_bytes])
    assert op.get_n_words(packet) == n_words


class TestHexDump:
    @staticmethod
    def dump(values, **kwargs):
        return op.hex_dump(words(values), return_output=True, **kwargs)

    def test_words(self):
        assert self.dump(LONG) == [
            "data ID = 3:",
            "0 0x000c0004",
            "1 0x00000021",
            "2 0x00000500",
            "3 0x63c1977a",
        ]

    def test_numbers_of_words_are_as_wide_as_the_last(self):
        lines = self.dump([1 << 18 | 11, *range(10)])
        assert lines[1] == "00 0x0004000b"
        assert lines[11] == "10 0x00000009"
        assert self.dump([1 << 18 | 10, *range(9)])[10] == "9 0x00000008"
        assert self.dump(SHORT) == ["data ID = 33:", "0 0x84000155"]

    def test_headings(self):
        assert self.dump(LONG, shift_data_id=False)[0] == "data ID = 786432:"
        names = {3: "ORRunDecoderForRun"}
        assert self.dump(LONG, id_dict=names)[0] == (
            "ORRunDecoderForRun (data ID = 3):"
        )
        assert self.dump(SHORT, id_dict=names)[0] == "[unknown] (data ID = 33):"
        assert self.dump(LONG, id_dict=names, print_n_words=True) == [
            "ORRunDecoderForRun (data ID = 3): 4 words"
        ]

    def test_words_as_numbers(self):
        assert self.dump([3 << 18 | 2, 0x10002], as_int=True, as_short=True) == [
            "data ID = 3:",
            "0 0x000c0002 786434 [ 2 12]",
            "1 0x00010002 65538 [2 1]",
        ]

    def test_text_of_a_header(self):
        assert self.dump(HEADER) == [
            "data ID = 0:",
            "0 0x00000004",
            "1 0x00000005",
            "2 0x6d783f3c <?xm",
            "3 0x0000006c l\0\0\0",
        ]

    def test_letter_that_is_parted_by_words(self):
        packet = np.frombuffer(b"\4\0\0\0\5\0\0\0<?x\xc3\xa4\0\0\0", np.uint32)
        lines = op.hex_dump(packet, return_output=True)
        assert lines[3:] == ["2 0xc3783f3c <?x\ufffd", "3 0x000000a4 \ufffd\0\0\0"]

    @pytest.mark.parametrize(("most", "n"), [(2, 2), (9, 4), (0, 0), (-1, 0)])
    def test_no_more_than_asked_for(self, most, n):
        assert len(self.dump(LONG, max_words=most)) == 1 + n

    def test_no_more_than_there_are(self):
        assert len(self.dump([3 << 18 | 100, 1])) == 3
        assert self.dump([1 << 18, 0]) == ["data ID = 1:"]

    def test_where_it_is_shown(self, capsys, caplog):
        caplog.set_level(logging.DEBUG)
        assert op.hex_dump(words(SHORT)) is None
        assert caplog.messages == self.dump(SHORT, use_logging=False)
        assert caplog.records[0].levelno == logging.DEBUG
        assert capsys.readouterr().out == "data ID = 33:\n0 0x84000155\n"


@pytest.mark.parametrize(
    ("crate", "card", "channel", "ccc"),
    [(0, 0, 0, 0), (1, 2, 3, 0x223), (15, 31, 15, 0x1FFF), (2, 0x21, 0x12, 0x412)],
)
def test_keys_of_crate_card_and_channel(crate, card, channel, ccc):
    """Format 2.1."""
    assert orca_base.get_ccc(crate, card, channel) == ccc
    assert orca_base.get_crate(ccc) == crate
    assert orca_base.get_card(ccc) == card & 0x1F
    assert orca_base.get_channel(ccc) == channel & 0xF


def test_base_decoder_takes_a_header():
    from daq2lh5.data_decoder import DataDecoder
    from daq2lh5.orca.orca_header import OrcaHeader

    assert issubclass(orca_base.OrcaDecoder, DataDecoder)
    header = OrcaHeader('{"a": 1}')
    assert orca_base.OrcaDecoder(header).header is header
    assert orca_base.OrcaDecoder(OrcaHeader()).header is None
    assert orca_base.OrcaDecoder(garbage_length=4).header is None


def test_import_is_light():
    modules = ["orca_base", "orca_header", "orca_header_decoder", "orca_packet"]
    code = "import sys\n"
    code += "".join(f"import daq2lh5.orca.{module}\n" for module in modules)
    code += "assert not {'lgdo', 'lh5', 'h5py'} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], check=True)

"""The C layer, as far as it shows from Python.

What the kernels know of the wire is compared with the writer of synthetic streams,
which was made from the format description alone. How columns are bound to memory is
seen by giving the kernels tables of every kind that a user may set.
"""

from __future__ import annotations

import copy
import re
import struct
from itertools import pairwise

import lgdo
import numpy as np
import pytest
from kit.places import REPOSITORY
from kit.writers import fcio as writer

import daq2lh5
from daq2lh5.fc import wire
from daq2lh5.fc.columns import KERNEL_TABLES
from daq2lh5.raw_buffer import RawBuffer

TABLES = [table.name for table in KERNEL_TABLES]
COLUMNS = [
    (table.name, column.name) for table in KERNEL_TABLES for column in table.columns
]


def constants() -> dict[str, int]:
    """Return the numbers that ``layout.pxd`` gives names to."""
    text = (REPOSITORY / "daq2lh5" / "fc" / "layout.pxd").read_text()
    found = re.findall(r"^    ([A-Z_]+) = ([-\d*+ ]+?)\s*(?:#.*)?$", text, re.MULTILINE)
    values: dict[str, int] = {}
    for name, product in found:
        value = 1
        for factor in product.split("*"):
            value *= int(factor)
        assert name not in values
        values[name] = value
    return values


class TestConstants:
    def test_tags_are_those_of_the_writer(self):
        ours = {k: v for k, v in constants().items() if k.startswith("TAG_")}
        theirs = {k: v for k, v in vars(writer).items() if k.startswith("TAG_")}
        assert {k: ours[k] for k in theirs} == theirs

    def test_handshake(self):
        shake = writer.handshake()
        assert wire.HANDSHAKE.size == len(shake)
        assert wire.HANDSHAKE.fields[0].value == struct.unpack("<i", shake[:4])[0]
        assert constants()["PROTOCOL_BYTES"] == len(b"FlashCamV1")
        assert constants()["LOWEST_TAG"] == -writer.MAX_TAG

    def test_block_of_a_card(self):
        """Offsets, found by the position of a number that the writer puts there."""
        places = {field.name: field.offset // 4 for field in wire.CARD.fields}
        assert wire.CARD.size == writer.CARD_BLOCK_SIZE == len(card().pack())
        for name in (
            "reqid",
            "eventno",
            "pps",
            "ticks",
            "numenv",
            "numctilinks",
            "numlinks",
            "totalerrors",
            "enverrors",
            "ctierrors",
            "linkerrors",
        ):
            assert places[name] == first_word(**{name: 77}), name
        for name, field in (
            ("othererrors", "othererrors"),
            ("board_temperatures", "environment"),
            ("ctilinks", "ctilinks"),
            ("linkstates", "linkstates"),
        ):
            counts = {"numenv": 0, "numctilinks": 0, "numlinks": 0}
            assert places[name] == first_word(**{field: (77,)}, **counts)

    def test_longest_arrays_fill_the_block(self):
        fields = {field.name: field for field in wire.CARD.fields}
        places = {name: field.offset // 4 for name, field in fields.items()}
        environment = places["ctilinks"] - places["board_temperatures"]
        assert environment == constants()["MAX_ENVIRONMENT"]
        assert places["ctilinks"] + fields["ctilinks"].count == places["linkstates"]
        last = fields["linkstates"]
        assert last.offset + 4 * last.count == wire.CARD.size

    def test_records_of_the_software_trigger(self):
        places = constants()
        assert wire.FSP_STATUS.size == writer.FSP_STATUS_DTYPE.itemsize
        assert places["FSP_CONFIG_FRAMES"] == len(writer.FSP_CONFIG_FIELDS)


def card(**fields) -> writer.StatusCard:
    return writer.StatusCard(**({"maxticks": 0, "status": 0} | fields))


def first_word(**fields) -> int:
    """Return the place of the word that holds 77."""
    words = np.frombuffer(card(**fields).pack(), "<i4")
    (place,) = np.flatnonzero(words == 77)
    return int(place)


# --- columns bound to memory --------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> str:
    """A run with rows of every table."""
    path = tmp_path_factory.mktemp("run") / "run.fcio"
    path.write_bytes(
        writer.make_stream(
            30,
            n_channels=4,
            n_samples=7,
            fsp=True,
            kind="mixed",
            status_every=7,
            deadtime=True,
        )
    )
    return str(path)


def rows_of(table: lgdo.Table, n: int) -> dict[str, list]:
    """Copy the first rows of a table, as plain lists."""
    out: dict[str, list] = {}
    for name, column in table.items():
        if isinstance(column, lgdo.Table):
            out |= {f"{name}/{k}": v for k, v in rows_of(column, n).items()}
        elif isinstance(column, lgdo.VectorOfVectors):
            ends = [0, *column.cumulative_length.nda[:n].tolist()]
            data = column.flattened_data.nda
            out[name] = [data[a:b].tolist() for a, b in pairwise(ends)]
        else:
            out[name] = column.nda[:n].tolist()
    return out


def decode(run: str, change=lambda name, table: table, rows: int = 200) -> dict:
    """Decode the run into tables of the user's that `change` has made.

    `change` gets the name of a table and the table as the decoder makes it.
    """
    with daq2lh5.open_stream(run) as (streamer, _):
        found = {}
        for name, rb in streamer.rb_lib.buffers():
            if name.removesuffix("Decoder") not in TABLES:
                continue
            decoder = next(
                d for d in streamer.get_decoder_list() if type(d).__name__ == name
            )
            key = rb.key_list[0] if rb.key_list else None
            rb.lgdo = change(
                name.removesuffix("Decoder"), decoder.make_lgdo(key=key, size=rows)
            )
        for chunk in streamer:
            for rb in chunk:
                if rb.out_name in TABLES:
                    assert rb.out_name not in found, "more than one chunk"
                    found[rb.out_name] = rows_of(rb.lgdo, rb.loc)
    return found


@pytest.fixture(scope="module")
def wanted(run) -> dict:
    return decode(run)


def all_arrays(table: lgdo.Table):
    """Go through the arrays of a table, with places to put others."""
    # a waveform has a column called "values", which hides the method
    for _, column in table.items():
        if isinstance(column, lgdo.Table):
            yield from all_arrays(column)
        elif isinstance(column, lgdo.VectorOfVectors):
            yield column.flattened_data
        else:
            yield column


def test_every_table_has_rows(wanted):
    """So that the tests below show something."""
    assert set(wanted) == set(TABLES)
    for table in KERNEL_TABLES:
        rows = wanted[table.name]
        assert {name.partition("/")[0] for name in rows} == {
            c.name for c in table.columns
        }
        assert all(len(values) >= 4 for values in rows.values())


@pytest.mark.parametrize("byte", [0x00, 0x55, 0xAA, 0xFF])
def test_every_column_of_every_row_is_written(run, wanted, byte):
    """Nothing of what was in the memory before comes through."""

    def fill(name, table):
        for array in all_arrays(table):
            # the sampling period is set when the table is made
            if name != "FCEvent" or array is not table["waveform"]["dt"]:
                array.nda.view(np.uint8)[...] = byte
        return table

    found = decode(run, fill)
    for name, columns in wanted.items():
        for column, values in columns.items():
            assert found[name][column] == values, f"{name}/{column}"


@pytest.mark.parametrize(("table_name", "column"), COLUMNS)
def test_a_dropped_column_changes_no_other(run, wanted, table_name, column):
    """Its values go nowhere."""

    def drop(name, table):
        if name == table_name:
            table.pop(column)
        return table

    found = decode(run, drop)
    for name, columns in wanted.items():
        for other, values in columns.items():
            dropped = name == table_name and other.partition("/")[0] == column
            if not dropped:
                assert found[name][other] == values, f"{name}/{other}"
            else:
                assert other not in found[name]


def test_a_table_without_any_column_takes_rows(run):
    def drop(name, table):
        for column in list(table):
            table.pop(column)
        return table

    found = decode(run, drop)
    assert set(found) == set(TABLES)
    assert all(columns == {} for columns in found.values())


@pytest.mark.parametrize("dtype", ["float64", "int64", ">f8", "f4"])
def test_columns_of_another_type_are_converted(run, wanted, dtype):
    """Also of another byte order."""

    def retype(name, table):
        for array in all_arrays(table):
            array.nda = array.nda.astype(dtype)
        return table

    found = decode(run, retype)
    for name, columns in wanted.items():
        for column, values in columns.items():
            flat = np.concatenate([np.ravel(v) for v in values])
            ours = np.concatenate([np.ravel(v) for v in found[name][column]])
            assert ours.tolist() == flat.astype(dtype).tolist(), f"{name}/{column}"


@pytest.mark.parametrize("how", ["every second", "backwards", "unaligned", "fortran"])
def test_columns_that_lie_in_memory_otherwise(run, wanted, how):
    """Strided, reversed, at odd addresses: values are the same."""

    def move(name, table):
        for column in list(table):
            for array in all_arrays({column: table[column]}):
                if isinstance(table[column], lgdo.VectorOfVectors):
                    continue
                array.nda = elsewhere(array.nda, how)
        return table

    assert decode(run, move) == wanted


def elsewhere(values: np.ndarray, how: str) -> np.ndarray:
    """Copy an array to memory that is laid out in another way."""
    if how == "every second":
        out = np.empty((2 * len(values), *values.shape[1:]), values.dtype)[::2]
    elif how == "backwards":
        out = np.empty_like(values)[::-1]
    elif how == "fortran":
        out = np.empty(values.shape, values.dtype, order="F")
    else:
        raw = np.empty(values.nbytes + 1, np.uint8)[1:]
        out = raw.view(values.dtype).reshape(values.shape)
    out[...] = values
    return out


@pytest.mark.parametrize("name", ["FCEvent", "FCStatus"])
def test_column_shorter_than_its_table_is_refused(run, name):
    """And nothing is written beside it."""

    def shorten(which, table):
        if which == name:
            table["packet_id"].nda = table["packet_id"].nda[:5].copy()
        return table

    with pytest.raises(ValueError, match=r"packet_id.*5 rows"):
        decode(run, shorten)


@pytest.mark.parametrize("width", [0, 1, 6, 8, 100])
def test_waveforms_of_another_width_are_refused(run, width):
    """And nothing is written beside them."""

    def change(which, table):
        if which == "FCEvent":
            values = np.zeros((len(table), width), np.uint16)
            table["waveform"]["values"].nda = values
        return table

    with pytest.raises(ValueError, match="waveform"):
        decode(run, change)


def test_read_only_columns_are_not_written_in_place(run):
    """A user's frozen array stays as it is; the conversion says so."""

    def freeze(name, table):
        if name == "FCEvent":
            frozen = np.full(len(table), 5, np.uint16)
            frozen.setflags(write=False)
            table["daqenergy"].nda = frozen
        return table

    with pytest.raises(ValueError, match=r"read-only|daqenergy"):
        decode(run, freeze)


def test_vectors_grow_as_needed(run, wanted):
    """From no room at all."""

    def shrink(name, table):
        for _, column in table.items():
            if isinstance(column, lgdo.VectorOfVectors):
                data = column.flattened_data
                data.nda = np.zeros(0, data.nda.dtype)
        return table

    assert decode(run, shrink) == wanted


def test_no_pointer_lives_between_chunks(run, wanted):
    """Arrays may be replaced, and the old ones freed, after each packet."""
    found: dict[str, list] = {}
    with daq2lh5.open_stream(run, chunk_mode="single_packet") as (streamer, _):
        buffers = {n: rbs[0] for n, rbs in streamer.rb_lib.items() if rbs}
        rb = buffers["FCEventDecoder"]
        for chunk in streamer:
            if rb in chunk:
                found.setdefault("daqenergy", []).extend(
                    rb.lgdo["daqenergy"].nda[: rb.loc].tolist()
                )
            rb.lgdo = copy.deepcopy(rb.lgdo)
            for array in all_arrays(rb.lgdo):
                array.nda = array.nda.copy()
    assert found["daqenergy"] == wanted["FCEvent"]["daqenergy"]


def test_rows_are_counted_even_if_decoding_fails(run):
    """`loc` is written back by whatever way a read ends."""
    with daq2lh5.open_stream(run) as (streamer, _):
        (rb,) = streamer.rb_lib["FCEventDecoder"]
        rb.lgdo = streamer.event_decoder.make_lgdo(size=12)
        streamer.read_chunk()
        filled = rb.loc
        assert 8 < filled <= 12
        rb.lgdo = streamer.event_decoder.make_lgdo(size=2)
        rb.loc = 0
        with pytest.raises(ValueError, match="FCEvent"):
            list(streamer)
        assert 0 <= rb.loc <= 2


def test_packets_are_atomic_over_buffers(run):
    """A packet that does not fit into one buffer leaves no rows in any."""
    keys = None
    with daq2lh5.open_stream(run) as (streamer, _):
        keys = streamer.event_decoder.key_list
    config = {
        "FCEventDecoder": {
            "first": {"key_list": keys[:1]},
            "rest": {"key_list": keys[1:]},
        }
    }
    library = daq2lh5.raw_buffer.RawBufferLibrary(config)
    with daq2lh5.open_stream(run, rb_lib=library, buffer_size=7) as (streamer, _):
        assert all(isinstance(rb, RawBuffer) for rb in library["FCEventDecoder"])
        first, rest = library["FCEventDecoder"]
        last: dict[int, set[int]] = {}
        for chunk in streamer:
            for rb in (first, rest):
                if rb in chunk:
                    packets = rb.lgdo["packet_id"].nda[: rb.loc].tolist()
                    last.setdefault(id(rb), set()).update(packets)
                    # all rows of a packet of one buffer are in one chunk
                    seen = last.setdefault(-id(rb), set())
                    assert not seen & set(packets)
                    seen |= set(packets)

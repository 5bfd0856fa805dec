"""Arguments of conversions: numbers of any type, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from daq2lh5.conversion.arguments import (
    check_options,
    number_or_all,
    whole_number,
    yes_or_no,
)


@pytest.mark.parametrize("value", [7, 7.0, np.int16(7), np.float32(7), np.array(7)])
def test_whole_numbers_of_any_type(value):
    number = whole_number("n", value, 0)
    assert number == 7
    assert type(number) is int


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (7.5, ValueError, "integer"),
        (math.nan, ValueError, "integer"),
        ("7", TypeError, "integer"),
        (True, TypeError, "integer"),
        (None, TypeError, "integer"),
        (2, ValueError, "at least 3"),
    ],
)
def test_other_numbers_are_refused_by_name(value, error, words):
    with pytest.raises(error, match=words):
        whole_number("n", value, 3)


@pytest.mark.parametrize("value", [None, math.inf, np.float64(math.inf), 2**200])
def test_all_rows(value):
    assert number_or_all("n", value) is None


def test_a_number_of_rows():
    assert number_or_all("n", 0) == 0
    assert number_or_all("n", 5.0) == 5
    for value in (-1, -math.inf):
        with pytest.raises(ValueError, match=r"at least 0|inf"):
            number_or_all("n", value)


@pytest.mark.parametrize("value", [True, 1, np.bool_(True), np.uint8(1)])
def test_yes_or_no(value):
    assert yes_or_no("x", value) is True
    assert yes_or_no("x", type(value)(0)) is False


@pytest.mark.parametrize("value", ["no", 2, None, 0.5])
def test_what_is_neither_is_refused(value):
    with pytest.raises(TypeError, match="True or False"):
        yes_or_no("x", value)


def test_types_of_options():
    check_options({"hdf5_settings": {}, "db_dict": None, "in_stream_type": "ORCA"})
    for name in ("hdf5_settings", "db_dict", "in_stream_type"):
        with pytest.raises(TypeError, match=name):
            check_options({name: 5})

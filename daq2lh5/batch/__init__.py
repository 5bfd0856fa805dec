"""Conversions of many files: worker processes, order, what is done already."""

from ..command.inputs import InputError, expand_inputs, natural_key
from .results import Result
from .work import Job, Listener, convert_all

__all__ = [
    "InputError",
    "Job",
    "Listener",
    "Result",
    "convert_all",
    "expand_inputs",
    "natural_key",
]

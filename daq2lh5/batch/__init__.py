"""Conversions of many files: worker processes, order, outputs that are up to date."""

from .files import convert_files
from .results import Result
from .work import Listener

__all__ = ["Listener", "Result", "convert_files"]

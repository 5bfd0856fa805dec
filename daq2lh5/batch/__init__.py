"""Conversions of many files: worker processes, order, outputs that are up to date."""

from .cluster import ClusterError
from .files import convert_files
from .results import Result
from .work import Listener

__all__ = ["ClusterError", "Listener", "Result", "convert_files"]

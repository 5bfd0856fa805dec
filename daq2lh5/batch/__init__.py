"""Conversions of many files, in worker processes or on a cluster."""

from .cluster import ClusterError
from .files import convert_files
from .results import Result
from .work import Listener

__all__ = ["ClusterError", "Listener", "Result", "convert_files"]

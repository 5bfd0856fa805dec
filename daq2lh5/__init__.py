"""Convert digitizer (DAQ) files to LEGEND HDF5 (LH5).

:func:`build_raw` converts a file; :func:`open_stream` yields the decoded data, a batch
of buffers at a time; :func:`verify` compares an output with its DAQ file; ``daq2lh5``
is the command line. ``docs/source/architecture.rst`` is a map of the code.
"""

from ._version import __version__
from .build_raw import build_raw, get_streamer, open_stream
from .installation import warn_of_peer
from .verification.verification import verify

__all__ = ["__version__", "build_raw", "get_streamer", "open_stream", "verify"]

warn_of_peer()

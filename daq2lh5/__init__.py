"""Convert digitizer (DAQ) files to LEGEND HDF5 (LH5).

:func:`build_raw` converts a file; :func:`open_stream` yields the decoded data, a batch
of buffers at a time; ``daq2lh5 convert`` is the command line. For what is where in the
code see ``docs/source/architecture.rst``.
"""

from ._version import __version__
from .build_raw import build_raw, get_streamer, open_stream
from .installation import warn_of_peer

__all__ = ["__version__", "build_raw", "get_streamer", "open_stream"]

warn_of_peer()

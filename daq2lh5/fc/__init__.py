"""FlashCam: files and streams in the FCIO format.

The wire format is in ``layout.pxd``, framing in ``_framing.pyx``, the dead-time
tracker in ``_dead_time.pyx``, the decoding of records in ``_kernel.pyx``, the columns
of the tables in ``columns.py``. The other modules are the public classes.
"""

"""FlashCam: files and streams in the FCIO format.

The wire format is in ``layout.pxd``, framing in ``_framing.pyx``, the dead-time tracker
in ``_dead_time.pyx``, state carried between records in ``_state.pyx``, the rows
in ``_rows.pyx``, the loop over records in ``_kernel.pyx``, the columns of the tables in
``columns.py``. The other modules are the public classes.
"""

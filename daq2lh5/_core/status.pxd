# What a kernel says when it hands back to Python, and how far it got.
#
# Broken data is a status, never an exception: an exception would lose the count of
# the rows that are done.

from libc.stdint cimport int32_t, int64_t


cdef enum Status:
    STATUS_END          # all of the input is done
    STATUS_MORE         # needs `need` bytes in the window
    STATUS_LIMIT        # as many packets, or rows, as were asked for
    STATUS_FULL         # a buffer has no room for another packet
    STATUS_ALLOCATE     # sink `detail` of table `table` has no memory yet
    STATUS_GROW         # vectors of sink `detail` of table `table` need `need` elements
    STATUS_HEADER       # a header record was read; Python reacts to it
    STATUS_SKIPPED      # a stretch of the input was passed over: see `stretch`
    STATUS_WIDTH        # a trace has not the samples of its buffer
    STATUS_KEY          # rows with an unannounced key: Python may add a buffer

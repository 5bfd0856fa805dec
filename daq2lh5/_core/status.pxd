# What a kernel says when it hands back to Python, and how far it got.
#
# Broken data is a status, never an exception: an exception would lose the count of
# the rows that are done.


cdef enum Status:
    STATUS_NEXT         # go on: it is done, or there is room (never handed to Python)
    STATUS_END          # all of the input is done
    STATUS_MORE         # needs `need` bytes in the window
    STATUS_LIMIT        # as many packets, or rows, as were asked for
    STATUS_FULL         # a buffer has no room for another packet
    STATUS_ALLOCATE     # sink `detail_sink` of table `detail_table` has no memory yet
    STATUS_GROW         # its vectors lack room for `detail_need` elements
    STATUS_HEADER       # a header record was read; Python reacts to it
    STATUS_SKIPPED      # a part of the input was passed over: see `damaged`
    STATUS_WIDTH        # a trace has not the samples of its buffer
    STATUS_KEY          # rows with an unannounced key: Python may add a buffer

# Reasons for a kernel to return to Python.
#
# Damaged data is a status, never an exception: an exception would lose the number of
# finished rows.


cdef enum Status:
    STATUS_NEXT         # go on: done, or enough room (never returned to Python)
    STATUS_END          # the whole input is done
    STATUS_MORE         # needs `need` bytes in the window
    STATUS_LIMIT        # the requested number of records, or rows, is done
    STATUS_FULL         # a buffer has no room for another record
    STATUS_ALLOCATE     # sink `detail_sink` of table `detail_table` has no memory yet
    STATUS_GROW         # its vectors lack room for `detail_need` elements
    STATUS_HEADER       # a header record was read; Python reacts to it
    STATUS_SKIPPED      # a part of the input was not decoded: see `damaged`
    STATUS_WIDTH        # a trace does not fit the waveforms of its buffer
    STATUS_KEY          # rows with an unannounced key: Python may add a buffer

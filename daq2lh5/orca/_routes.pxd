# Where the rows of a channel go: the number of a sink, or one of these.

cdef enum:
    ROUTE_ASK = -1          # stop at the first row: Python has to find a buffer
    ROUTE_NONE = -2         # the channel is not selected
    MAX_ROUTE = 0x7FFF      # routes have 16 bits

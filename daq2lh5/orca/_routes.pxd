# Route of a channel's rows: the index of a sink, or one of these.

cdef enum:
    ROUTE_ASK = -1          # stop at the first row: Python finds a buffer
    ROUTE_NONE = -2         # the channel is not selected
    MAX_ROUTE = 0x7FFF      # routes have 16 bits

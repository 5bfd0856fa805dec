# The FCIO wire format: numbers of the specification, each with its section. wire.py
# declares the fields of structs.

from ._wire cimport FCIO_HANDSHAKE_BYTES, FCIO_HANDSHAKE_TAG

cdef enum:                          # 2
    TAG_CONFIG = 1
    TAG_CALIB = 2
    TAG_EVENT = 3
    TAG_STATUS = 4
    TAG_REC_EVENT = 5
    TAG_SPARSE_EVENT = 6
    TAG_EVENT_HEADER = 7
    TAG_FSP_CONFIG = 8
    TAG_FSP_EVENT = 9
    TAG_FSP_STATUS = 10

cdef enum:
    # FCIO format, 1.1
    PROTOCOL_TAG = FCIO_HANDSHAKE_TAG
    LOWEST_TAG = -1000000000
    HANDSHAKE_BYTES = FCIO_HANDSHAKE_BYTES
    PROTOCOL_BYTES = 10     # of its text, the name of the protocol
    # format 1.4
    MAX_TRACES = 2400
    MAX_SAMPLES = 32768
    MAX_TRACE_WORDS = 22021440
    MAX_PULSES = 26400000
    MAX_CARDS = 256
    MAX_REQUEST_IDS = 65536     # 5: the lower 16 bits of a card's id count
    MAX_TIMES = 10
    MAX_SUB_EVENTS = 32768
    MAX_DEAD_INTERVALS = 2048
    # no field of any record is longer than the pulses of a RecEvent (format 1.4, 2.1)
    MAX_FRAME_BYTES = 4 * 26400000
    # format 2.1, card block: values of the environment
    MAX_ENVIRONMENT = 16
    # format 2.2
    FSP_CONFIG_FRAMES = 48
    STREAM_ID_FRAME = 11    # of a configuration

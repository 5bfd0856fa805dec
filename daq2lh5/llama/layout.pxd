# Numbers of the llamaDAQ format, each with its section of the format document
# "llamaDAQ files".

cdef enum:
    N_KEYS = 4096               # 2: a key has 12 bits
    # 2: words of the blocks behind time stamp and first word
    TIME_WORDS = 2
    BLOCK_0_WORDS = 7
    BLOCK_1_WORDS = 2
    BLOCK_2_WORDS = 3
    BLOCK_3_WORDS = 2
    # all blocks, status word and average word
    MAX_HEAD_BYTES = 4 * (2 + 7 + 2 + 3 + 2 + 1 + 1)
    # 2: upper four bits of the status word and of the average word
    MARK_PLAIN = 0xE
    MARK_AVERAGED = 0xA
    # 2: widths of the lengths in those words
    RAW_WORDS_MASK = 0x3FFFFFF
    AVERAGED_WORDS_MASK = 0xFFFF

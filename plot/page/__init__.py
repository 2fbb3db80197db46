"""The interactive page: records and HTML here, the program in ``web/``.

Knows how to pack surfaces into one file. Is given surfaces; hands on HTML that opens without a network.
"""

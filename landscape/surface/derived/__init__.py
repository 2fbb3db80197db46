"""What follows from a finished surface: intervals, differences of two, barriers, shares of variance.

Knows surfaces. Is given one or two of them; hands on numbers with their errors, for pictures, tables and sentences.
"""

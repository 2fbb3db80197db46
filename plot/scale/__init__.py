"""From values to heights and colours: one scale that every renderer shares.

Knows arrays, no figure. Is given surfaces; hands on heights, levels, caps and what is missing.
"""

"""Several things compared over seeds: lines with bands, numbers with intervals, one number against another.

Knows arrays and names, no surface. Is given means and intervals that somebody else computed; hands on figures.
"""

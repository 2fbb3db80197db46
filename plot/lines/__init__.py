"""One-dimensional slices: loss left, accuracy right.

Knows the shared scale and style. Is given surfaces of one axis; hands on matplotlib axes.
"""

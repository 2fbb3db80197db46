"""The commands that measure what is no surface: curvature, similarity, predictions, robustness, frequencies.

Knows the rooms that measure them and the files they go into. Is given networks and data; hands on a report in a file,
and the same as a table and as plain values, for JSON.
"""

"""What a study can measure of trained networks, by name.

Knows the rooms that measure, and a `Context`: networks, data, a folder. Is given one; hands on numbers, and files from
which the report draws.
"""

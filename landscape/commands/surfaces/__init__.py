"""The commands that measure surfaces: ``evaluate``, ``trajectory`` and ``demo``.

Knows `landscape.evaluation`, `landscape.trajectory` and `landscape.demo`. Is given the options of one command; hands on
an HDF5 file, and what it holds in a few words.
"""

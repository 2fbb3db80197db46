"""Bytes on disk: atomic writes, locks, the HDF5 file, the 2018 tool's files, exports.

Knows surfaces, paths and formats, no torch. Is given a `Surface` and a path; hands back a `Surface` read with care
from what may be damaged, hostile or in use.
"""

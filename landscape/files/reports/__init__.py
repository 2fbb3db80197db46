"""Files of what is no surface: curvature, similarity, predictions, robustness, frequencies.

Knows the dataclasses of `landscape.surface` and HDF5 behind a checksum. Is given a report and a path; hands back a
report read with care from what may be damaged, hostile or of a newer version.
"""

"""Anchors: points at which all data are measured, so that the others are estimated for all data from a subset.

Knows samples' losses and what a run knows of them. Is given what is measured at points; hands on which points to
measure in full, and means over all data with their errors.
"""

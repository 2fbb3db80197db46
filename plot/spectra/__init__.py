"""Curvature: spectra, and how it is shared among layers.

Knows `landscape.surface.reports.curvature`. Is given reports; hands on axes and figures.
"""

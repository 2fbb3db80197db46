"""Training runs on a plane, and what each step measured.

Knows contours and style. Is given surfaces with trajectories; hands on matplotlib figures.
"""

"""What the commands with a report of their own found, beside surfaces: curvature, similarity, predictions, attacks.

Knows arrays. Hands on frozen dataclasses, which rooms that measure make, `landscape.files.reports` writes and `plot/`
draws, and what follows from such a report alone.
"""

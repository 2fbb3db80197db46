"""Training runs: record them, find their principal plane, project them, measure around them.

Knows records of a run on disk and `landscape.evaluation`. Is given records; hands on planes, `Trajectory` objects
and the surface around a path.
"""

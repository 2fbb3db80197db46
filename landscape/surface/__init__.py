"""What was measured: grids, surfaces, trajectories, and the statistics of samples.

Knows NumPy alone: no torch, no open file. Is given arrays; hands on frozen `Surface`, `Axis` and `Trajectory`
objects, which every other room reads or makes.
"""

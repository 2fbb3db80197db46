"""The forward pass over fixed data: a value a sample, by the fastest way that is right, and theta* measured first.

Knows networks, data, losses and the engine; nothing of grids or files. Is given a network where it stands; hands on
samples' values there, and in which precision and batches they are made.
"""

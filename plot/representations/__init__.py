"""Representations: similarity of layers as heat maps, populations of networks example by example.

Knows `landscape.surface.similarity` and `landscape.surface.populations`. Is given results; hands on figures.
"""

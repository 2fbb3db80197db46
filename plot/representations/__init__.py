"""Representations: similarity of layers as heat maps, populations of networks example by example.

Knows `similarity` and `populations` of `landscape.surface.reports`. Is given results; hands on figures.
"""

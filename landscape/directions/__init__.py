"""Directions and planes in weight space, and moving the weights along them.

Knows a model's tensors by name, no data. Is given a network and where directions come from; hands on planes
(tensors, lengths, cosines, digests) and a displacement that sets the weights of a point and restores them.
"""

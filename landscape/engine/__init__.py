"""The same forward pass, faster: traced, fused, cast to another precision; devices and memory.

Knows one network and its example input, nothing of grids. Is given a network; hands on a call that gives the same
outputs, compared with the network's own, or the network itself where that cannot be shown.
"""

"""Checkpoints: read without trusting them, and put into a network.

Knows files that strangers wrote. Is given a path and a network; hands on tensors by name, and the network with them.
"""

"""Losses and metrics, one value a sample: by name, criteria, and functions of a user's own.

Knows PyTorch's losses and what a batch is made of. Is given a network's output, or the network; hands on a `Loss`.
"""

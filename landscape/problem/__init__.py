"""What is minimised: a network with a checkpoint's weights, data, a loss, a model's tensors by name.

Knows torch and what users bring. Is given references, files and objects of theirs; hands on a network that holds the
checkpoint, samples in a fixed order, and a loss that gives sums a batch.
"""

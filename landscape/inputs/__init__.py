"""The loss over a network's inputs: examples moved along directions, and attacks that look for the worst move.

Knows a trained network and labelled samples (`landscape.problem`); is given axes or a norm and strengths.
Hands on a problem that `landscape.evaluate` measures like any other, and how accuracy falls under attack.
"""

"""Data sets of every kind behind one interface, and by the names a user types.

Knows samples by number, wherever they lie. Is given tensors, data sets, loaders, streams or a name; hands on `Data`.
"""

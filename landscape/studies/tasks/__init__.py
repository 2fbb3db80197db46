"""A study as tasks: which there are, what they depend on, who does them, what lies in their folders.

Knows a `Study`, the digests of all that can change a result, locks and executors. Is given a study; hands on folders
that are done, or say why not.
"""

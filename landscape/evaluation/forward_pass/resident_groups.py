"""Which samples are kept in memory at one time, where not all of them fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from landscape.parallel.scheduler import Span


def groups_that_fit(
    spans: Sequence[Span], sample_bytes: Callable[[str], float], budget: int, batch_size: int
) -> list[list[Span]]:
    """Split spans of samples into groups that fit into memory at once, in order.

    One group where all fits: then the weights are set once a point and the data stay where they are.

    Parameters
    ----------
    spans : sequence of Span
    sample_bytes : callable
        What one sample of a data set takes, by the set's name.
    budget : int
        Bytes that a group may take; a single batch that takes more is a group all the same.
    batch_size : int
        A group ends between two batches.
    """
    groups: list[list[Span]] = [[]]
    left = float(budget)
    for name, start, stop in spans:
        size = sample_bytes(name)
        while start < stop:
            fitting = int(left // size) if size else stop - start
            # Whole batches, and at least one: a budget below a batch would read for ever.
            fitting = max(fitting // batch_size * batch_size, 0 if groups[-1] else batch_size)
            if fitting == 0 and stop - start > left // max(size, 1.0):
                groups.append([])
                left = float(budget)
                continue
            end = stop if stop - start <= left // max(size, 1e-9) else min(stop, start + fitting)
            groups[-1].append((name, start, end))
            left -= (end - start) * size
            start = end
    return groups

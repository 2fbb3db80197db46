"""After how many samples a point's standard error is looked at, and the steps that end there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from landscape.evaluation.quantities import Step

# Samples after which a standard error is looked at first, doubled from then on. Few looks keep small the bias of
# stopping: a sample that happens to scatter little ends its point early.
FIRST_LOOK = 256


def looks(number: int, batch: int = 1) -> list[int]:
    """Return after how many of a data set's samples its standard error is looked at: 256, 512, ... and all.

    Parameters
    ----------
    number : int
        Samples of the data set.
    batch : int
        Only after whole batches of so many: where noise is drawn for a batch, or a batch's own statistics are used, a
        sample has the same value at every point only in the same batch.

    Examples
    --------
    >>> looks(1000)
    [256, 512, 1000]
    >>> looks(1000, batch=100)
    [300, 600, 1000]
    """
    first = -(-FIRST_LOOK // batch) * batch
    doubled = [first << power for power in range(number.bit_length())]
    return [*(each for each in doubled if each < number), number]


def steps_between(looks_of: Mapping[str, Sequence[int]]) -> list[Step]:
    """Return the steps that end where the standard errors of the data sets are looked at.

    Examples
    --------
    >>> steps_between({"train": [256, 400], "test": [100]})
    [(('train', 0, 256), ('test', 0, 100)), (('train', 256, 400),)]
    """
    return [
        tuple((name, [0, *ends][number], ends[number]) for name, ends in looks_of.items() if number < len(ends))
        for number in range(max(map(len, looks_of.values())))
    ]

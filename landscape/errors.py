"""Every error a caller may want to catch. All of them are a ``LandscapeError``.

A bad argument of a function is a plain ``ValueError`` or ``TypeError``; what is here comes from the outside
world: files, networks, data, other processes. A message says what was wanted, what came, where, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class LandscapeError(Exception):
    """Something landscape was asked to do cannot be done; the message says why and what to do."""


class UsageError(LandscapeError):
    """The command line or a setting is wrong in itself, whatever the files hold (exit code 2)."""


class CheckpointError(LandscapeError):
    """A checkpoint cannot be read, is not safe to read, or does not fit the network."""


class ProblemError(LandscapeError):
    """A model, data set, loss or metric cannot be found, built or used."""


class DirectionError(LandscapeError):
    """A direction does not fit the network, cannot be built, or is not the one it says it is."""


class EvaluationError(LandscapeError):
    """Measuring failed at a point; what was finished before is in the file."""


class FormatError(LandscapeError):
    """A file is not a landscape file, is damaged, or is of a newer version."""


class StoreError(LandscapeError):
    """A file cannot be written or is in use; the last good version of it is kept."""


class SurfaceMismatch(LandscapeError):
    """A file holds another surface than the one asked for; the message lists what differs."""


class ClusterError(LandscapeError):
    """The processes of one job cannot be connected, or another one of them failed; the message names it."""


class PlotError(LandscapeError):
    """There is nothing to draw, or not in the way asked for."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return what an error about a name that is not known offers instead: the nearest that is, or all of them.

    Examples
    --------
    >>> suggestion("losss", ["loss", "accuracy"]), suggestion("x", ["loss", "accuracy"])
    ('did you mean loss?', 'there are loss, accuracy')
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}"

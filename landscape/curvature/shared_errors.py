"""What processes that compute together do when one of them fails: none is left waiting for the others.

What rank 0 raises, all raise, and they may go on together after it. What another rank raises alone is a `ClusterError`
on all others, and the end of their work: rank 0 may be anywhere then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from landscape.errors import ClusterError, LandscapeError
from landscape.parallel.serial import Comm
from landscape.problem.references import failure

# The class, where all know it, and the text.
Told = tuple[type[LandscapeError] | None, str]


@contextmanager
def agreeing(comm: Comm) -> Iterator[None]:
    """Go on only together: what one process raises in here is raised on all; every one of them has to come here."""
    with handing_on(comm):
        yield
    if comm.size > 1:
        asked: tuple[str, Any] = comm.broadcast(("ready", None))
        if asked[0] == "error":
            raise told(asked[1])


@contextmanager
def handing_on(comm: Comm) -> Iterator[None]:
    """Hand on what is raised in here; where nothing is, rank 0 is to broadcast next that all is well."""
    try:
        yield
    except ClusterError:  # of which all know
        raise
    except Exception as error:
        _fail_together(comm, error)
        raise
    except BaseException:  # wherever the others are
        with comm.together():
            raise


def _fail_together(comm: Comm, error: Exception) -> None:
    """Hand on what was raised where all processes raise it, or some, instead of what rank 0 would say next."""
    if comm.size == 1:
        return
    asked: tuple[str, Any] = comm.broadcast(("error", telling_of(error)))
    if asked[0] != "error":
        with comm.together():
            raise error


@contextmanager
def telling(comm: Comm) -> Iterator[None]:
    """Let the others, which wait for rank 0 to ask, raise what is raised on it in here."""
    try:
        yield
    except ClusterError:
        raise
    except Exception as error:
        if comm.rank == 0:
            comm.broadcast(("error", telling_of(error)))
        raise
    except BaseException:
        with comm.together():
            raise


def telling_of(error: Exception) -> Told:
    """Return what another process needs to raise an error of any class, which it may not know."""
    if isinstance(error, LandscapeError):
        return type(error), str(error)
    return None, f"on rank 0: {failure(error)}"


def told(said: Told) -> Exception:
    """Return the error that rank 0 told of."""
    kind, text = said
    return RuntimeError(text) if kind is None else kind(text)

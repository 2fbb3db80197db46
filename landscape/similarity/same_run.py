"""Whether a file is of the comparison that is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from landscape.errors import SurfaceMismatch
from landscape.surface.reports.similarity import NetworkLayers, Similarity


def require_same(
    networks: Sequence[NetworkLayers], settings: Mapping[str, Any], problem: Mapping[str, Any], known: Similarity
) -> None:
    """Raise SurfaceMismatch where a file is of other networks, samples or settings than this run.

    More passes are no difference: those that are done count, and the others are added. Nor are fewer, of a file that is
    not finished, where no more than those are done.
    """
    differs = []
    ours, theirs = ([each.name for each in each_side] for each_side in (networks, known.networks))
    if ours != theirs:
        differs.append(f"networks {', '.join(theirs[:4])} instead of {', '.join(ours[:4])}")
    for one, other in zip(networks, known.networks, strict=False):
        if one.labels != other.labels or one.features != other.features:
            differs.append(f"other layers of {one.name}")
        for what in ("sha256", "model"):
            if not _equal(one.about.get(what), other.about.get(what)):
                differs.append(f"{one.name} has {'other weights' if what == 'sha256' else 'another model'}")
    differs += [
        f"{name} {known.settings.get(name)!r} instead of {value!r}"
        for name, value in settings.items()
        if not _equal(known.settings.get(name), value) and not (name == "passes" and _adds(known, value))
    ]
    differs += [
        f"{name} {known.problem.get(name)!r} instead of {value!r}"
        if name != "fingerprint"
        else "other samples, or in another order"
        for name, value in problem.items()
        if name in ("fingerprint", "normalize", "size") and not _equal(known.problem.get(name), value)
    ]
    if differs:
        raise SurfaceMismatch(
            f"{known.path or 'what is known'} holds another comparison ({'; '.join(differs[:6])}); write to "
            "another file, or --overwrite it"
        )


def _adds(known: Similarity, passes: int) -> bool:
    stored = known.settings.get("passes")
    return isinstance(stored, int) and (stored < passes or (not known.complete and known.passes <= passes))


def _equal(one: Any, other: Any) -> bool:
    """Whether two plain values are the same, one of which was a file's: a tuple is a list there."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(_equal(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[name], other[name]) for name in one)
    return bool(one == other)

"""What a hypothesis expects, as it is written: ``"plain56 > skip56"``, ``"a < b < c"``, ``"2 a - b = 0.5"``.

A linear expression of variants on each side of ``<``, ``>`` or ``=``; a chain is several comparisons, which all have to
hold. ``all`` stands for numbers that belong to no single variant.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from landscape.errors import UsageError, suggestion
from landscape.studies.study import ALL, Relation

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|([A-Za-z]\w*)|([-+*<>=]))")
_EXAMPLE = "write 'plain56 > skip56', 'a < b < c', 'a - b > 0.1' or '0.4 < all < 0.9'"


def parse_expectation(text: str, variants: Sequence[str]) -> tuple[Relation, ...]:
    """Turn what is expected into comparisons of a weighted sum of variants with a number.

    Parameters
    ----------
    text : str
    variants : sequence of str
        Names that may occur, beside ``all``.

    Raises
    ------
    UsageError
        It is no comparison, names something else, or compares a thing with itself.

    Examples
    --------
    >>> parse_expectation("plain > skip + 0.1", ["plain", "skip"])
    (Relation(weights={'plain': 1.0, 'skip': -1.0}, relation='>', bound=0.1, text='plain > skip + 0.1'),)
    """
    parts = re.split(r"([<>=])", text)
    if len(parts) < 3:
        raise UsageError(f"{text!r} compares nothing; {_EXAMPLE}")
    sides = [_side(part, text, variants) for part in parts[::2]]
    relations = []
    for number, relation in enumerate(parts[1::2]):
        (left, first), (right, second) = sides[number], sides[number + 1]
        names = dict.fromkeys([*left, *right])
        weights = {name: left.get(name, 0.0) - right.get(name, 0.0) for name in names}
        weights = {name: weight for name, weight in weights.items() if weight}
        shown = f"{parts[2 * number].strip()} {relation} {parts[2 * number + 2].strip()}"
        if not weights:
            raise UsageError(f"{shown!r} says nothing of any variant; {_EXAMPLE}")
        relations.append(Relation(weights, relation, second - first, shown))
    return tuple(relations)


def _side(text: str, whole: str, variants: Sequence[str]) -> tuple[dict[str, float], float]:
    """Return the factor of each variant and the constant of one side of a comparison."""
    weights: dict[str, float] = {}
    constant, place, first = 0.0, 0, True
    while text[place:].strip() or first:
        sign, place, signed = _sign(text, place)
        if not (first or signed):
            raise UsageError(f"{whole!r}: a '+' or '-' is missing before {text[place:].strip()!r}; {_EXAMPLE}")
        factor, name, place = _term(text, place, whole)
        if name is None:
            constant += sign * factor
        else:
            _require_variant(name, whole, variants)
            weights[name] = weights.get(name, 0.0) + sign * factor
        first = False
    return weights, constant


def _sign(text: str, place: int) -> tuple[float, int, bool]:
    match = _TOKEN.match(text, place)
    if match and match[3] in ("+", "-"):
        return (1.0 if match[3] == "+" else -1.0), match.end(), True
    return 1.0, place, False


def _term(text: str, place: int, whole: str) -> tuple[float, str | None, int]:
    """Read ``2 a``, ``2 * a``, ``a`` or ``2``."""
    match = _TOKEN.match(text, place)
    if match is None or match[3]:
        raise UsageError(f"{whole!r}: a variant or a number was wanted at {text[place:].strip()!r}; {_EXAMPLE}")
    if match[2]:
        return 1.0, match[2], match.end()
    factor = float(match[1])
    if not math.isfinite(factor):
        raise UsageError(f"{whole!r}: {match[1]} is too large a number")
    after = _TOKEN.match(text, match.end())
    if after and after[3] == "*":
        name = _TOKEN.match(text, after.end())
        if name is None or not name[2]:
            raise UsageError(f"{whole!r}: after '*' a variant was wanted; {_EXAMPLE}")
        return factor, name[2], name.end()
    if after and after[2]:
        return factor, after[2], after.end()
    return factor, None, match.end()


def _require_variant(name: str, whole: str, variants: Sequence[str]) -> None:
    if name != ALL and name not in variants:
        raise UsageError(
            f"{whole!r} names {name!r}, which is no variant it is measured of; {suggestion(name, variants)}"
        )

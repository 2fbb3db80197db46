"""What was found right once and is kept: a careless change shows as a difference, an intended one is written anew.

``pytest --keep`` writes the files of ``tests/baseline`` anew; look at what changed in them before they are committed.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "baseline"
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
# What libraries, the clock and this version of ours decide.
_CHANGES = re.compile(r"[0-9a-f]{64}|SHA-256 [0-9a-f]+|landscape \d[\w.]*|\d{4}-\d\d-\d\d[T ][\d:.+]+Z?")


def assert_kept(name: str, found: Any, *, write: bool, relative: float = 1e-3, absolute: float = 1e-6) -> None:
    """Compare what JSON can say, found just now, with what is kept under a name.

    Numbers may differ by a share of each, and where they are next to nothing by ``absolute``; places of texts, which
    are under ``points``, by three of them: another version of matplotlib puts letters elsewhere by so much.
    """
    path = FOLDER / f"{name}.json"
    entries = found.items() if isinstance(found, dict) else enumerate(found)
    if write:
        # An entry a line, so that a difference between two versions can be read.
        lines = ",\n".join(
            f"{json.dumps(str(key), ensure_ascii=False)}: {json.dumps(each, ensure_ascii=False)}"
            for key, each in entries
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
        return
    kept = json.loads(path.read_text(encoding="utf-8"))
    now = json.loads(json.dumps({str(key): each for key, each in entries}))
    difference = first_difference(kept, now, relative, absolute)
    assert difference is None, f"{name}: {difference}; --keep writes it anew, where that is right"


def first_difference(kept: Any, found: Any, relative: float, absolute: float, place: str = "") -> str | None:
    """Say where two values differ first, and how; None where they do not."""
    if isinstance(kept, dict) and isinstance(found, dict):
        if kept.keys() != found.keys():
            return f"{place}: {sorted(kept.keys() - found.keys())} are gone, {sorted(found.keys() - kept.keys())} new"
        pairs = [(f"{place}/{key}", each, found[key]) for key, each in kept.items()]
    elif isinstance(kept, list) and isinstance(found, list):
        if len(kept) != len(found):
            return f"{place}: {len(kept)} are kept, {len(found)} found: {kept} and {found}"
        pairs = [(f"{place}/{number}", *both) for number, both in enumerate(zip(kept, found, strict=True))]
    elif _is_number(kept) and _is_number(found):
        least = 3.0 if "/points/" in place else absolute
        near = math.isclose(kept, found, rel_tol=relative, abs_tol=least) or (kept != kept and found != found)
        return None if near else f"{place}: {kept} is kept, {found} found"
    else:
        same = type(kept) is type(found) and (kept == found or _says_the_same(kept, found))
        return None if same else f"{place}: {kept!r} is kept, {found!r} found"
    deeper = (first_difference(one, other, relative, absolute, path) for path, one, other in pairs)
    return next((said for said in deeper if said), None)


def _says_the_same(kept: Any, found: Any) -> bool:
    """Return whether texts are alike but for the last place of a number, which rounding decides."""
    if not isinstance(kept, str) or _NUMBER.sub("#", kept) != _NUMBER.sub("#", found):
        return False
    pairs = zip(_NUMBER.findall(kept), _NUMBER.findall(found), strict=True)
    return all(abs(float(one) - float(other)) <= 1.01 * _last_place(one) for one, other in pairs)


def _last_place(number: str) -> float:
    digits, _, exponent = number.partition("e")
    decimals = len(digits.partition(".")[2])
    return 10.0 ** (int(exponent or "0") - decimals) if "." in digits or exponent else 0.0


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool)


def steady(value: Any) -> Any:
    """Return what was found without digests, versions and times."""
    return json.loads(_CHANGES.sub("…", json.dumps(value)))

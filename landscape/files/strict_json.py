"""JSON in files: strict (no ``NaN`` literal), yet every float survives.

A float that is not finite is written as ``{"$number": "nan"}``, ``"inf"`` or ``"-inf"``; a key of a mapping that
starts with ``$`` gets another ``$`` in front, so nothing a user writes is taken for one of these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np


def to_json(value: Any) -> str:
    """Write a value of mappings, lists, text, numbers, booleans and None, NumPy's included; a tuple becomes a list.

    Raises
    ------
    TypeError
        Something in it is of another kind, or a key is not text.

    Examples
    --------
    >>> to_json({"loss": float("nan")})
    '{"loss": {"$number": "nan"}}'
    """
    return json.dumps(_encode(value), ensure_ascii=False, allow_nan=False)


def from_json(text: str) -> Any:
    """Read what `to_json` wrote.

    Raises
    ------
    ValueError
        It is not strict JSON, or nested too deeply.
    """
    try:
        return json.loads(text, object_hook=_decode, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None


def _encode(value: Any, *, plain: bool = False) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None if plain else {"$number": str(float(value))}
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple):
        return [_encode(item, plain=plain) for item in value]
    if isinstance(value, Mapping):
        return {_key(key, plain): _encode(item, plain=plain) for key, item in value.items()}
    raise TypeError(f"JSON cannot hold a {type(value).__name__}: {value!r}")


def _key(key: Any, plain: bool) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key of a JSON mapping must be text, got {key!r}")
    return f"${key}" if key.startswith("$") and not plain else key


def _decode(mapping: dict[str, Any]) -> Any:
    if set(mapping) == {"$number"}:
        return float(mapping["$number"])
    return {key[1:] if key.startswith("$") else key: item for key, item in mapping.items()}


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def plain_json(value: Any) -> str:
    """Write a value for other programs, on one line: as `to_json`, but a number that is not finite is null.

    Examples
    --------
    >>> plain_json({"loss": float("nan")})
    '{"loss": null}'
    """
    return json.dumps(_encode(value, plain=True), allow_nan=False)

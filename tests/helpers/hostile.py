"""Well-formed files of ours that say absurd things: the checksum is right, one or a few values are not; seeded."""

from __future__ import annotations

import hashlib
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from landscape.files.reports.report_layout import Layout

NUMBERS = [0, -1, 1, 2**31, 2**53 + 1, 2**62, -(2**62), 1e300, -1e300, 1e-300, 5e-324, float("nan"), float("inf")]
VALUES: list[Any] = [None, True, "", "x", "\x1b[2J\x07", "\u202e", "a" * 5000, [], {}, [None], [[1]]]
VALUES += [{"values": None}, {"": {}}, ["x", 1], [1e300] * 3, {"train": None}, {"train": []}, {"train/loss": [None]}]


def hostile_files(data: bytes, number: int, seed: int, kind: str = "landscape") -> Iterator[tuple[bytes, str]]:
    """Yield so many changed copies of a file of ours, with what was changed."""
    chance = random.Random(seed)
    for _ in range(number):
        image = io.BytesIO(data)
        with h5py.File(image, "r+") as file:
            said = [_change(file, chance) for _ in range(chance.choice((1, 1, 1, 2, 3)))]
        body = image.getvalue()[512:]
        yield f"{kind} 1\n{hashlib.sha256(body).hexdigest()}\n".encode().ljust(512, b"\0") + body, "; ".join(said)


def hostile_reports(layout: Layout[Any], path: Path, number: int, seed: int) -> Iterator[str]:
    """Change a file of a report again and again, in what it says and in its arrays; yield what was changed."""
    plain, arrays = layout.read_parts(path)
    chance = random.Random(seed)
    for _ in range(number):
        said, changed, others = [], plain, dict(arrays)
        for _ in range(chance.choice((1, 1, 2))):
            if chance.random() < 0.6:
                document = _as_numbers(_change_json(changed, chance))
                changed = document if isinstance(document, dict) else {}
                said.append("JSON")
            else:
                name = chance.choice(sorted(others))
                others[name] = _changed_array(others[name].copy(), chance)
                said.append(f"{name}: {others[name].dtype} {others[name].shape} {others[name].ravel()[:4]}")
        different = {key: value for key, value in changed.items() if value is not plain.get(key)}
        layout.write_parts(path, changed, others)
        yield f"{'; '.join(said)} {different!r}"[:600]


def _as_numbers(value: Any) -> Any:
    """Return a document in which numbers that JSON lacks are floats."""
    if isinstance(value, dict):
        if set(value) == {"$number"}:
            return float(value["$number"])
        return {key: _as_numbers(each) for key, each in value.items()}
    return [_as_numbers(each) for each in value] if isinstance(value, list) else value


def _change(file: h5py.File, chance: random.Random) -> str:
    names = [""]
    file.visit(names.append)
    name = chance.choice(names)
    member = file[name or "/"]
    attributes = list(member.attrs)
    if attributes and (isinstance(member, h5py.Group) or chance.random() < 0.6):
        key = chance.choice(attributes)
        return f"{name}@{key}: {_change_attribute(member, key, chance)}"
    if isinstance(member, h5py.Dataset):
        return f"{name}: {_change_dataset(file, name, member, chance)}"
    if name and chance.random() < 0.1:
        del file[name]
        return f"{name}: deleted"
    return "nothing"


def _change_attribute(member: Any, key: str, chance: random.Random) -> str:
    value = member.attrs[key]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    new: Any
    if isinstance(text, str) and text.startswith("{"):
        new = json.dumps(_change_json(json.loads(text), chance))
    elif isinstance(text, str):
        new = chance.choice(["", "x", "pca", "checkpoint", "repeat", "\x1b[2J", "\u202e", "9" * 400, "/etc/passwd"])
    elif isinstance(value, np.ndarray):
        sizes = chance.choice([(0, 0), (1, 1), (3, 3), (2, 0), (2,), value.shape])
        new = np.full(sizes, float(chance.choice(NUMBERS)))
    else:
        new = chance.choice([*NUMBERS, "x"])
        new = float(new) if isinstance(new, int) and abs(new) > 2**63 else new
    if chance.random() < 0.03:
        del member.attrs[key]
        return "deleted"
    if isinstance(new, str):
        data = new.encode("utf-8", "backslashreplace")
        member.attrs.create(key, np.array(data, dtype=h5py.string_dtype("utf-8", max(1, len(data)))))
    else:
        member.attrs[key] = new
    return f"{new!r}"[:300]


def _change_json(value: Any, chance: random.Random) -> Any:
    """Replace one place in a document, whichever, mostly deep inside."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        if chance.random() < 0.05:
            return {k: v for k, v in value.items() if k != key}
        return {**value, key: _change_json(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        place = chance.randrange(len(value))
        if chance.random() < 0.2:
            return value[:place]
        return [*value[:place], _change_json(value[place], chance), *value[place + 1 :]]
    new = chance.choice(VALUES + NUMBERS)
    return {"$number": str(new)} if isinstance(new, float) and not abs(new) < 1e301 else new


def _change_dataset(file: h5py.File, name: str, member: h5py.Dataset, chance: random.Random) -> str:
    array = _changed_array(np.array(member), chance)
    attributes = {key: (member.attrs[key], member.attrs.get_id(key).dtype) for key in member.attrs}
    del file[name]
    made = file.create_dataset(name, data=array)
    for key, (value, dtype) in attributes.items():
        made.attrs.create(key, value, dtype=dtype)
    return f"{array.dtype} {array.shape} {array.ravel()[:4]}"


def _changed_array(array: np.ndarray[Any, Any], chance: random.Random) -> np.ndarray[Any, Any]:
    kind = chance.randrange(4)
    if kind == 0 and array.size:
        array.flat[chance.randrange(array.size)] = _fitting(chance.choice(NUMBERS), array.dtype)
    elif kind == 1:
        array = np.full(array.shape, _fitting(chance.choice(NUMBERS), array.dtype), array.dtype)
    elif kind == 2:
        array = array[: chance.randrange(len(array) + 1)] if array.ndim else array
    else:
        with np.errstate(all="ignore"):
            array = array.astype(chance.choice(["f4", "i8", "u1", "f8"]))
    return array


def _fitting(number: float, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "f":
        with np.errstate(all="ignore"):
            return dtype.type(number)
    if dtype.kind == "b":
        return bool(number)
    limits = np.iinfo(dtype)
    return int(min(max(number if number == number and abs(number) < 2**63 else 0, limits.min), limits.max))

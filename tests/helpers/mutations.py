"""Damaged copies of files: bits flipped, bytes replaced, pieces cut, doubled and inserted; the same on each run."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

# `LANDSCAPE_MUTATIONS=2000 pytest ...` is the long run.
MUTATIONS = int(os.environ.get("LANDSCAPE_MUTATIONS", "200"))


def mutations(data: bytes, number: int = MUTATIONS, seed: int = 0) -> Iterator[bytes]:
    """Yield ``number`` damaged copies, none of which equals ``data``."""
    chance = random.Random(seed)
    while number:
        copy = bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 2, 4, 16))):
            _damage(copy, chance)
        if bytes(copy) != data:
            number -= 1
            yield bytes(copy)


def _damage(data: bytearray, chance: random.Random) -> None:
    if not data:
        return
    # Half of the damage goes to the first kilobytes: headers lie there, and most of the rest are numbers.
    end = min(len(data), 3000) if chance.random() < 0.5 else len(data)
    place = chance.randrange(end)
    length = chance.choice((1, 2, 4, 8, 64, 512))
    kind = chance.randrange(6)
    if kind == 0:
        data[place] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[place : place + length] = chance.randbytes(len(data[place : place + length]))
    elif kind == 2:
        data[place : place + length] = chance.choice((b"\0", b"\xff")) * len(data[place : place + length])
    elif kind == 3:
        del data[place : place + length]
    elif kind == 4:
        data[place:place] = data[place : place + length] if chance.random() < 0.5 else chance.randbytes(length)
    elif chance.random() < 0.2:
        del data[place:]
    else:
        data[place] = (data[place] + chance.choice((1, -1))) % 256

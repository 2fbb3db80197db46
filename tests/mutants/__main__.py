"""Try careless changes of the code and say which ones no test notices.

python -m tests.mutants                          all lists in this folder
python -m tests.mutants evaluation trajectory    some
python -m tests.mutants --share 0.1 --seed 7     a tenth of them, drawn with a seed
"""

from __future__ import annotations

import argparse
import queue
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.mutants.mutants import LIMIT, Copy, Mutant, Result, StaleMutant, chosen, read, stale

HERE = Path(__file__).parent


def main(words: list[str] | None = None, root: Path = HERE.parents[1], lists: Path = HERE) -> int:
    """Return 0 when every mutant is noticed, 1 when one survives, 2 when a list does not fit the tree."""
    parser = argparse.ArgumentParser(
        "python -m tests.mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help="a list in tests/mutants; all by default")
    parser.add_argument("--share", type=float, default=1.0, help="try only this share of them (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="which share (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="copies that run at a time (default: 2)")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds until tests count as hanging (%(default)g)")
    parser.add_argument(
        "--clean", action="store_true", help="the suite has just passed: do not run the tests unchanged"
    )
    asked = parser.parse_args(words)
    try:
        listed = read(lists, asked.rooms)
    except StaleMutant as error:
        print(error, file=sys.stderr)
        return 2
    mutants = chosen(listed, asked.share, asked.seed)
    if misfits := stale(mutants, root):
        print(*misfits, sep="\n", file=sys.stderr)
        return 2
    print(f"{len(mutants)} of {len(listed)} mutants, --share {asked.share:g} --seed {asked.seed}", flush=True)
    copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack, ThreadPoolExecutor(asked.jobs) as pool:
        made = [Copy(root, Path(folder, str(number), "tree")) for number in range(asked.jobs)]
        for copy in made:
            stack.callback(copy.close)
            copies.put(copy)

        def clean(tests: tuple[str, ...]) -> bool:
            copy = copies.get()
            try:
                return copy.passes(tests, asked.limit) is True
            finally:
                copies.put(copy)

        def mutated(mutant: Mutant) -> Result:
            copy = copies.get()
            try:
                start = time.monotonic()
                result = copy.tries(mutant, asked.limit)
                seconds = time.monotonic() - start
            finally:
                copies.put(copy)
            print(f"{result:8s} {seconds:5.1f} s  {mutant.room}: {mutant.why} ({mutant.file})", flush=True)
            return result

        sets = [] if asked.clean else list(dict.fromkeys(mutant.tests for mutant in mutants))
        if failing := [tests for tests, passed in zip(sets, pool.map(clean, sets), strict=True) if not passed]:
            print("These fail, or do not end, without any change:", *map(" ".join, failing), sep="\n", file=sys.stderr)
            return 2
        results = list(pool.map(mutated, mutants))
    noticed = len(results) - results.count("SURVIVED")
    print(f"{noticed} of {len(results)} noticed")
    return int(noticed < len(results))


if __name__ == "__main__":
    sys.exit(main())

"""Which files a command line names to be read, whatever its options mean: none of them may be written over."""

from __future__ import annotations

import argparse
import glob
import os
from collections.abc import Iterator

from landscape.files.atomic import read_start

# Options whose text is no input: what is written, what stands in a picture, patterns; --onto's file gets the runs.
_NO_INPUTS = ("output", "save_examples", "onto", "title", "headline", "include", "exclude", "run", "command")
# What stands before the colon of a data set, or alone, and is no path.
_KINDS_OF_DATA = ("digits", "cifar10", "npz")
_OURS = b"landscape "
# Files looked at in a folder that is given, at most.
_MOST = 20_000


def given_files(options: argparse.Namespace) -> Iterator[str]:
    """Yield the files that options name, in whatever way: alone, in lists, as NAME=FILE, FILE:NAME, A,B or a folder."""
    for name, value in vars(options).items():
        if name in _NO_INPUTS or (name == "study" and not str(value).endswith(".toml")):
            continue  # a study that ships is no file, though a folder may bear its name: the one it goes into
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and text:
                for path in _spelled(text):
                    if name == "data" and path in _KINDS_OF_DATA:
                        continue  # a folder of that name may be what is written to
                    yield from _files_at(path, options)


def _spelled(text: str) -> Iterator[str]:
    for part in {text, *text.split(",")}:
        after = part.partition("=")[2]
        for each in {part, after} - {""}:
            yield each
            before, colon, rest = each.rpartition(":")
            if colon:
                yield before  # FILE:NAME, and of cifar10:ROOT:train what stands in the middle
                yield rest
                yield before.partition(":")[2]


def _files_at(path: str, options: argparse.Namespace) -> Iterator[str]:
    try:
        found = [path, *(glob.iglob(path, recursive=True) if glob.has_magic(path) else ())]
        for each in map(os.path.expanduser, found):
            if os.path.isfile(each):
                yield each
            elif os.path.isdir(each):
                yield from (inside for inside in _inside(each) if not _is_earlier_output(inside, options))
    except (OSError, ValueError):
        return


def _inside(folder: str) -> Iterator[str]:
    seen = 0
    for place, _, names in os.walk(folder):
        for name in names:
            seen += 1
            if seen > _MOST:
                return
            yield os.path.join(place, name)


def _is_earlier_output(path: str, options: argparse.Namespace) -> bool:
    """Return whether this command may have written a file into the folder it reads, which it then may write again."""
    if options.command in ("view", "plot"):
        return not path.lower().endswith((".h5", ".hdf5"))
    return path.endswith((".lock", ".writing")) or (os.path.getsize(path) > 0 and _is_ours(path))


def _is_ours(path: str) -> bool:
    """Return whether a file calls itself a surface or a report of ours: all begin with the package's name."""
    return read_start(path, len(_OURS)) == _OURS

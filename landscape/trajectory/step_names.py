"""The step of a checkpoint, from its name among the names of its run.

One name does not say which of its numbers is the step: ``resnet20_10_acc0.93`` has three. Names of one pattern do: the
step is what grows from one to the next. Decimal numbers are what a script measured, never steps; two whole numbers that
order the names in two ways are refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from landscape.errors import UsageError

_MARKED = re.compile(r"(step|iteration|iter|epoch)s?[-_= ]?(\d+)(?!\d|\.\d)", re.IGNORECASE)
_MEASURED = re.compile(
    r"(?<![a-z])(acc|accuracy|loss|err|error|ppl|perplexity|bleu|auc|score|reward|return|f1|top\d|m?iou|m?ap|psnr|fid|"
    r"wer|cer|mse|mae|dice|val|lr|seed)\d?[-_= ]*$",
    re.IGNORECASE,
)
# What follows a year or an hour orders nothing by itself.
_DATE = re.compile(r"\d[-:]$")
_NUMBER = re.compile(r"\d+(?:\.\d+)*(?:e[-+]\d+)?", re.IGNORECASE)
_DECIMAL = re.compile(r"\d+(?:\.\d+)+(?:e[-+]\d+)?|\d+e[-+]\d+", re.IGNORECASE)


def natural_order(name: str) -> list[list[tuple[int, int, str]]]:
    """Return a key that orders names as people do: 2 before 10, and by decimal numbers only where nothing else differs.

    Examples
    --------
    >>> sorted(["loss0.5_10", "loss0.7_2"], key=natural_order)
    ['loss0.7_2', 'loss0.5_10']
    """
    keys = []
    for text in (_DECIMAL.sub("", name), name):
        parts = re.split(r"(\d+)", text)
        keys.append([(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part])
    return keys


def steps_in_names(names: Sequence[str]) -> tuple[list[int | None], str] | None:
    """Read the step from each name.

    Parameters
    ----------
    names : sequence of str
        Of one run, without suffixes.

    Returns
    -------
    steps : list of int or None
        None for a name of another pattern that has no step.
    unit : str
        "step" or "epoch".
    None
        Where the numbers do not order the names, so that only counting is left.

    Raises
    ------
    UsageError
        Two numbers order the names in two ways, and no word says which is the step.

    Examples
    --------
    >>> steps_in_names(["net20_1_acc0.50", "net20_2_acc0.71", "net20_10_acc0.93", "best"])
    ([1, 2, 10, None], 'step')
    """
    patterns: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        patterns.setdefault(_NUMBER.sub("0", name), []).append(index)
    steps: list[int | None] = [None] * len(names)
    units: set[str] = set()
    prefixes: set[str] = set()
    for members in patterns.values():
        texts = [names[index] for index in members]
        found = _marked(texts)
        if found is None and len(texts) > 1:
            column = _growing_column(texts)
            if column is None:
                if _NUMBER.search(texts[0]):
                    return None
                continue
            found = [int(_NUMBER.findall(text)[column]) for text in texts], "step"
            prefixes |= {text[: list(_NUMBER.finditer(text))[column].start()] for text in texts}
        if found is not None:
            units.add(found[1])
            for index, step in zip(members, found[0], strict=True):
                steps[index] = step
    for index, name in enumerate(names):
        if steps[index] is None:
            # A name alone in its pattern, such as ckpt_0_start beside ckpt_10: its number stands where the others' do.
            alike = [match for match in _NUMBER.finditer(name) if name[: match.start()] in prefixes]
            if alike and alike[0][0].isdecimal():
                steps[index] = int(alike[0][0])
    if len(set(steps) - {None}) < 2:
        return None
    return steps, units.pop() if len(units) == 1 else "step"


def _marked(texts: Sequence[str]) -> tuple[list[int], str] | None:
    """Return the numbers after words such as step or epoch, where those tell the names apart."""
    epochs: list[int | None] = []
    counts: list[int | None] = []
    for text in texts:
        words = [(word.lower(), int(digits)) for word, digits in _MARKED.findall(text)]
        epochs.append(next((number for word, number in words if word == "epoch"), None))
        counts.append(next((number for word, number in words if word != "epoch"), None))
    known = [number for number in epochs if number is not None]
    steps = [number for number in counts if number is not None]
    if len(steps) == len(texts) and len(set(steps)) == len(steps):
        # Steps that start again with each epoch do not order a run.
        ordered = [step for _, step in sorted(zip(known, steps, strict=True))] if len(known) == len(texts) else []
        if ordered == sorted(ordered):
            return steps, "step"
    if len(known) == len(texts) and len(set(known)) == len(known):
        return known, "epoch"
    return None


def _growing_column(texts: Sequence[str]) -> int | None:
    """Return the first whole number that grows from each name of one pattern to the next, in their order.

    A number behind a word such as acc or loss is one that was measured, where another number orders the names as well.

    Raises
    ------
    UsageError
        Another number orders the names otherwise, and nothing says which of them is the step.
    """
    rows = [_NUMBER.findall(text) for text in texts]
    # What is decimal in one name orders none: an accuracy of 1 beside one of 0.93.
    whole = [k for k, numbers in enumerate(zip(*rows, strict=True)) if all(each.isdecimal() for each in numbers)]
    apart = [k for k in whole if len({int(row[k]) for row in rows}) == len(rows)]
    parts = [texts[0][: match.start()] for match in _NUMBER.finditer(texts[0])]
    steps = [k for k in apart if not _MEASURED.search(parts[k])]
    whole = [k for k in whole if k not in apart or k in (steps or apart)]
    ordered = sorted([int(row[k]) for k in whole] for row in rows)
    for place, column in enumerate(whole):
        if all(before[place] < after[place] for before, after in itertools.pairwise(ordered)):
            _require_one_order(texts, rows, column, [k for k in whole if k in apart and not _DATE.search(parts[k])])
            return column
    return None


def _require_one_order(texts: Sequence[str], rows: Sequence[Sequence[str]], column: int, others: Sequence[int]) -> None:
    """Refuse names that two numbers order in two ways."""
    order = sorted(range(len(rows)), key=lambda i: int(rows[i][column]))
    for other in others:
        for one, next_one in itertools.pairwise(order):
            if int(rows[one][other]) > int(rows[next_one][other]):
                raise UsageError(
                    f"the steps of {texts[one]} and {texts[next_one]} can be read two ways: as {rows[one][column]} and "
                    f"{rows[next_one][column]}, or as {rows[one][other]} and {rows[next_one][other]}; write step or "
                    f"epoch before the right number (step{rows[one][column]}), or acc or loss before the other"
                )

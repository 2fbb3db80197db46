"""The report of a study: ``index.html``, ``results.json``, ``results.csv``, and its pictures as PDF.

Written anew after every run, from what is in the tasks' folders. A picture that cannot be drawn is named with the
reason; the rest is there.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping

from landscape.evaluation.provenance import now, software
from landscape.files.atomic import replace_file
from landscape.files.strict_json import plain_json
from landscape.studies.report.report_page import page_text
from landscape.studies.report.report_pictures import draw_pictures
from landscape.studies.report.study_results import StudyResult
from landscape.studies.statistics.seed_intervals import seed_interval


def write_report(result: StudyResult, *, pages: bool = True) -> None:
    """Write everything that is read by people and programs into the study's folder.

    Parameters
    ----------
    result : StudyResult
    pages : bool
        Pictures and ``index.html`` as well, and not numbers alone.

    Raises
    ------
    StoreError
        A file cannot be written.
    """
    about = results_of(result)
    text = json.dumps(json.loads(plain_json(about)), indent=1)
    replace_file(result.folder / "results.json", (text + "\n").encode())
    replace_file(result.folder / "results.csv", _table(result).encode())
    if pages:
        pictures = draw_pictures(result)
        replace_file(result.page, page_text(result, about, pictures).encode())


def results_of(result: StudyResult) -> dict[str, object]:
    """Return what ``results.json`` holds; a number that is not finite is null there."""
    study = result.study
    known = {each.name: each for each in study.hypotheses}
    hypotheses = [
        {
            "name": verdict.name,
            "verdict": verdict.verdict,
            "estimate": verdict.estimate,
            "interval": list(verdict.interval),
            "seeds": verdict.seeds,
            "p": verdict.p,
            "p_corrected": verdict.p_corrected,
            "resolvable": verdict.resolvable,
            "seeds_needed": verdict.seeds_needed or None,
            "statement": known[verdict.name].statement,
            "source": known[verdict.name].source,
            "value": known[verdict.name].value or list(known[verdict.name].correlate),
            "expect": known[verdict.name].expect,
            "text": verdict.text,
            "unmet": verdict.unmet,
        }
        for verdict in result.verdicts
    ]
    return {
        "format": "landscape study results 1",
        "study": study.name,
        "question": study.question,
        "source": study.source,
        "miniature": result.smoke,
        "complete": not result.failed and not result.missing,
        "data": dict(study.data),
        "samples": dict(study.samples),
        "seeds": list(study.seeds),
        "hypotheses": hypotheses,
        "untrained": [list(each) for each in sorted(result.untrained)],
        "values": {
            value: {variant: {str(seed): n for seed, n in seeds.items()} for variant, seeds in by_variant.items()}
            for value, by_variant in result.values.items()
        },
        "means": {value: _means(result, value) for value in result.values},
        "failed": [{"task": task.name, "error": result.outcomes[task.folder].error} for task in result.failed],
        "missing": [task.name for task in result.missing],
        "seconds": sum(outcome.seconds for outcome in result.outcomes.values()),
        "command": result.command,
        "software": software(),
        "created": now(),
    }


def _means(result: StudyResult, value: str) -> Mapping[str, object]:
    """Return mean, interval and number of seeds of each variant, without networks that did not train."""
    found = {}
    for variant, seeds in result.numbers(value, untrained=value.startswith("training/")).items():
        each = seed_interval(list(seeds.values()))
        if each.seeds:
            found[variant] = {"mean": each.estimate, "interval": [each.low, each.high], "seeds": each.seeds}
    return found


def _table(result: StudyResult) -> str:
    """Return one line a number: value, variant, seed, number, whether the network trained."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["value", "variant", "seed", "number", "trained"])
    for value, by_variant in result.values.items():
        for variant, seeds in by_variant.items():
            for seed, number in sorted(seeds.items()):
                trained = "no" if (variant, seed) in result.untrained else "yes"
                rows.writerow([value, variant, "" if seed < 0 else seed, repr(number), trained])
    return text.getvalue()

"""``index.html`` of a study: the question, verdicts, pictures, tables, costs, and what makes any piece of it again.

It opens from disk without a network and runs no script of its own; the surfaces to turn are pages beside it, shown in
frames. All text, of whatever origin, is escaped.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from landscape.studies.report.picture_files import ReportPicture, sections
from landscape.studies.report.study_results import StudyResult
from landscape.studies.study import NOT_REPRODUCED, NOT_RESOLVED, REPRODUCED, TRAINING, Hypothesis, Verdict

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #5d6670; --line: #e4e7eb; --good: #00735a; --bad: #b34700;
  --open: #5d6670; --ground: #fff; --panel: #f7f8fa; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 40px 24px 64px; color: var(--ink); background: var(--ground);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
h1 { font-size: 28px; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 6px; }
h2 { font-size: 20px; margin: 44px 0 8px; }
h3 { font-size: 15px; margin: 24px 0 6px; }
.lead { font-size: 18px; margin: 0 0 4px; }
.soft, small, figcaption, caption { color: var(--soft); font-size: 13px; }
.note { border-left: 4px solid #e69f00; padding: 8px 14px; background: var(--panel); margin: 16px 0; }
.verdicts { list-style: none; margin: 16px 0; padding: 0; display: grid; gap: 14px; }
.verdicts li { border: 1px solid var(--line); border-radius: 10px; padding: 14px 18px; }
.verdicts p { margin: 4px 0 0; }
.badge { display: inline-block; padding: 1px 10px; border-radius: 99px; color: #fff; font-size: 13px; font-weight: 600;
  background: var(--open); }
.badge.yes { background: var(--good); } .badge.no { background: var(--bad); }
.numbers { font-variant-numeric: tabular-nums; }
figure { margin: 14px 0 26px; }
img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 8px; padding: 8px; }
iframe { width: 100%; height: 560px; border: 1px solid var(--line); border-radius: 8px; background: #fff; }
.grid { display: grid; gap: 12px 24px; grid-template-columns: repeat(auto-fill, minmax(min(440px, 100%), 1fr)); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
pre { background: var(--panel); padding: 10px 14px; border-radius: 8px; overflow-x: auto; font-size: 13px;
  user-select: all; }
details { margin: 10px 0; } summary { cursor: pointer; }
footer { margin-top: 48px; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ebee; --soft: #9aa4ae; --line: #2a3037; --ground: #101317; --panel: #181c21; }
}
.paper { display: none; }
@media print {
  @page { size: A4; margin: 16mm 14mm; }
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #ccc; --ground: #fff; --panel: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { margin-top: 20pt; } h2, h3 { break-after: avoid; }
  .verdicts li, figure, tr, .note { break-inside: avoid; }
  .badge { color: #fff; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .grid { grid-template-columns: 1fr 1fr; gap: 0 12pt; }
  .wide { overflow: visible; } table { font-size: 7pt; } th, td { padding: 2pt 4pt 2pt 0; overflow-wrap: anywhere; }
  pre { white-space: pre-wrap; } iframe, details { display: none; } .paper { display: block; }
}
"""
_BADGE = {REPRODUCED: "yes", NOT_REPRODUCED: "no", NOT_RESOLVED: "open"}
_HEADINGS = (
    ("surfaces", "Surfaces", "One scale for all. Each is of the variant's first seed that trained."),
    ("numbers", "The numbers behind the verdicts", ""),
    ("lines", "Lines", ""),
    ("relations", "Accuracy and what was measured", "Each mark is a network."),
    ("training", "Training", ""),
    ("more", "More pictures", ""),
)


def page_text(result: StudyResult, about: Mapping[str, object], pictures: Sequence[ReportPicture]) -> str:
    """Return the page.

    Parameters
    ----------
    result : StudyResult
    about : mapping
        What ``results.json`` holds.
    pictures : sequence of ReportPicture
    """
    study, groups = result.study, sections(pictures)
    parts = [
        f"<h1>{escape(study.shown)}</h1>",
        f'<p class="lead">{escape(study.question)}</p>',
        f'<p class="soft">{escape(study.source)}</p>' if study.source else "",
        *_warnings(result),
        "<h2>Verdicts</h2>" if result.verdicts else "",
        _verdicts(result),
        *(_section(groups[key], heading, words) for key, heading, words in _HEADINGS if key in groups),
        _numbers(result),
        _tasks(result),
        _provenance(result, about),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src 'self' file: data:; "
        "frame-src 'self' file:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(study.shown)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _warnings(result: StudyResult) -> list[str]:
    said = list(result.notes)
    if result.smoke:
        said.insert(0, "A miniature, to see whether everything is in place: its numbers and verdicts mean nothing.")
    if result.failed:
        said.append(f"{len(result.failed)} of {len(result.tasks)} tasks failed (below, with the reason): their "
                    "numbers are missing here.")  # fmt: skip
    if result.missing:
        said.append(f"{len(result.missing)} of {len(result.tasks)} tasks are not done: this is the report so far.")
    return [f'<p class="note">{escape(text)}</p>' for text in said]


def _verdicts(result: StudyResult) -> str:
    known = {each.name: each for each in result.study.hypotheses}
    items = [_verdict(verdict, known[verdict.name]) for verdict in result.verdicts]
    differ = [f'<p class="note">{escape(text)}</p>' for text in disagreements(result)]
    return f'<ul class="verdicts">{"".join(items)}</ul>{"".join(differ)}' if items else ""


def _verdict(verdict: Verdict, hypothesis: Hypothesis) -> str:
    value = hypothesis.value or " and ".join(hypothesis.correlate)
    together = ""
    if math.isfinite(verdict.p_corrected) and verdict.p_corrected != verdict.p:
        together = f" For all questions of this study together p = {verdict.p_corrected:.2g}."
    source = f" <small>{escape(hypothesis.source)}</small>" if hypothesis.source else ""
    badge = _BADGE[verdict.verdict] if verdict.shown == verdict.verdict else _BADGE[NOT_RESOLVED]
    return (
        f'<li id="{escape(hypothesis.name)}"><span class="badge {badge}">{escape(verdict.shown)}'
        f"</span> <strong>{escape(hypothesis.statement)}</strong>{source}"
        f'<p class="numbers">Expected: <code>{escape(hypothesis.expect)}</code> of <code>{escape(value)}</code>.'
        f"</p><p class=numbers>{escape(verdict.text + together)}</p></li>"
    )


def disagreements(result: StudyResult) -> list[str]:
    """Return what has to be said of hypotheses about one thing whose verdicts differ."""
    by_subject: dict[str, list[Verdict]] = {}
    known = {each.name: each for each in result.study.hypotheses}
    for verdict in result.verdicts:
        if known[verdict.name].about:
            by_subject.setdefault(known[verdict.name].about, []).append(verdict)
    said = []
    for subject, verdicts in by_subject.items():
        if len({each.verdict for each in verdicts}) > 1:
            each_one = "; ".join(f"{known[each.name].statement}: {each.verdict}" for each in verdicts)
            said.append(f"Measures of {subject} do not agree: {each_one}.")
    return said


def _section(pictures: Sequence[ReportPicture], heading: str, words: str) -> str:
    grid = "grid" if pictures[0].section in ("numbers", "lines", "relations", "training", "more") else ""
    return (
        f"<h2>{escape(heading)}</h2>{f'<p class=soft>{escape(words)}</p>' if words else ''}"
        f'<div class="{grid}">{"".join(map(_picture, pictures))}</div>'
    )


def _picture(picture: ReportPicture) -> str:
    title = escape(picture.title)
    if picture.trouble:
        return f'<p class="note">{title}: no picture. {escape(picture.trouble)}</p>'
    frame = f'<iframe src="{_link(picture.page)}" title="{title}" loading="lazy"></iframe>' if (
        picture.page and picture.section == "surfaces"
    ) else ""  # fmt: skip
    # What can be turned is a picture on paper alone. None is lazy: a page that is printed has to have them all.
    paper = ' class="paper"' if frame else ""
    image = f'<img src="{_link(picture.image)}" alt="{title}"{paper}>' if picture.image else ""
    links = [f'<a href="{_link(picture.paper)}">PDF</a>' if picture.paper else ""]
    links.append(f'<a href="{_link(picture.page)}">{"open" if not frame else "full page"}</a>' if picture.page else "")
    return f"<figure>{frame}{image}<figcaption>{title} {' '.join(each for each in links if each)}</figcaption></figure>"


def _link(path: str) -> str:
    return escape(quote(path))


def _numbers(result: StudyResult) -> str:
    """Return a table of all numbers: rows are numbers, columns variants."""
    variants = [each.name for each in result.study.variants]
    columns = [name for name in [*variants, "all"] if any(name in by for by in result.values.values())]
    titles = {each.name: each.shown for each in result.study.variants}
    head = "".join(f'<th scope="col">{escape(titles.get(name, "all together"))}</th>' for name in columns)
    body = []
    for value in sorted(result.values, key=lambda name: not name.startswith(TRAINING)):
        numbers = result.numbers(value, untrained=value.startswith(f"{TRAINING}/"))
        cells = "".join(f"<td>{_cell(list(numbers.get(name, {}).values()))}</td>" for name in columns)
        body.append(f'<tr><th scope="row">{escape(value)}</th>{cells}</tr>')
    if not body:
        return ""
    return (
        '<h2>All numbers</h2><p class="soft">Mean over seeds, its interval of 95 % (Student\'s t over seeds), number '
        "of seeds. Numbers of training are of all networks, others of those that trained. Each single number: <a "
        'href="results.csv">results.csv</a>, <a href="results.json">results.json</a>.</p><div class="wide"><table>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _cell(numbers: Sequence[float]) -> str:
    from landscape.studies.statistics.seed_intervals import seed_interval

    found = seed_interval(numbers)
    note = f"<br><small>{found.left_out} not finite</small>" if found.left_out else ""
    if not found.seeds:
        return note or "&ndash;"
    around = f" [{number_text(found.low)}, {number_text(found.high)}]" if math.isfinite(found.low) else ""
    return f"{number_text(found.estimate)}{around} <small>({found.seeds})</small>{note}"


def number_text(number: float) -> str:
    """Return a number with three digits that say something.

    Examples
    --------
    >>> number_text(0.123456), number_text(1234.5), number_text(float("nan"))
    ('0.123', '1,230', 'unknown')
    """
    if not math.isfinite(number):
        return "unknown" if math.isnan(number) else str(number)
    if number and not 1e-4 <= abs(number) < 1e6:
        return f"{number:.2e}"
    digits = 0 if not number else max(0, 2 - math.floor(math.log10(abs(number))))
    rounded = round(number, 2 - math.floor(math.log10(abs(number)))) if number else 0.0
    return f"{rounded:,.{digits}f}"


def _tasks(result: StudyResult) -> str:
    """Return what was done, what it took, and what failed."""
    rows: dict[str, list[float]] = {}
    for task in result.tasks:
        outcome = result.outcomes[task.folder]
        if outcome.state == "done":
            rows.setdefault(task.name.partition("/")[0], []).append(outcome.seconds)
    costs = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{len(seconds)}</td><td>{_time(sum(seconds))}</td>"
        f"<td>{_time(max(seconds))}</td></tr>"
        for name, seconds in rows.items()
    )
    failed = "".join(
        f"<li><strong>{escape(task.name)}</strong>: {escape(result.outcomes[task.folder].error)}"
        f"<details><summary>where</summary><pre>{escape(result.outcomes[task.folder].details)}</pre></details></li>"
        for task in result.failed
    )
    missing = "".join(
        f"<li>{escape(task.name)} {escape(result.outcomes[task.folder].error)}</li>" for task in result.missing
    )
    table = (
        '<div class="wide"><table><thead><tr><th>tasks</th><th>number</th><th>time of all</th><th>longest</th></tr>'
        f"</thead><tbody>{costs}</tbody></table></div>"
    )
    return (
        f"<h2>Cost</h2>{table}"
        + (f'<h2 id="failed">Failed</h2><ul>{failed}</ul>' if failed else "")
        + (f'<h2 id="missing">Not done</h2><ul>{missing}</ul>' if missing else "")
    )


def _time(seconds: float) -> str:
    from landscape.parallel.progress import duration

    return escape(duration(seconds))


def _provenance(result: StudyResult, about: Mapping[str, object]) -> str:
    study = result.study
    data = ", ".join(f"{name}: {reference}" for name, reference in study.data.items())
    if study.samples:
        data += "; of them " + ", ".join(f"{number:,} of {name}" for name, number in study.samples.items())
    hosts = dict.fromkeys(str(o.about.get("host")) for o in result.outcomes.values() if o.state == "done")
    rows = {
        "Data": data,
        "Seeds": ", ".join(map(str, study.seeds)),
        "Seed of directions and samples": str(study.direction_seed),
        "Made by": str(about["software"]),
        "Made": str(about["created"]),
        "Machines": ", ".join(hosts),
        "Notes": study.notes,
    }
    table = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows.items() if text
    )
    recipes = "".join(
        f"<tr><th scope=row>{escape(each.shown)}</th><td><code>{escape(_recipe_words(each.recipe))}</code></td></tr>"
        for each in study.variants
    )
    commands = ""
    if result.command:
        pieces = "".join(
            f"<pre>{escape(f'{result.command} --again --only {shlex.quote(task.name)}')}</pre>" for task in result.tasks
        )
        commands = (
            f"<h2>Make it again</h2><p>All of it; what is done is found and not done again:</p>"
            f"<pre>{escape(result.command)}</pre>"
            f"<details><summary>Each of the {len(result.tasks)} tasks by itself</summary>{pieces}</details>"
        )
    return (
        f'<h2>Provenance</h2><div class="wide"><table><tbody>{table}</tbody></table></div><h3>Recipes</h3>'
        f'<div class="wide"><table><tbody>{recipes}</tbody></table></div>{commands}'
        f'<footer class="soft">The folder <code>tasks/</code> holds every network and measurement; '
        f"<code>done.json</code> in each says of what it was made, when and where.</footer>"
    )


def _recipe_words(recipe: object) -> str:
    from dataclasses import fields

    from landscape.studies.study import Recipe

    plain = Recipe()
    said = []
    for each in fields(Recipe):
        value = getattr(recipe, each.name)
        if value != getattr(plain, each.name) or each.name in ("optimizer", "learning_rate", "batch_size", "epochs"):
            text = value.rpartition("/")[2] if isinstance(value, str) else value
            said.append(f"{each.name} = {dict(text) if isinstance(text, Mapping) else text}")
    return ", ".join(said)

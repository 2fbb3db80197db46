"""Answer a question about networks with error bars: train variants over seeds, measure, judge, report.

A study is a file: variants, seeds, how each is trained, what is measured, what is expected and from where. Its report
says for each expectation whether it was reproduced, not reproduced, or not resolved with so many seeds. What is done is
found and not done again, so the same command goes on with a study that was interrupted.

    landscape study --list
    landscape study shortcuts -o out/
    landscape study shortcuts --data cifar10:ROOT -o out/
    landscape study my_study.toml -o out/ --dry-run
    landscape study shortcuts --smoke -o out/
    mpiexec -n 8 landscape study shortcuts -o out/
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from landscape.commands.words import say
from landscape.errors import UsageError

if TYPE_CHECKING:
    from landscape.studies.report.study_results import StudyResult
    from landscape.studies.study import Study


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("study", nargs="?", metavar="STUDY", help="the name of one that ships, or a .toml file")
    parser.add_argument("--list", action="store_true", help="say which studies ship: question, source, cost")
    parser.add_argument("-o", "--output", metavar="FOLDER", help="where everything goes (default: study-NAME, here)")
    parser.add_argument(
        "--data", action="append", default=[], metavar="REF",
        help="other data than the study's: cifar10:ROOT, or train=REF and test=REF",
    )  # fmt: skip
    group = parser.add_argument_group("running")
    group.add_argument("--dry-run", action="store_true", help="list the tasks, what is done and what the rest takes")
    group.add_argument("--smoke", action="store_true", help="the same in miniature, in FOLDER/smoke: is all in place?")
    group.add_argument("--only", action="append", default=[], metavar="TASK", help="these tasks, and what they need")
    group.add_argument("--again", action="store_true", help="do the tasks (of --only) again, whatever is there")
    group.add_argument("--no-pages", action="store_true", help="no pictures and no index.html, numbers alone")
    group.add_argument("--jobs", type=int, default=0, metavar="N", help="tasks at a time (default: one for each core)")
    group.add_argument(
        "--executor", default="", metavar="KIND",
        help="who does the tasks: processes, here, mpi, or file.py:function that returns a concurrent.futures.Executor "
        "(default: processes; mpi under a launcher)",
    )  # fmt: skip
    group.add_argument(
        "--commands",
        action="store_true",
        help="print a line for a shell for each task that is left, to submit one by one",
    )
    group.add_argument(
        "--ranks", type=int, default=0, metavar="N",
        help="with --commands: what comes first in the line of a line or plane is an mpiexec run of N processes",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Run the study, or say what it would do."""
    if options.list:
        return _list()
    if not options.study:
        raise UsageError("name a study, or --list those that ship")
    from landscape.studies.study_files import find_study, read_study

    if options.ranks and not options.commands:
        raise UsageError("--ranks is for --commands; under mpiexec -n N a study shares its tasks out by itself")
    path = find_study(options.study)
    given = read_study(path, data=options.data, smoke=options.smoke)
    output = options.output or f"study-{given.name}"
    if options.dry_run or options.commands:
        return _plan(given, output, options)
    return _run(options, output)


def _command(options: argparse.Namespace, output: str) -> str:
    import shlex

    words = ["landscape", "study", options.study, *(word for each in options.data for word in ("--data", each))]
    return shlex.join([*words, *(["--smoke"] if options.smoke else []), "-o", output])


def _run(options: argparse.Namespace, output: str) -> int:
    from landscape.parallel.progress import progress_bars
    from landscape.studies.study_runs import study

    with progress_bars() as show:
        result = study(
            options.study,
            output,
            data=options.data,
            smoke=options.smoke,
            only=options.only,
            again=options.again,
            jobs=options.jobs,
            executor=options.executor,
            pages=not options.no_pages,
            progress=show,
            command=_command(options, output),
        )
    if result is None:
        return 0
    _tell(result, not options.no_pages)
    return 1 if result.failed else 0


def _tell(result: StudyResult, pages: bool) -> None:
    known = {each.name: each for each in result.study.hypotheses}
    if result.smoke:
        say("a miniature, to see whether everything is in place: its numbers and verdicts mean nothing")
    for verdict in result.verdicts:
        say(f"{verdict.shown}: {known[verdict.name].statement}")
        say(f"    {verdict.text}")
    for note in result.notes:
        say(note)
    for task in result.failed:
        say(f"failed: {task.name}: {result.outcomes[task.folder].error}")
    if result.missing:
        say(f"{len(result.missing)} of {len(result.tasks)} tasks are not done")
    say(f"open {result.page}" if pages else f"wrote {result.folder / 'results.json'}")


def _list() -> int:
    from landscape.studies.study_files import read_study, shipped

    for name, path in shipped().items():
        found = read_study(path)
        cost = f", about {found.minutes:g} minutes on two cores" if found.minutes else ""
        say(f"{name}: {found.question}")
        variants = f"{len(found.variants)} variant{'' if len(found.variants) == 1 else 's'}"
        say(f"    {variants} x {len(found.seeds)} seeds{cost}; {found.source}")
    return 0


def _plan(given: Study, output: str, options: argparse.Namespace) -> int:
    """Say what is done and what is left."""
    from pathlib import Path

    from landscape.commands.study_commands import command_of, left_to_one
    from landscape.studies.tasks.costs import estimate_costs
    from landscape.studies.tasks.task_folders import read_outcome
    from landscape.studies.tasks.tasks import chosen_tasks, plan_tasks

    folder = Path(output) / "smoke" if options.smoke else Path(output)
    tasks = chosen_tasks(plan_tasks(given), options.only)
    outcomes = {task.folder: read_outcome(task, folder) for task in tasks}
    if options.commands:
        left = [task for task in tasks if outcomes[task.folder].state != "done"]
        for task in left:
            say(command_of(task, folder, _command(options, output), options.ranks))
        if unaided := left_to_one(left, options.ranks):
            print(f"landscape: {unaided}", file=sys.stderr)  # noqa: T201 - beside what is to be submitted, not in it
        return 0
    for task in tasks:
        outcome = outcomes[task.folder]
        say(f"{outcome.state:6}  {task.name}" + (f": {outcome.error}" if outcome.error else ""))
    for line in estimate_costs(given, tasks, outcomes, options.jobs):
        say(line)
    return 0

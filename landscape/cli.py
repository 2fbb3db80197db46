"""The command ``landscape``: reads the command line, runs one command, turns errors into one line and an exit code.

Each command is a module in one of the rooms of ``landscape/commands/``: its docstring's first line is its help,
``configure(parser)`` adds its options, ``run(options)`` does the work and returns the exit code. Those modules import
what is heavy inside functions, so that help answers at once.
"""

from __future__ import annotations

import argparse
import atexit
import functools
import gc
import importlib
import logging
import os
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout

from landscape import __version__
from landscape.commands.words import one_line
from landscape.errors import EvaluationError, LandscapeError, UsageError
from landscape.files.atomic import printable
from landscape.parallel.comm import connected, current_comm
from landscape.parallel.launchers import find_launch
from landscape.parallel.serial import Comm
from landscape.parallel.shutdown import no_early_exit
from landscape.parallel.signals import shutdown_on_signals

# A command's name is its module's; here is where in `landscape.commands` that lies. Help lists them in this order.
COMMANDS: dict[str, str] = dict.fromkeys(("demo", "evaluate", "trajectory"), "surfaces.")
COMMANDS |= dict.fromkeys(("curvature", "similarity", "predictions", "robustness", "frequencies", "walk"), "reports.")
COMMANDS |= dict.fromkeys(("plot", "view", "info", "export"), "shown.") | {"study": ""}
# Those that use all processes a launcher starts; of the others, one process is enough.
PARALLEL = ("evaluate", "trajectory", "curvature", "similarity", "predictions")
# Those that hand out work to the processes in their own way.
SHARED_OUT = ("study",)

FIRST_SPEAKS = 2.0  # seconds

DONE, FAILED, MISUSED, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


class _Parser(argparse.ArgumentParser):
    """Says what was wrong in one line, and exits with 2."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UsageError(f"{message} (see '{self.prog} --help')")


class _Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Keeps the layout of examples and adds defaults, but not where there is none to speak of, or help says it."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        none = action.default is None or action.default is False or action.default in ([], "")
        if none or "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


@functools.cache
def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = _Parser(
        prog="landscape",
        description="Loss landscapes of trained PyTorch networks: from a checkpoint to an honest picture.",
        formatter_class=_Help,
    )
    parser.add_argument("--version", action="version", version=f"landscape {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, room in COMMANDS.items():
        module = importlib.import_module(f"landscape.commands.{room}{name}")
        text = (module.__doc__ or "").strip()
        command = commands.add_parser(
            name, help=text.splitlines()[0].rstrip("."), description=text, formatter_class=_Help, allow_abbrev=False
        )
        module.configure(command)
        command.add_argument("--debug", action="store_true", help="show the traceback of an error, and log details")
        command.set_defaults(run=module.run)
    return parser


def join_negative_values(arguments: Sequence[str]) -> list[str]:
    """Let ``--x -1:1:51`` mean ``--x=-1:1:51``: argparse takes a word that starts with a dash for an option.

    Raises
    ------
    UsageError
        A value is ``--``.
    """
    joined: list[str] = []
    for word in arguments:
        if word.startswith("--") and word.endswith("=--"):  # some versions of argparse make an empty list of it
            raise UsageError(f"{word.partition('=')[0]} is given '--', which is no value")
        negative = len(word) > 1 and word[0] == "-" and (word[1].isdigit() or word[1] == ".")
        if negative and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += "=" + word
        else:
            joined.append(word)
    return joined


class _Printable(logging.Formatter):
    """Escape what names in a message may send to a terminal, line by line: with --debug there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message."""
        return "\n".join(map(printable, super().format(record).split("\n")))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 done, 1 failed, 2 misused, 130 interrupted, 143 terminated."""
    began = time.perf_counter()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None:  # the process is ours, and ends after this
        # Python looks for garbage as it ends, several times in all that torch has loaded: half a second for nothing.
        atexit.register(gc.freeze)
    debug = "--debug" in words
    launch = find_launch()
    first = launch is None or launch.rank == 0
    level = logging.DEBUG if debug else logging.WARNING if first else logging.CRITICAL
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("landscape: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.captureWarnings(not debug)
    if not debug:
        # The letter that a font lacks is drawn as a box, which says so.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        warnings.formatwarning = lambda message, *place, **more: str(message)  # a user needs no line of ours
    try:
        options = build_parser().parse_args(join_negative_values(words))
        options.began = began
        if options.command in PARALLEL or getattr(options, "film", None):
            return _run_on_all(options)
        return _run(options) if first or options.command in SHARED_OUT else DONE
    except UsageError as error:
        return _failed(error, MISUSED, debug)
    except LandscapeError as error:
        return _failed(error, FAILED, debug)
    except KeyboardInterrupt as error:
        return _failed(error, INTERRUPTED, debug)
    except BrokenPipeError:
        # Whoever read our output has gone, as `landscape info | head` does. Python would complain at exit.
        sys.stdout = None
        return FAILED
    except MemoryError as error:
        return _failed(error, FAILED, debug)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        return _failed(error, FAILED, debug)
    except Exception as error:
        # A fault of ours, best shown by its traceback; but one rank that just ended would leave the others waiting.
        comm = connected()
        if comm is None or comm.size == 1:
            raise
        return _failed(error, FAILED, debug=True)


def _run_on_all(options: argparse.Namespace) -> int:
    """Run a command on every process of the job; only the first one prints."""
    comm = current_comm()
    comm.command()
    with ExitStack() as stack:
        stack.enter_context(shutdown_on_signals(comm.abort))
        stack.enter_context(no_early_exit(lambda text, code: _abort(comm, text, code)))
        if comm.rank:
            stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    from landscape.commands.given_files import given_files
    from landscape.files.inputs import protected, require_no_input

    with protected(given_files(options)):
        named = getattr(options, "output", None)
        for output in [named] if isinstance(named, str) else named or []:
            if not output:
                raise UsageError("-o names no file; leave it out for the default, where there is one")
            require_no_input(output)  # before anything is read or measured; what goes by another name, when written
        return int(options.run(options))


def _abort(comm: Comm, text: str, code: int) -> None:
    comm.abort(f"landscape: error: {comm.described(text)}", code)


def _failed(error: BaseException, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    text = one_line(str(error))
    if code == INTERRUPTED:
        text = text or "interrupted"
    elif isinstance(error, OSError) and error.strerror and isinstance(error.filename, str | bytes):
        # What the system says of a file, wherever it was touched: its name is too long, its folder may not be entered.
        text = one_line(f"{os.fsdecode(error.filename)}: {error.strerror}")
    elif not isinstance(error, LandscapeError):
        # Not foreseen: say what kind it was, since its text alone may be as little as a key.
        text = f"{type(error).__name__}: {text or 'no message'}; --debug shows where"
    text = printable(" ".join([text, *getattr(error, "__notes__", [])]))  # what was kept, as a rule
    comm, launch = connected(), find_launch()
    if comm is not None and comm.size > 1:
        # What goes wrong at a point, or on another rank alone, has to say where.
        text = comm.described(text) if comm.rank or isinstance(error, EvaluationError) else text
        comm.abort(f"landscape: error: {text}", code)
    if launch is not None and launch.rank:
        # As a rule all processes fail alike, and the launcher ends the others when the first one has said why.
        time.sleep(FIRST_SPEAKS)
    if launch is None or launch.rank == 0 or code != MISUSED:
        print(f"landscape: {'' if code == INTERRUPTED else 'error: '}{text}", file=sys.stderr)  # noqa: T201
    return code

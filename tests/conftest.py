"""How tests run: in which order, from which random numbers, with what left out of garbage collection."""

from __future__ import annotations

import gc
import os
import random
import signal

import pytest
from hypothesis import Phase, settings

# Two test processes on two cores do not fight, nor do what they start: read by torch and NumPy when they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What a test writes need not outlast a power cut: to wait for the disk thousands of times takes longer than most tests.
os.fsync = lambda file: None
# What is made while tests are collected stays: to look for garbage in it takes a tenth of that time.
gc.disable()

# No deadline: the first call of anything in torch is slow, and two cores are shared with the other test process.
# Nobody reads by which example a careless change was noticed: no smaller one is looked for.
_phases = [each for each in Phase if "LANDSCAPE_MUTANT" not in os.environ or each.name not in ("shrink", "explain")]
settings.register_profile("landscape", deadline=None, print_blob=True, phases=_phases)
settings.load_profile("landscape")
# Ignored it is in a shell script's background, and would be in all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep", action="store_true", help="write anew what tests compare with (tests/helpers/kept.py)")
    parser.addoption("--shuffle", type=int, metavar="SEED", help="run the tests in another order, given by the seed")


def pytest_configure(config: pytest.Config) -> None:
    """Load torch where tests run, and not in the process that only hands them out to others."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.import_plugin("tests.helpers.small_models")


@pytest.hookimpl(tryfirst=True)  # before pytest puts together what shares a fixture
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffle files and the tests within each: a file's own fixtures are made once all the same."""
    if (seed := config.getoption("--shuffle")) is not None:
        chance = random.Random(seed)
        place = {path: chance.random() for path in sorted({item.path for item in items})}
        chance.shuffle(items)
        items.sort(key=lambda item: place[item.path])


def pytest_collection_finish() -> None:
    """Leave what is loaded by now, which stays to the end, out of every later collection of garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # a figure is made of thousands of small things: by default it runs all the time
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Once is enough: pytest looks for garbage five times in all that was loaded, and Python again as it ends."""
    gc.collect()
    gc.freeze()

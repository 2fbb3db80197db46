"""The first settled picture of a page of two surfaces, without a graphics card, against the least three.js can take.

    python -m tests.benchmarks.first_picture                    # a page as the demo's: 31 x 31 points, smoothed
    python -m tests.benchmarks.first_picture --side 251         # made and shown
    python -m tests.benchmarks.first_picture --profile          # and which functions of the page take how long
    python -m tests.benchmarks.first_picture --page two.html    # a page of your own

The limit is a page with three.js alone, which draws an empty scene as large as the window: no page that uses it can go
below that on the same machine. Pages are opened in turns, each in a new context; medians. Seconds of the clock are from
asking for the page until nothing is left to draw; processor seconds are of all the browser's processes (the page's own,
the one that draws in the place of a graphics card, the rest), and say more on a machine that does other things. Needs a
Chromium, and Node with what `npm ci` installs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

PARTS = ("page", "drawing", "rest")
EMPTY = """
import { PerspectiveCamera, Scene, WebGLRenderer } from "three";
const renderer = new WebGLRenderer({ antialias: true, alpha: true });
renderer.setSize(innerWidth, innerHeight);
document.body.append(renderer.domElement);
renderer.render(new Scene(), new PerspectiveCamera());
window.drawn = true;
"""
# As tests/browser/conftest.py does, for any page.
SETTLED = """() => new Promise((done) => {
  const start = async () => {
    while (!window.landscape && !window.drawn) await new Promise((after) => setTimeout(after, 2));
    const app = window.landscape && (await window.landscape);
    let calm = 0;
    const wait = () => {
      calm = (app ? app.frameAsked || app.moving : !window.drawn) ? 0 : calm + 1;
      if (calm > 4) done(performance.now() / 1000);
      else requestAnimationFrame(wait);
    };
    wait();
  };
  start();
})"""


def empty_page(folder: Path) -> Path:
    """Write a page that draws an empty scene by three.js."""
    script = folder / "empty.js"
    script.write_text(EMPTY)
    words = ["node_modules/.bin/esbuild", str(script), "--bundle", "--minify", "--format=iife"]
    paths = {**os.environ, "NODE_PATH": str(ROOT / "node_modules")}
    done = subprocess.run(words, cwd=ROOT, env=paths, check=True, capture_output=True, text=True)
    bundled = done.stdout.replace("</script", "<\\/script")
    path = folder / "empty.html"
    head = '<!doctype html><meta charset="utf-8"><style>body { margin: 0 }</style>'
    path.write_text(f'{head}<body><script type="module">{bundled}</script>')
    return path


def page_of(folder: Path, side: int) -> tuple[Path, float]:
    """Write a page of two surfaces of side x side points; return it and the processor seconds that took."""
    from landscape.plot.page.html import page_text

    from tests.helpers.plot_fixtures import network

    surfaces = [network(0.3, 3.0, 1, side, "skip"), network(0.9, 5.0, 2, side, "plain")]
    start = time.process_time()
    text = page_text(surfaces)
    took = time.process_time() - start
    path = folder / "page.html"
    path.write_text(text)
    return path, took


def processor_seconds(root: int) -> dict[str, float]:
    """Return what all that descends from a process has used so far, by part."""
    children: dict[int, list[int]] = {}
    used: dict[int, tuple[str, float]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            part = "page" if "--type=renderer" in words else "drawing" if "--type=gpu-process" in words else "rest"
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            used[int(entry.name)] = part, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    total = dict.fromkeys(PARTS, 0.0)
    todo = children.get(root, [])
    while todo:
        number = todo.pop()
        part, seconds = used.get(number, ("rest", 0.0))
        total[part] += seconds
        todo += children.get(number, [])
    return total


def opened(browser: Any, path: Path, size: tuple[int, int]) -> list[float]:
    """Open a page; return seconds of the clock, and of processors by part, until its picture has settled."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.set_default_timeout(600_000)
    before = processor_seconds(os.getpid())
    page.goto(path.as_uri(), wait_until="commit")
    clock = float(page.evaluate(SETTLED))
    after = processor_seconds(os.getpid())
    context.close()
    used = [after[part] - before[part] for part in PARTS]
    return [clock, sum(used), *used]


def profiled(browser: Any, path: Path, size: tuple[int, int], most: int = 14) -> list[tuple[str, float]]:
    """Return which functions of a page take how many seconds, their own time, without those they call."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.set_default_timeout(600_000)
    session = context.new_cdp_session(page)
    session.send("Profiler.enable")
    session.send("Profiler.start")
    page.goto(path.as_uri(), wait_until="commit")
    page.evaluate(SETTLED)
    profile = session.send("Profiler.stop")["profile"]
    names = {node["id"]: node["callFrame"] for node in profile["nodes"]}
    found: dict[str, float] = {}
    for number, microseconds in zip(profile["samples"], profile["timeDeltas"], strict=True):
        frame = names[number]
        name = frame["functionName"] or "(anonymous)"
        where = f"{name} {frame['lineNumber']}:{frame['columnNumber']}" if frame["url"] else name
        found[where] = found.get(where, 0.0) + microseconds / 1e6
    context.close()
    return sorted(found.items(), key=lambda each: -each[1])[:most]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=31, help="points along each axis of both surfaces")
    parser.add_argument("--page", type=Path, help="a page that is there already")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", default="1440x900", help="of the window")
    parser.add_argument("--profile", action="store_true", help="list the page's functions by their own time")
    options = parser.parse_args()
    from browser.conftest import FLAGS, browser_path
    from playwright.sync_api import sync_playwright

    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        if options.page:
            pages = {"three.js alone": empty_page(folder), options.page.name: options.page.resolve()}
        else:
            path, took = page_of(folder, options.side)
            print(f"made in {took:.2f} s of a processor, {path.stat().st_size / 1e6:.2f} MB")
            pages = {"three.js alone": empty_page(folder), f"two surfaces of {options.side} x {options.side}": path}
        browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS, timeout=120_000)
        taken: dict[str, list[list[float]]] = {each: [] for each in pages}
        for number in range(options.rounds + 1):
            for each, path in pages.items():
                found = opened(browser, path, (width, height))
                if number:  # the first fills caches
                    taken[each].append(found)
        print(f"{'':34}" + "".join(f"{each:>21}" for each in ("clock, s", "processors, s", *PARTS)))
        for each, times in taken.items():
            columns = [
                f"{statistics.median(part):.2f} ({min(part):.2f} to {max(part):.2f})"
                for part in zip(*times, strict=True)
            ]
            print(f"{each:34}" + "".join(f"{column:>21}" for column in columns))
        if options.profile:
            for each, seconds in profiled(browser, list(pages.values())[-1], (width, height)):
                print(f"{seconds:8.3f} s  {each}")
        browser.close()


if __name__ == "__main__":
    main()

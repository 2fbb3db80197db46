"""The page's script: checked, tested, and the committed bundle made from the committed sources."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from landscape.plot.planes.marks import _NO_BEST
from landscape.plot.surfaces.shading import DARK, FLAT, LUMINANCE, Light

from browser import fixtures

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "plot" / "page" / "web"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    if not shutil.which(command[0]) or not (ROOT / "node_modules").is_dir():
        pytest.fail("no Node.js or no packages: 'sh tests/browser/install.sh' installs both")
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("name", fixtures.FIXTURES)
def test_the_fixtures_are_what_python_says_now(name: str) -> None:
    stored = (Path(fixtures.__file__).parent / name).read_text(encoding="utf-8")
    now, before = json.loads(fixtures.text_of(name)), json.loads(stored)

    def same(a: object, b: object) -> bool:
        if isinstance(a, float) and isinstance(b, int | float):
            # The last digit of a logarithm depends on the machine's mathematics library, as does what is left of a
            # difference of two of them.
            return a == pytest.approx(b, rel=1e-12, abs=1e-15)
        if isinstance(a, dict) and isinstance(b, dict):
            return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
        if isinstance(a, list) and isinstance(b, list):
            return len(a) == len(b) and all(map(same, a, b))
        return a == b

    if name == "packing.json":  # compressed text may differ between versions of zlib, what it says may not
        now.pop("text"), before.pop("text")
    assert same(now, before), f"{name} is old: run 'python tests/browser/fixtures.py' and look at what the page does"


@pytest.mark.parametrize("file", sorted(Path(__file__).parent.glob("*.test.mjs")), ids=lambda file: file.name[:-9])
def test_the_script_agrees_with_python(file: Path) -> None:
    result = run("node", "--test", str(file))
    assert result.returncode == 0, result.stdout[-6000:]
    passed = re.search(r"pass (\d+)", result.stdout)
    assert passed
    assert int(passed.group(1)) >= len(re.findall(r"^ *test\(", file.read_text(encoding="utf-8"), re.MULTILINE)) > 0


def test_the_script_marks_no_best_point_where_stills_mark_none() -> None:
    words = re.search(r"^const NO_BEST = \[(.*)\];$", (PAGE / "quantity.js").read_text(encoding="utf-8"), re.MULTILINE)
    assert words
    assert json.loads(f"[{words[1]}]") == list(_NO_BEST)


def test_the_light_of_the_page_is_that_of_the_stills() -> None:
    light, text = Light(), re.sub(r"\s+", " ", (PAGE / "shaders.js").read_text(encoding="utf-8"))
    for each in (
        f"{light.sky:.2f} * ({light.ground:.2f} + {1 - light.ground:.2f} * (n.z + 1.0) / 2.0) ",
        f" + {light.page:.2f} * max(-n.z, 0.0);",
        f"{light.key_strength:.2f} * max(dot(n, key), 0.0) + {light.fill_strength:.2f} * max(dot(n, fill), 0.0);",
        f"{light.specular:.2f} * pow(max(dot(n, normalize(towards + key)), 0.0), {light.exponent:.1f});",
        f"if (!below) bright *= 1.0 - {light.occlusion:.2f} * (1.0 - vPaint.y);",
        f"dot(base, vec3({', '.join(map(str, LUMINANCE))})) > {DARK} ?",
        f"if (gradient < {FLAT:.0e}) return 0.0;".replace("e-0", "e-"),
    ):
        assert each in text, each
    lights = re.search(r"KEY = (\[.*?\]), FILL = (\[.*?\]);", (PAGE / "stage.js").read_text(encoding="utf-8"))
    assert lights
    assert [tuple(json.loads(each)) for each in lights.groups()] == [light.key, light.fill]


def test_types_of_the_script_are_right() -> None:
    result = run("npx", "--no-install", "tsc", "--project", "plot/page/web/tsconfig.json")
    assert result.returncode == 0, result.stdout[-4000:]


def test_the_committed_bundle_is_what_its_sources_give() -> None:
    result = run("node", "plot/page/web/build.mjs", "--check")
    assert result.returncode == 0, result.stderr


def test_the_bundle_carries_the_licence_of_what_is_in_it() -> None:
    start = (PAGE / "bundle.js").read_text(encoding="utf-8")[:3000]
    assert "three.js" in start
    assert (PAGE / "three.LICENSE").read_text(encoding="utf-8").strip() in start
    assert "WITHOUT WARRANTY OF ANY KIND" in start


def test_packages_are_pinned_and_name_no_host() -> None:
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    assert all(re.fullmatch(r"[\d.]+", version) for version in package["devDependencies"].values())
    assert "http" not in (ROOT / "package-lock.json").read_text(encoding="utf-8")


def test_no_module_of_the_page_is_too_long_to_read() -> None:
    for path in PAGE.glob("*.js"):
        if path.name != "bundle.js":
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 350, path.name

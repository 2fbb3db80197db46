"""How the guide (``README.md``, ``docs/*.md``) and the API reference (the docstrings) become one static site.

``make docs`` writes it to ``build/site``; a warning is an error. The source folder is the whole checkout, so that links
between documents are the same here and where the files are read as they are.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
# Pages are trees of small things, most of which stay to the end: to look for garbage in them takes a fifth of the time.
gc.set_threshold(200_000, 20, 100)

project = "torch-landscape"
author = "the authors of torch-landscape"
html_title = project
html_theme = "alabaster"
html_theme_options = {"fixed_sidebar": True, "page_width": "72rem", "sidebar_width": "16rem"}
html_copy_source = html_show_sphinx = False
html_additional_pages = {"index": "redirect.html"}
templates_path = ["templates"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
root_doc = "docs/index"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "build/api/*.rst"]
include_patterns += ["docs/*.md", "docs/gallery/*.md", "docs/studies/*.md"]
exclude_patterns = [".*", "node_modules", "build/site", "build/types", "build/lib", "landscape", "plot", "tests"]
myst_heading_anchors = 2

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_use_type_comments = False  # there are none: to look for them takes a while
napoleon_google_docstring = False
napoleon_use_rtype = False
# The words that say what a parameter is are words, not references: "shape" is nobody's attribute.
# Nor does every entry of a list of references have to be cited in the text above it.
suppress_warnings = ["ref.python", "ref.footnote"]


def write_reference(app: Any) -> None:
    """Write a page for each module of ``landscape``, a list of them for each room, and a list of the rooms."""
    folder = ROOT / "build" / "api"
    folder.mkdir(parents=True, exist_ok=True)
    rooms: dict[str, list[str]] = {}
    for top, package in (("landscape", "landscape"), ("plot", "landscape.plot")):
        for path in sorted((ROOT / top).rglob("*.py")):
            module = ".".join([package, *path.relative_to(ROOT / top).with_suffix("").parts])
            room = module.rpartition(".")[0]
            rooms.setdefault(room, []).append(module)
    for room, modules in rooms.items():
        put(folder / f"{room}.rst", page(room, [name for name in modules if not name.endswith("__")]))
        for module in modules:
            if not module.endswith("__"):
                put(folder / f"{module}.rst", page(module, [], members=True))
    put(folder / "reference.rst", page("", list(rooms), title="Reference"))


def page(module: str, below: list[str], *, title: str = "", members: bool = False) -> str:
    """Return the page of a module, or of a room with the modules in it."""
    title = title or module
    lines = [title, "=" * len(title), ""]
    if module:
        # A room's public names are documented where they are defined.
        lines += [f".. automodule:: {module}", "   :members:" if members else "   :no-members:", ""]
    if below:
        lines += [".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in below)]
    return "\n".join([*lines, ""])


def put(path: Path, text: str) -> None:
    """Write a file that differs, so that an unchanged page is not built again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def not_ours(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Skip methods that a library writes into a class of ours, with a docstring of its own."""
    return True if isinstance(thing, FunctionType) and not thing.__module__.startswith("landscape") else None


def read_as_typed(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Take bars for bars (|theta|), and in a module's docstring an indented block for text to be kept as it is."""
    before, literal = "", False
    for number, line in enumerate(list(lines)):
        indented = line.startswith("    ")
        if what == "module" and indented and not lines[number - 1].strip() and not literal:
            literal = not before.startswith("..")
            if literal and not before.endswith("::"):
                lines[number - 1] = "::\n"
        elif line.strip() and not indented:
            literal = False
        if not literal and "``" not in line:
            lines[number] = line.replace("|", "\\|")
        before = line if line.strip() and not indented else before
    lines[:] = "\n".join(lines).split("\n")


def setup(app: Any) -> None:
    """Have the reference's pages written before they are looked for."""
    app.connect("config-inited", lambda app, config: write_reference(app))
    app.connect("autodoc-process-docstring", read_as_typed)
    app.connect("autodoc-skip-member", not_ours)

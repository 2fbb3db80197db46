"""Where the packages lie: ``plot/`` is a top-level folder that installs as ``landscape.plot``.

A top-level module called ``plot`` would be shadowed by any user's own plot.py; everything else about the
distribution is in pyproject.toml.
"""

from setuptools import find_packages, setup

rooms = ["landscape", *(f"landscape.{name}" for name in find_packages("landscape"))]
renderers = {"landscape.plot": "plot"} | {
    f"landscape.plot.{name}": "plot/" + name.replace(".", "/") for name in find_packages("plot")
}

setup(
    packages=[*rooms, *renderers],
    package_dir={"landscape": "landscape", **renderers},
    package_data={
        "landscape": ["py.typed"],
        "landscape.data": ["*.npz", "*.md"],
        "landscape.studies": ["shipped/*.toml"],
        "landscape.plot.page": ["web/template.html", "web/style.css", "web/bundle.js", "web/three.LICENSE"],
    },
)

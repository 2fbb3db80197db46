"""Where the packages lie: ``plot/`` is a top-level folder that installs as ``landscape.plot``.

A top-level module called ``plot`` would be shadowed by any user's own plot.py; everything else about the
distribution is in pyproject.toml.
"""

from setuptools import find_packages, setup

# A folder of files without a line of Python is a package, too, for setuptools.
studies = "landscape.studies.shipped"
rooms = ["landscape", *(f"landscape.{name}" for name in find_packages("landscape")), studies]
renderers = {"landscape.plot": "plot"} | {
    f"landscape.plot.{name}": "plot/" + name.replace(".", "/") for name in find_packages("plot")
}

setup(
    packages=[*rooms, *renderers],
    package_dir={"landscape": "landscape", **renderers},
    package_data={
        "landscape": ["py.typed"],
        "landscape.data": ["*.npz", "*.md"],
        studies: ["*.toml"],
        "landscape.plot.page": ["web/template.html", "web/style.css", "web/bundle.js", "web/three.LICENSE"],
    },
)

"""Where the packages lie: ``plot/`` is a top-level folder that installs as ``landscape.plot``.

A top-level module called ``plot`` would be shadowed by any user's own plot.py; everything else about the
distribution is in pyproject.toml.
"""

from setuptools import setup

setup(
    packages=["landscape", "landscape.commands", "landscape.data", "landscape.plot", "landscape.plot.page"],
    package_dir={"landscape": "landscape", "landscape.plot": "plot", "landscape.plot.page": "plot/page"},
    package_data={
        "landscape": ["py.typed"],
        "landscape.data": ["*.npz", "*.md"],
        "landscape.plot.page": ["template.html", "style.css", "bundle.js", "three.LICENSE"],
    },
)

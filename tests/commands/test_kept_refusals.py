"""What each command answers to what it cannot do is what it answered, whole (`tests.helpers.kept`).

Every line below is a command that is refused: with its code, in one line, before anything is written.
"""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from landscape.plot.films import films

from landscape.cli import main
from tests.commands.test_kept_words import WRITERS
from tests.helpers import kept_problem
from tests.helpers.kept import assert_kept, steady

PROBLEM = "--model nets.py:network --data train=nets.py:data --device cpu"
LINE = f"{PROBLEM} --x=-1:1:3"
PLANE = f"{LINE} --y=-1:1:3"
INPUT = f"{PROBLEM} --space input --x=-1:1:3"

REFUSED = {
    "grids": f"""
        evaluate a.pt {PROBLEM} --x=-1:1
        evaluate a.pt {PROBLEM} --x=-1:1:1
        evaluate a.pt {PROBLEM} --x=1:-1:3
        evaluate a.pt {PROBLEM} --x=-1:1:half
        evaluate a.pt {PROBLEM} --x=-1:inf:3
        evaluate a.pt {LINE} --y=1:1:3
        evaluate a.pt {LINE} --y-include 0
        evaluate a.pt {LINE} --z=-1:1:3
    """,
    "directions": f"""
        evaluate a.pt {LINE} --directions zero
        evaluate a.pt {LINE} --directions a.pt
        evaluate a.pt {LINE} --directions absent.pt
        evaluate a.pt {PLANE} --directions b.pt,c.pt --norm filter
        evaluate a.pt {LINE} --axes orthonormal
        evaluate a.pt {PLANE} --directions gradient,random --orthogonal
        evaluate a.pt {PLANE} --directions hessian --orthogonal
        evaluate a.pt {LINE} --norm filters
        evaluate a.pt {LINE} --ignore bias
        evaluate a.pt {LINE} --include 9
        evaluate a.pt {LINE} --include (
        evaluate a.pt {LINE} --exclude .
        evaluate a.pt {LINE} --include 0 --exclude 0
        evaluate a.pt {LINE} --directions b.pt --seed 3
        evaluate a.pt {LINE} --directions b.pt --repeats 2
        evaluate a.pt {LINE} --repeats 0
    """,
    "problems": f"""
        evaluate a.pt --x=-1:1:3 --data train=nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:network
        evaluate a.pt --x=-1:1:3 --model nets.py --data nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:missing --data nets.py:data
        evaluate a.pt --x=-1:1:3 --model absent.py:network --data nets.py:data
        evaluate a.pt --x=-1:1:3 --model broken.py:network --data nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:data --data nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:network --model-args [1] --data nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:network --model-args {{ --data nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:network --model-args '{{"width":3}}' --data nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data train=nets.py:data --data train=nets.py:held_out
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data a/b=nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data =nets.py:data
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data npz:absent.npz
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data npz:empty.npz
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data npz:strings.npz
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data npz:unequal.npz
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data npz:a.pt
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data digits:tests
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data cifar10:train
        evaluate a.pt --x=-1:1:3 --model nets.py:network --data digits:test
        evaluate a.pt {LINE} --loss ce
        evaluate a.pt {LINE} --loss mse
        evaluate a.pt {LINE} --loss nets.py:absent
        evaluate a.pt {LINE} --loss nets.py:network
        evaluate a.pt {LINE} --metric nets.py:absent
        evaluate a.pt {LINE} --metric nets.py:margin --metric nets.py:margin
        evaluate a.pt {LINE} --device gpu
        evaluate a.pt {LINE} --checkpoint-key ema
    """,
    "checkpoints": f"""
        evaluate absent.pt {LINE}
        evaluate empty.pt {LINE}
        evaluate page.pt {LINE}
        evaluate cut.pt {LINE}
        evaluate words.pt {LINE}
        evaluate other.pt {LINE}
        evaluate fewer.pt {LINE}
        evaluate more.pt {LINE}
        evaluate nan.pt {LINE}
        evaluate plane.h5 {LINE}
        evaluate a {LINE}
        evaluate a.pt b.pt {LINE}
        info empty.pt
        info page.pt
        info absent.pt
        info cut.pt
        info broken.py
    """,
    "measuring": f"""
        evaluate a.pt {LINE} --samples 0
        evaluate a.pt {LINE} --samples -3
        evaluate a.pt {LINE} --samples 40 --sample-seed -1
        evaluate a.pt {LINE} --anchors 0
        evaluate a.pt {LINE} --anchors some
        evaluate a.pt {LINE} --error 0
        evaluate a.pt {LINE} --error 0.02 --tolerance 0.02
        evaluate a.pt {LINE} --standard-error -0.1
        evaluate a.pt {LINE} --tolerance nan
        evaluate a.pt {LINE} --batch-size 0
        evaluate a.pt {LINE} --batch-size many
        evaluate a.pt {LINE} --batch-norm trained
        evaluate a.pt {LINE} --batch-norm-data test --batch-norm recompute
        evaluate a.pt {LINE} --mode test
        evaluate a.pt {LINE} --weight-decay -1
        evaluate a.pt {LINE} --precision float8
        evaluate a.pt {LINE} --precision-tolerance 0
        evaluate a.pt {LINE} --write-every -1
        evaluate a.pt {LINE} -o absent/net.h5
        evaluate a.pt {LINE} -o thesis.h5
        evaluate a.pt {LINE} -o plane.h5
        evaluate a.pt {LINE} -o a
    """,
    "inputs": f"""
        evaluate a.pt {LINE} --sample 3
        evaluate a.pt {LINE} --epsilon 0.1
        evaluate a.pt {LINE} --directions sign
        evaluate a.pt {INPUT} --norm layer
        evaluate a.pt {INPUT} --directions random,random
        evaluate a.pt {INPUT} --directions hessian
        evaluate a.pt {INPUT} --directions pgd
        evaluate a.pt {INPUT} --directions pgd --epsilon -1
        evaluate a.pt {INPUT} --sample 96
        evaluate a.pt {INPUT} --sample -1
        evaluate a.pt {INPUT} --sample 3 --samples 20
        evaluate a.pt {INPUT} --repeats 2
        evaluate a.pt {INPUT} --weight-decay 0.1
        evaluate a.pt {INPUT} --curvature
    """,
    "trajectories": f"""
        trajectory {PROBLEM} -o new.h5
        trajectory a {PROBLEM}
        trajectory a --model nets.py:network -o new.h5
        trajectory a {PROBLEM} --plane-only --onto plane.h5 -o new.h5
        trajectory a --model nets.py:network --onto plane.h5 --at 6 -o new.h5
        trajectory a --model nets.py:network --plane-only --dry-run -o new.h5
        trajectory a {PROBLEM} --plane-only -o new.h5
        trajectory a a/absent.pt {PROBLEM} -o new.h5
        trajectory a.pt {PROBLEM} -o new.h5
        trajectory absent {PROBLEM} -o new.h5
        trajectory nothing {PROBLEM} -o new.h5
        trajectory a {PROBLEM} --points 1 -o new.h5
        trajectory a {PROBLEM} --margin -1 -o new.h5
        trajectory a {PROBLEM} --plane a.pt,b.pt -o new.h5
        trajectory a {PROBLEM} --plane a.pt,b.pt,c.pt --origin a.pt -o new.h5
        trajectory a {PROBLEM} --axes orthonormal -o new.h5
        trajectory a {PROBLEM} --line ends --unordered -o new.h5
        trajectory a {PROBLEM} --line ends --plane local -o new.h5
        trajectory a {PROBLEM} --line middle -o new.h5
        trajectory a {PROBLEM} --plane local --origin a.pt -o new.h5
        trajectory a {PROBLEM} --plane local --at 99 -o new.h5
        trajectory a {PROBLEM} --at 6 -o new.h5
        trajectory a {PROBLEM} --plane local --ignore biasbn -o new.h5
        trajectory a {PROBLEM} --plane nowhere -o new.h5
        trajectory a --model nets.py:network --onto plane.h5 -o new.h5
        trajectory a --model nets.py:network --onto line.h5 --points 5 -o new.h5
        trajectory a --model nets.py:network --onto absent.h5 -o new.h5
    """,
    "reports": f"""
        curvature a.pt {PROBLEM} --probes 0
        curvature a.pt {PROBLEM} --eigenvalues 0
        curvature a {PROBLEM} --dry-run
        curvature a {PROBLEM} --surface plane.h5
        curvature a.pt {PROBLEM} --surface plane.h5
        curvature a.pt {PROBLEM} --eigenvalue-tolerance 0
        curvature a.pt {PROBLEM} --products 0
        curvature a.pt {PROBLEM} --include nowhere
        curvature a.pt {PROBLEM} --memory 0
        curvature a.pt {PROBLEM} --steps 0
        curvature a.pt {PROBLEM} --samples 0
        curvature a.pt --model nets.py:network
        walk a {PROBLEM} --metric nets.py:margin
        walk a.pt {PROBLEM}
        walk a b {PROBLEM}
        walk a {PROBLEM} --rate 0
        walk a {PROBLEM} --multiples 1
        walk a {PROBLEM} --multiples -1,2
        similarity a.pt a.pt {PROBLEM}
        similarity a.pt b.pt {PROBLEM} --write-every -1
        similarity a.pt b.pt {PROBLEM} --metric nets.py:margin
        predictions --group one=a.pt,b.pt {PROBLEM} --metric nets.py:margin
        curvature a.pt {PROBLEM} --metric nets.py:margin
        curvature a {PROBLEM} --metric nets.py:margin
        similarity a.pt b.pt {PROBLEM} --layers [
        similarity a.pt b.pt {PROBLEM} --layers nowhere
        similarity a.pt b.pt {PROBLEM} --kernel cosine
        similarity a.pt b.pt {PROBLEM} --passes 0
        similarity a.pt b.pt {PROBLEM} --batch-size 3
        similarity a.pt b.pt --data train=nets.py:data
        similarity --group one=a.pt b.pt {PROBLEM}
        similarity --group one {PROBLEM}
        predictions {PROBLEM}
        predictions a.pt b.pt {PROBLEM}
        predictions --group one=a.pt --group other=a.pt {PROBLEM}
        predictions --group one=a.pt --group other=groups.h5 {PROBLEM}
        predictions --group one=groups.h5 --group other=a.pt {PROBLEM}
        predictions --group one=groups.h5 --group other=line.h5
        predictions --group one=a.pt,b.pt --data train=nets.py:data
        predictions --group one=a.pt,b.pt --model nets.py:network
        predictions --group one=a.pt,b.pt --model two=nets.py:network --data train=nets.py:data
        robustness a.pt {PROBLEM}
        robustness a.pt {PROBLEM} --epsilon -1
        robustness a.pt {PROBLEM} --epsilon 0.1,0.1
        robustness a.pt {PROBLEM} --epsilon some
        robustness a.pt {PROBLEM} --epsilon 0.1 --norm l1
        robustness a.pt {PROBLEM} --epsilon 0.1 --steps 0
        robustness a.pt {PROBLEM} --epsilon 0.1 --metric nets.py:margin
        robustness a.pt {PROBLEM} --epsilon 0.1 --transfer absent.pt
        robustness a.pt {PROBLEM} --epsilon 0.1 --save-examples examples.txt
        robustness a.pt {PROBLEM} --epsilon 0.1 --save-examples unequal.npz
        robustness a.pt {PROBLEM} --epsilon 0.1 --save-examples adv.npz -o adv.npz
        robustness a.pt --model nets.py:network --data npz:empty.npz --epsilon 0.1 --save-examples empty.npz
        frequencies a.pt {PROBLEM} --metric nets.py:margin
        frequencies a.pt {PROBLEM} --epsilon -0.1
    """,
    "pictures": """
        plot
        plot absent.h5
        plot a.pt
        plot empty.pt
        plot plane.h5 -o picture.jpg
        plot plane.h5 -o absent/picture.png
        plot plane.h5 --kind lines
        plot plane.h5 --kind line
        plot line.h5 --kind contour
        plot line.h5 --kind surface
        plot line.h5 --marks 3
        plot plane.h5 --kind steps
        plot plane.h5 --kind convexity
        plot plane.h5 --name train/absent
        plot plane.h5 --scale cubic
        plot plane.h5 --cap high
        plot plane.h5 --cap -1
        plot plane.h5 --cap 1e300
        plot plane.h5 --levels 1,a
        plot plane.h5 --columns 0
        plot plane.h5 --kind heatmap --hillshade
        plot plane.h5 --kind heatmap --no-interpolation
        plot plane.h5 --camera 30,40
        plot plane.h5 --kind surface --camera 30
        plot plane.h5 --color sharpness
        plot plane.h5 --kind surface --color sharpness
        plot plane.h5 --size 100x200
        plot plane.h5 line.h5
        plot plane.h5 line.h5 --kind surface
        plot plane.h5 -o one.png -o two.gif
        plot plane.h5 -o film.webp
        plot plane.h5 --seconds 3
        plot plane.h5 --fps 3
        plot plane.h5 --film path -o film.webp
        plot plane.h5 --film epochs -o film.webp
        plot line.h5 --film orbit -o film.webp
        plot plane.h5 --film orbit
        plot plane.h5 --film orbit -o film.avi
        plot plane.h5 --film orbit -o film.webp -o other.webp
        plot plane.h5 --film orbit -o film.webp --kind contour
        plot plane.h5 --film orbit -o film.webp --size 640
        plot plane.h5 --film orbit -o film.webp --size x480
        plot plane.h5 --film orbit -o film.webp --marks 3
        plot plane.h5 --film orbit -o film.webp --independent
        plot plane.h5 --film orbit -o film.webp --color convexity
        plot plane.h5 --film orbit -o film.webp --hillshade
        plot plane.h5 --film orbit -o film.webp --font serif
        plot plane.h5 --film orbit -o film.webp --dpi 100
        plot plane.h5 --film orbit -o film.webp --for icml
        plot plane.h5 --film orbit -o film.webp --size 10by20
        plot plane.h5 --film orbit -o film.webp --size 2x2
        plot plane.h5 --film orbit -o film.webp --name train/loss --name train/accuracy
        plot plane.h5 --film orbit -o film.webp --seconds 0
        plot plane.h5 --film orbit -o film.webp --fps 1000
        plot plane.h5 --film orbit -o film.webp --camera up
        plot curvature.h5 --kind contour
        plot curvature.h5 similarity.h5
        plot line.h5 --marks 3 --kind line
        plot plane.h5 --title one --title two
        plot seeds.h5 --kind steps
        plot plane.h5 --kind regions
        plot plane.h5 --cap nan
        plot plane.h5 --eps -1
        plot plane.h5 --colormap rainbows
        plot plane.h5 --dpi 0
        plot similarity.h5 --scale log
        plot similarity.h5 --color convexity
        plot similarity.h5 --cap 0
        plot groups.h5 --colormap magma
        plot walk.h5 --name train/loss
        plot curvature.h5 --camera top
        plot curvature.h5 --headline text
        plot groups.h5 --name one
        view plane.h5 -o page.pdf
        view plane.h5 curvature.h5 walk.h5 -o page.html
        view a.pt
        view walk.h5
        view nothing
        view nothing -o site
        view plane.h5 --title one --title two -o page.html
        view plane.h5 --epochs 1,2,3 -o page.html
        view line.h5
        view absent.h5
    """,
    "files": """
        info
        info --compare plane.h5
        info --compare plane.h5 line.h5
        info --compare plane.h5 curvature.h5
        info thesis.h5
        info nothing
        export plane.h5
        export plane.h5 -o plane.txt
        export plane.h5 -o thesis.h5
        export curvature.h5 -o curvature.vtp
        export line.h5 -o line.vtp
        export seeds.h5 -o seeds.vts
        export absent.h5 -o absent.csv
        export seeds.h5 -o seeds.li2018.h5
        study
        study absent.toml
        study broken.toml
        study empty.toml
        study unknown.toml -o out
        study --ranks 2
        demo --epochs 0
        demo --width 0
        demo --epochs 1000000
        demo -o thesis.h5
        unknown
    """,
}  # fmt: skip


def fill() -> None:
    """Write what the lines above name: good networks and surfaces, and what is no such thing."""
    shutil.copy(kept_problem.__file__, "nets.py")
    for seed, name in enumerate("abc"):
        kept_problem.train(Path(name), seed)
    for name in ("plane", "line", "seeds", "curvature", "similarity", "walk"):
        WRITERS[name](Path(f"{name}.h5"))
    WRITERS["predictions"](Path("groups.h5"))
    weights = torch.load("a.pt", weights_only=True)
    first = next(iter(weights))
    torch.save({"words": "only"}, "words.pt")
    torch.save({name: each for name, each in weights.items() if name != first}, "fewer.pt")
    torch.save(weights | {"8.weight": torch.zeros(2)}, "more.pt")
    torch.save(weights | {first: weights[first] * float("nan")}, "nan.pt")
    torch.save({"model": weights, "ema": weights}, "two.pt")
    torch.save(weights | {first: torch.zeros(2, 3)}, "other.pt")
    Path("cut.pt").write_bytes(Path("a.pt").read_bytes()[:700])
    Path("empty.pt").write_bytes(b"")
    Path("page.pt").write_text("<!doctype html><html><body>404</body></html>")
    Path("thesis.h5").write_text("chapter one")
    Path("broken.py").write_text("def network(:\n")
    Path("broken.toml").write_text("[data\n")
    Path("empty.toml").write_text("")
    Path("unknown.toml").write_text('title = "a"\nquestion = "b"\nseed = [1]\n')
    np.savez("empty.npz", x=np.zeros((0, 1, 8, 8)), y=np.zeros(0, dtype=int))
    np.savez("unequal.npz", x=np.zeros((3, 1, 8, 8)), y=np.zeros(2, dtype=int))
    np.savez("strings.npz", x=np.array(["a", "b"]), y=np.zeros(2, dtype=int))
    Path("nothing").mkdir()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all of that."""
    folder = tmp_path_factory.mktemp("refused")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fill()
    return folder


def written(folder: Path) -> list[Path]:
    """Return all files but what Python makes of modules that it imports."""
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_done_is_refused_in_the_same_words(kind, place, monkeypatch, capsys, pytestconfig):
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.setattr(films, "draw_frame", lambda *frame: pytest.fail("a film, which takes minutes, was begun"))
    before = written(place)
    found = {}
    for line in filter(None, (each.strip() for each in REFUSED[kind].splitlines())):
        try:
            code = main(shlex.split(line))
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        assert code in (1, 2), line
        assert captured.out == "", line
        # Newer versions of Python name choices without quotation marks.
        told = re.sub(r"\(choose from .*?\)", lambda choices: choices[0].replace("'", ""), captured.err)
        found[line.replace(f" {PROBLEM}", " …")] = [code, told.replace(f"{place}/", "").splitlines()]
    assert written(place) == before
    assert_kept(f"said/refused-{kind}", steady(found), write=pytestconfig.getoption("keep"))

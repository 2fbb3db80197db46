"""Words of files and users on their way into pictures."""

from __future__ import annotations

from landscape.plot.style.wording import LONGEST_NAME, plain_text, short_name, without_folders


def test_names_beside_marks_are_short_and_told_apart_by_both_ends() -> None:
    assert [short_name(name) for name in ("epoch10.pt", "net.best.pt", ".hidden", "a" * 24)] == [
        "epoch10",
        "net",
        ".hidden",
        "a" * 24,
    ]
    long = [f"a_network_of_a_very_long_name_{end}.pt" for end in ("seed_one", "seed_two")]
    assert [short_name(name) for name in long] == ["a_network_of_a_…seed_one", "a_network_of_a_…seed_two"]
    assert all(len(short_name(name)) == LONGEST_NAME for name in long)


def test_folders_are_cut_from_what_others_may_read_and_nothing_else_is() -> None:
    cut = {
        "made by /home/ada/my/net.pt today": "made by net.pt today",
        "--data='npz:/home/ada l/x.npz' 1/2": "--data='npz:x.npz' 1/2",
        '--data="/home/ada l/x.npz"': '--data="x.npz"',
        "runs/a.pt and ./b.pt": "runs/a.pt and ./b.pt",
    }
    assert {text: without_folders(text) for text in cut} == cut
    assert plain_text("one\n\ttwo\u202e\x07 three") == "one two three"

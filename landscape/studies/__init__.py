"""Studies: variants x seeds, trained and measured by tasks with files, and a verdict on what was expected.

Knows all rooms below it, and renderers. Is given a study (a TOML file or values of `study`); hands on a folder with
tasks, numbers, pictures and a report.
"""

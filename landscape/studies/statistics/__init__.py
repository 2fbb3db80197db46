"""From numbers of variants and seeds to intervals, verdicts and how many seeds a question takes.

Knows numbers and what was expected; nothing of networks or files. Is given values by variant and seed; hands on
intervals, p-values and a `Verdict`.
"""

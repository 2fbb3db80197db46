"""How a study's networks are trained: the built-in recipe, and what can be asked of it.

Knows torch and a `Recipe`; nothing of variants or hypotheses. Is given a recipe, a seed and data; hands on a folder
with weights, tables and what was recorded on the way.
"""

"""The loop: what to measure next, measure, record, resume, refine.

Knows everything above it: surfaces, ranks, files, problems, planes, the engine. Is given a model, data and a plane;
hands on a `Surface`, in memory and in a file that a killed run continues.
"""

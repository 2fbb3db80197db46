"""What ``landscape demo`` computes: two small networks trained on shipped digits, and the loss around them.

Knows the public rooms above it. Is given a folder; hands on surfaces and what training said of itself.
"""

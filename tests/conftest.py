"""Tiny seeded models and data, in float64 unless a test says otherwise."""

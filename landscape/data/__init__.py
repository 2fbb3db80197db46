"""Data that ship with the package: 8 x 8 handwritten digits, in ``digits.npz`` (README.md says whose)."""

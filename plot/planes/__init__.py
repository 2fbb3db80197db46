"""Two-dimensional pictures: contours and heat maps.

Knows the shared scale and style. Is given surfaces of two axes; hands on matplotlib axes.
"""

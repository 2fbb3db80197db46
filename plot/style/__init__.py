"""Words, fonts, captions, colour bars, the geometry of a page.

Knows what a surface says of itself, not how it is drawn. Is given a surface; hands on text and placed axes.
"""

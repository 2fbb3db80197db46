"""The commands that show what was measured: ``plot``, ``view``, ``info`` and ``export``.

Knows files of any kind and `landscape.plot`, and measures nothing. Is given files; hands on pictures, films, a page,
tables, and other formats.
"""

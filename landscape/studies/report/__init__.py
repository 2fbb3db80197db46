"""What a study found: its numbers together, and the report that shows them.

Knows tasks that are done and renderers. Is given their folders; hands on verdicts, ``index.html``, pictures and tables.
A picture that cannot be drawn is named in its place.
"""

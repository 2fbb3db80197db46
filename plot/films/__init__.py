"""Films: a camera's flight, or pictures one after another.

Knows frames of the other rooms. Is given surfaces; hands on mp4, webm, gif and webp files.
"""

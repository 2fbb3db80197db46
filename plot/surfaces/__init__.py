"""Three-dimensional stills and meshes, drawn by our own height-field renderer.

Knows the shared scale and a camera. Is given surfaces of two axes; hands on pictures, axes and mesh files.
"""

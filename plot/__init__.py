"""Renderers of surfaces: lines, contours, heat maps, 3D stills. They see a Surface, never torch."""

"""One sentence about the point: a slope, a saddle, or what could not be told apart; never more than was shown."""

from __future__ import annotations

import math
from dataclasses import replace

from landscape.surface.reports.curvature import Curvature

# The gradient is more than its sampling error explains when its square is so many times that error's.
_SLOPE = 4.0


def verdict(report: Curvature) -> Curvature:
    """Return a report with its verdict.

    A Ritz value whose residual keeps it below 0 certifies a direction of negative curvature for these samples; values
    that are not negative certify nothing, since eigenvalues between them were not computed.
    """
    return replace(report, verdict=_said(report))


def _said(report: Curvature) -> str:
    spectrum = report.raw
    noise = report.gradient_noise
    least, residual = spectrum.least_eigenvalue, float(spectrum.residuals[-1])
    sloping = math.isfinite(noise) and report.gradient_norm**2 > _SLOPE * noise**2
    negative = least + residual < 0
    curved = (
        f"the Hessian has a negative eigenvalue, {least:.3g} with residual {residual:.2g}, for these "
        f"{report.samples:,} samples"
        if negative
        else f"no negative curvature was found in {spectrum.products} products, which does not show that there is none"
    )
    slope = f"gradient {report.gradient_norm:.3g}, its sampling error {noise:.2g}"
    if sloping:
        return f"Slope: not a stationary point ({slope}); {curved}."
    if negative:
        stationary = (
            f"stationary within its sampling error ({slope})" if math.isfinite(noise) else "stationarity unknown"
        )
        return f"Saddle: {curved}; {stationary}."
    if math.isnan(noise):
        return f"Not resolved: one batch tells no error of the gradient ({report.gradient_norm:.3g}); {curved}."
    return f"Not resolved between minimum and saddle: stationary within sampling error ({slope}); {curved}."

/**
 * Ways through a scene, as functions of time from 0 to 1: the same as in `plot/films/flights.py`, so that a film and the page agree.
 */

// Azimuth relative to the first view, and elevation: low along the surface, over its top, and back.
const TOUR = [[0, 34], [60, 16], [130, 30], [200, 68], [290, 40], [360, 34]];

/** @param {FlightName} name @param {number} t @param {{azimuth: number, elevation: number}} from @returns {Moment} */
export function flight(name, t, { azimuth, elevation }) {
  if (name === "orbit") return { azimuth: azimuth + 360 * t, elevation, step: 1, frame: 0 };
  if (name === "path") return { azimuth: azimuth - 35 + 70 * smooth(t), elevation, step: Math.min(1, t / 0.9), frame: 0 };
  if (name === "epochs") return { azimuth: azimuth - 20 + 40 * smooth(t), elevation, step: 1, frame: t };
  const [turn, rise] = spline(t);
  return { azimuth: azimuth + turn, elevation: rise, step: 1, frame: 0 };
}

/** @param {number} t  starts and ends at rest */
export function smooth(t) {
  return t * t * (3 - 2 * t);
}

/**
 * Catmull and Rom's spline through the tour, at rest at both ends.
 * @param {number} t
 */
function spline(t) {
  const place = smooth(t) * (TOUR.length - 1), k = Math.min(TOUR.length - 2, Math.floor(place)), u = place - k;
  const [a, b, c, d] = [k - 1, k, k + 1, k + 2].map((n) => TOUR[Math.min(TOUR.length - 1, Math.max(0, n))]);
  return [0, 1].map((n) =>
    0.5 * (2 * b[n] + (c[n] - a[n]) * u + (2 * a[n] - 5 * b[n] + 4 * c[n] - d[n]) * u * u +
      (3 * b[n] - a[n] - 3 * c[n] + d[n]) * u * u * u));
}

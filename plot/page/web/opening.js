/**
 * From where a surface with a run is first seen: most of the run in sight, within a pleasant range of angles. The same
 * rule as in `plot/surfaces/opening.py`; a fixture holds both to it.
 */
import { isVisible } from "./field.js";
import { FIRST_EYE, View } from "./view.js";

const TURNS = [0, 12, 24, 36, 48, 60, 75], RISES = [34, 42, 50];
// A share of the run that a degree away from the paper's view has to bring into sight.
const TURN_COST = 0.0008, RISE_COST = 0.004;
const SAMPLES = 60;

/**
 * The eye that sees the most of all runs; the paper's view where there is none.
 * @param {{figure: Figure | null, paths: Draped[]}[]} panes
 */
export function openingEye(panes) {
  const seen = panes.flatMap(({ figure, paths }) => (figure ? paths.map(({ points }) => ({ figure, points: thinned(points) })) : []));
  let best = /** @type {Eye} */ ({ ...FIRST_EYE }), most = -Infinity;
  if (!seen.some(({ points }) => points.length)) return best;
  for (const rise of RISES) {
    for (const turn of TURNS.flatMap((each) => (each ? [each, -each] : [each]))) {
      const eye = { ...FIRST_EYE, azimuth: FIRST_EYE.azimuth + turn, elevation: rise };
      const score = shareSeen(seen, eye) - TURN_COST * Math.abs(turn) - RISE_COST * (rise - FIRST_EYE.elevation);
      if (score > most) [best, most] = [eye, score];
    }
  }
  return best;
}

/** @param {{figure: Figure, points: Point[]}[]} runs @param {Eye} eye */
export function shareSeen(runs, eye) {
  let all = 0, seen = 0;
  for (const { figure: { frame, field }, points } of runs) {
    const view = new View(eye, 100, 100, { half: frame.half, top: frame.top, margin: { left: 0, right: 0, top: 0, bottom: 0 } });
    all += points.length;
    seen += points.filter((point) => isVisible(field, view, point)).length;
  }
  return seen / all;
}

/** Points in equal distances along a run: what is seen is counted in length. @param {number[]} points @returns {Point[]} */
export function thinned(points) {
  const ends = [0];
  for (let k = 0; k < points.length; k += 6) {
    ends.push(ends[k / 6] + Math.hypot(points[k + 3] - points[k], points[k + 4] - points[k + 1], points[k + 5] - points[k + 2]));
  }
  const total = ends[ends.length - 1], found = /** @type {Point[]} */ ([]);
  for (let k = 0, n = 0; k < points.length && n < SAMPLES; k += 6) {
    for (; n < SAMPLES && (total * (n + 0.5)) / SAMPLES <= ends[k / 6 + 1]; n++) {
      found.push([points[k + 3], points[k + 4], points[k + 5]]);
    }
  }
  return found;
}

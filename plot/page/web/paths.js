/**
 * Trajectories: laid over the drawn surface, with drop lines from the true loss.
 *
 * An iterate lies beside the plane; the surface below its projection has another loss than it had. The line on the
 * surface is therefore where the path passes, not how high it was: the drop lines show that.
 */
import { heightAt, toScene, valueAt } from "./field.js";
import { median } from "./scale.js";
import { RUNS, mixed } from "./theme.js";

/** @param {Figure} figure @returns {Draped[]} */
export function drapePaths(figure) {
  return figure.surface.paths.map((path, run) => drape(path, figure, RUNS[run % RUNS.length]));
}

/** @param {Path} path @param {Figure} figure @param {{pale: number[], full: number[]}} hue @returns {Draped} */
function drape(path, figure, hue) {
  const { field } = figure;
  const places = Array.from(path.x, (x, k) => toScene(figure, x, path.y[k]));
  const cell = Math.min((field.x[field.nx - 1] - field.x[0]) / field.nx, (field.y[field.ny - 1] - field.y[0]) / field.ny);
  const last = Math.max(1, places.length - 1);
  /** @type {number[]} */ const points = [];
  /** @type {number[]} */ const colors = [];
  const upTo = [0];
  for (let k = 1; k < places.length; k++) {
    if (path.unordered) {
      upTo.push(0); // no path leads through samples
      continue;
    }
    const [x0, y0] = places[k - 1], dx = places[k][0] - x0, dy = places[k][1] - y0;
    const pieces = Math.min(2000, Math.max(1, Math.ceil(Math.hypot(dx, dy) / (0.7 * cell))));
    let before = null;
    for (let n = 0; n <= pieces; n++) {
      const x = x0 + (dx * n) / pieces, y = y0 + (dy * n) / pieces;
      const z = heightAt(field, x, y);
      const color = mixed(hue.pale, hue.full, (k - 1 + n / pieces) / last);
      const here = Number.isFinite(z) ? { at: [x, y, z], color } : null;
      if (before && here) {
        points.push(...before.at, ...here.at);
        colors.push(...before.color, ...here.color);
      }
      before = here;
    }
    upTo.push(points.length / 6);
  }
  const stops = places.map(([x, y]) => {
    const z = heightAt(field, x, y);
    return Number.isFinite(z) ? /** @type {Point} */ ([x, y, z]) : null;
  });
  const outside = stops.filter((stop) => !stop).length;
  return { path, points, colors, upTo, stops, outside, ...trueHeights(path, figure, stops) };
}

/**
 * @param {Path} path @param {Figure} figure @param {Draped["stops"]} stops
 * @returns {{truth: (number | null)[], gap: number | null}}
 */
function trueHeights(path, figure, stops) {
  const { field } = figure, scale = figure.scales.height;
  /** @type {number[]} */
  const gaps = [];
  const truth = stops.map((stop, k) => {
    const { own, below } = lossesAt(path, figure, k);
    if (!stop || !Number.isFinite(own)) return null;
    if (Number.isFinite(below)) gaps.push(Math.abs(own - below));
    return ((scale.forward(own) - scale.bottom) / (scale.top - scale.bottom)) * field.top;
  });
  return { truth, gap: gaps.length ? median(Float64Array.from(gaps).sort()) : null };
}

/**
 * A run's own value at one of its points, and the plane's at its coordinates; NaN where not known.
 * @param {Path} path @param {Figure} figure @param {number} k
 */
export function lossesAt(path, { surface, height }, k) {
  const below = path.below[height.name]?.[k] ?? valueAt(surface, height.values, path.x[k], path.y[k]);
  return { own: path.own[height.name]?.[k] ?? NaN, below };
}

/**
 * All steps at which anything was recorded, increasing; null where the runs do not count the same thing.
 * @param {Path[]} paths @returns {number[] | null}
 */
export function momentsOf(paths) {
  if (new Set(paths.map((path) => path.unit)).size > 1) return null;
  return [...new Set(paths.flatMap((path) => path.step))].sort((a, b) => a - b);
}

/**
 * How many iterates of a path are passed at this part of all moments: those of the same step in every run, so that
 * runs of different lengths keep their pace. Counted in iterates where steps cannot be compared.
 * @param {Path} path @param {number[] | null} moments @param {number} part
 */
export function passedOf(path, moments, part) {
  const last = path.step.length - 1;
  if (!moments || part >= 1) return Math.round(part * last);
  const now = moments[Math.round(part * (moments.length - 1))];
  return Math.max(0, path.step.findLastIndex((step) => step <= now));
}

/**
 * Segments from the surface to the true loss, for the iterates passed so far; long paths get one in so many.
 * @param {Draped} draped @param {number} passed
 */
export function dropSegments({ stops, truth }, passed) {
  const every = Math.max(1, Math.ceil(stops.length / 80));
  return stops.flatMap((stop, k) => {
    const high = truth[k];
    return stop && high !== null && k <= passed && k % every === 0 ? [...stop, stop[0], stop[1], high] : [];
  });
}

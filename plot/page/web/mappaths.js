/** Runs on the map: the same points as on the surface, seen from above. */
import { line, runMarks } from "./marks.js";
import { css, runColor } from "./theme.js";

/**
 * @param {Context} context @param {Place} place @param {Draped[]} paths
 * @param {number[]} passed  iterates passed so far, for each path
 */
export function drawMapPaths(context, place, paths, passed) {
  context.save();
  context.beginPath();
  context.rect(place.left, place.top, place.width, place.height);
  context.clip();
  context.lineCap = context.lineJoin = "round";
  paths.forEach((draped, run) => {
    stroke(context, place, draped, draped.upTo[passed[run]], 3.4, true);
    stroke(context, place, draped, draped.upTo[passed[run]], 1.9, false);
    runMarks(context, draped, passed[run], css(runColor(run)), ([x, y]) => place.toPixel(x, y), () => true);
  });
  context.restore();
}

/**
 * @param {Context} context @param {Place} place @param {Draped} draped
 * @param {number} count  segments
 * @param {number} width @param {boolean} casing
 */
function stroke(context, place, { points, colors }, count, width, casing) {
  context.lineWidth = width;
  for (let k = 0; k < 6 * count; k += 6) {
    context.strokeStyle = casing ? "#fff" : css(colors.slice(k, k + 3));
    line(context, ...place.toPixel(points[k], points[k + 1]), ...place.toPixel(points[k + 3], points[k + 4]));
  }
}

/** Where a run begins and ends, in the scene. @param {Draped} draped @returns {[number, number][]} */
export function pathEnds({ points }) {
  const last = points.length - 3;
  return points.length ? [[points[0], points[1]], [points[last], points[last + 1]]] : [];
}

/**
 * Runs on the map: the same points as on the surface, seen from above.
 *
 * @typedef {import("./paths.js").Draped} Draped
 * @typedef {import("./map.js").Place} Place
 */
import { ring, star, tick } from "./marks.js";

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Place} place
 * @param {Draped[]} paths
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
    const { stops, path } = draped;
    if (stops[0]) ring(context, ...place.toPixel(stops[0][0], stops[0][1]), 3.5);
    for (const drop of path.drops) {
      const stop = drop <= passed[run] ? stops[drop] : null;
      if (stop) tick(context, ...place.toPixel(stop[0], stop[1]));
    }
    const now = stops[passed[run]];
    if (now) star(context, ...place.toPixel(now[0], now[1]), 6);
  });
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Place} place
 * @param {Draped} draped
 * @param {number} count  segments
 * @param {number} width
 * @param {boolean} casing
 */
function stroke(context, place, { points, colors }, count, width, casing) {
  context.lineWidth = width;
  for (let k = 0; k < 6 * count; k += 6) {
    const [r, g, b] = [colors[k], colors[k + 1], colors[k + 2]].map((each) => Math.round(255 * each));
    context.strokeStyle = casing ? "#fff" : `rgb(${r} ${g} ${b})`;
    context.beginPath();
    context.moveTo(...place.toPixel(points[k], points[k + 1]));
    context.lineTo(...place.toPixel(points[k + 3], points[k + 4]));
    context.stroke();
  }
}

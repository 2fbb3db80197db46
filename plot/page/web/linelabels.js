/** Values written on the iso-lines of a map: every second level, where its line is straightest. */
import { FONT } from "./theme.js";

const SIZE = 9.5;

/**
 * @param {Context} context @param {{level: number, line: [number, number][], closed: boolean}[]} lines
 * @param {string[]} texts @param {{left: number, top: number, width: number, height: number}} place
 * @param {[number, number, number][]} marks  what no value may lie on: place and reach, in pixels
 */
export function labelLines(context, lines, texts, place, marks) {
  context.font = `600 ${SIZE}px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  /** @type {[number, number, number][]} */
  const taken = [...marks];
  const longest = [...lines].sort((a, b) => b.line.length - a.line.length);
  const done = new Set();
  for (const { level, line } of longest) {
    if (level % 2 || done.has(level)) continue;
    const wide = context.measureText(texts[level]).width + 6;
    const spot = straightest(line, wide, place, taken);
    if (!spot) continue;
    done.add(level);
    taken.push([spot.x, spot.y, wide / 2]);
    context.save();
    context.translate(spot.x, spot.y);
    context.rotate(spot.angle);
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = "rgb(255 255 255 / 0.85)";
    context.strokeText(texts[level], 0, 0.5);
    context.fillStyle = "#14181c";
    context.fillText(texts[level], 0, 0.5);
    context.restore();
  }
}

/**
 * Where a text of some width fits best on a line: chord nearly as long as the way along it, inside, and free.
 * @param {[number, number][]} line @param {number} wide
 * @param {{left: number, top: number, width: number, height: number}} place @param {[number, number, number][]} taken
 */
function straightest(line, wide, place, taken) {
  const along = [0];
  for (let k = 1; k < line.length; k++) {
    along.push(along[k - 1] + Math.hypot(line[k][0] - line[k - 1][0], line[k][1] - line[k - 1][1]));
  }
  const total = along[along.length - 1];
  // On a loop not much longer than the text, the text would be all there is to see.
  if (total < 3 * wide) return null;
  let best = null, most = 0.93;
  const tries = Math.min(60, Math.floor(total / 6));
  for (let n = 0, start = 0, end = 0; n < tries; n++) {
    const from = ((total - wide) * n) / tries;
    while (along[start + 1] < from) start++;
    end = Math.max(end, start);
    while (end < line.length - 1 && along[end] < from + wide) end++;
    const [a, b] = [line[start], line[end]];
    const straight = Math.hypot(b[0] - a[0], b[1] - a[1]) / Math.max(along[end] - along[start], 1e-9);
    const x = (a[0] + b[0]) / 2, y = (a[1] + b[1]) / 2, half = wide / 2;
    const inside = x > place.left + half && x < place.left + place.width - half &&
      y > place.top + SIZE && y < place.top + place.height - SIZE;
    const free = taken.every(([tx, ty, reach]) => Math.hypot(tx - x, ty - y) > reach + half + 4);
    if (straight > most && inside && free) {
      most = straight;
      let angle = Math.atan2(b[1] - a[1], b[0] - a[0]);
      if (Math.abs(angle) > Math.PI / 2) angle -= Math.sign(angle) * Math.PI;
      best = { x, y, angle };
    }
  }
  return best;
}

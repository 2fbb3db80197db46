/** The colours and their values; exact, whatever light does to the surface. */
import { line } from "./marks.js";
import { FONT } from "./theme.js";

/**
 * Upright where there is more height than width, lying otherwise.
 * @param {Context} context @param {Scales} scales @param {Box} box @param {Theme} theme
 */
export function drawBar(context, { colour, colors }, box, theme) {
  const upright = box.height >= box.width, thick = upright ? 12 : 9;
  const long = upright ? Math.max(40, Math.min(340, box.height - 60)) : box.width - 32;
  const left = box.left + (upright ? 6 : 16), top = box.top + (upright ? (box.height - long) / 2 : 18);
  const place = (/** @type {number} */ part, /** @type {number} */ across) => /** @type {[number, number]} */ (
    upright ? [left + across, top + long * (1 - part)] : [left + long * part, top + across]);
  for (let k = 0; k < long; k++) {
    context.fillStyle = colorAt(colors, (k + 0.5) / long);
    const [x, y] = place((k + 0.5) / long, 0);
    context.fillRect(x - (upright ? 0 : 0.5), y - (upright ? 0.5 : 0), upright ? thick : 1.5, upright ? 1.5 : thick);
  }
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  context.strokeRect(left, top, upright ? thick : long, upright ? long : thick);
  context.font = `11px ${FONT}`;
  [context.textAlign, context.textBaseline] = upright ? ["left", "middle"] : ["center", "top"];
  context.fillStyle = theme.soft;
  let last = -Infinity, reach = 0;
  for (const tick of colour.ticks) {
    const part = colour.normalized(tick), text = colour.text(tick), wide = context.measureText(text).width, [x] = place(part, 0);
    line(context, ...place(part, thick), ...place(part, thick + 4));
    if (!upright && (x - wide / 2 < Math.max(last + 6, box.left + 2) || x + wide / 2 > box.left + box.width)) continue;
    context.fillText(text, ...place(part, thick + (upright ? 7 : 5)));
    [last, reach] = [x + wide / 2, Math.max(reach, wide)];
  }
  context.save();
  if (upright) {
    context.translate(Math.min(left + thick + reach + 22, box.left + box.width - 8), top + long / 2);
    context.rotate(-Math.PI / 2);
  } else context.translate(left, box.top + 8);
  context.font = `12px ${FONT}`;
  context.fillStyle = theme.ink;
  [context.textAlign, context.textBaseline] = [upright ? "center" : "left", "middle"];
  context.fillText(colour.axisLabel(), 0, 0, upright ? box.height - 10 : long);
  context.restore();
}

/** @param {Uint8Array} colors @param {number} part */
function colorAt(colors, part) {
  const k = 4 * Math.min(255, Math.max(0, Math.round(part * 255)));
  return `rgb(${colors[k]} ${colors[k + 1]} ${colors[k + 2]})`;
}

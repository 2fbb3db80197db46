/**
 * The colours and their values; exact, whatever light does to the surface.
 *
 * @typedef {import("./figure.js").Scales} Scales
 * @typedef {import("./theme.js").Theme} Theme
 */
import { FONT } from "./theme.js";

/**
 * Upright where there is more height than width, lying otherwise.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Scales} scales
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {Theme} theme
 */
export function drawBar(context, scales, box, theme) {
  if (box.height >= box.width) upright(context, scales, box, theme);
  else lying(context, scales, box, theme);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scales} scales
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {Theme} theme
 */
function upright(context, { colour, colors }, box, theme) {
  const wide = 12, tall = Math.max(40, Math.min(340, box.height - 60)), left = box.left + 6;
  const top = box.top + (box.height - tall) / 2;
  for (let y = 0; y < tall; y++) {
    context.fillStyle = colorAt(colors, 1 - (y + 0.5) / tall);
    context.fillRect(left, top + y, wide, 1.5);
  }
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  context.strokeRect(left, top, wide, tall);
  context.font = `11px ${FONT}`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillStyle = theme.soft;
  let reach = 0;
  for (const tick of colour.ticks) {
    const y = top + tall * (1 - colour.normalized(tick)), text = colour.text(tick);
    stroke(context, left + wide, y, left + wide + 4, y);
    context.fillText(text, left + wide + 7, y);
    reach = Math.max(reach, context.measureText(text).width);
  }
  context.save();
  context.translate(Math.min(left + wide + reach + 22, box.left + box.width - 8), top + tall / 2);
  context.rotate(-Math.PI / 2);
  context.font = `12px ${FONT}`;
  context.fillStyle = theme.ink;
  context.textAlign = "center";
  context.fillText(colour.axisLabel(), 0, 0, box.height - 10);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scales} scales
 * @param {{left: number, top: number, width: number, height: number}} box
 * @param {Theme} theme
 */
function lying(context, { colour, colors }, box, theme) {
  const wide = box.width - 32, left = box.left + 16, top = box.top + 18;
  for (let x = 0; x < wide; x++) {
    context.fillStyle = colorAt(colors, (x + 0.5) / wide);
    context.fillRect(left + x, top, 1.5, 9);
  }
  context.strokeStyle = theme.line;
  context.lineWidth = 1;
  context.strokeRect(left, top, wide, 9);
  context.font = `11px ${FONT}`;
  context.textAlign = "center";
  context.textBaseline = "top";
  context.fillStyle = theme.soft;
  let last = -Infinity;
  for (const tick of colour.ticks) {
    const x = left + wide * colour.normalized(tick), text = colour.text(tick);
    stroke(context, x, top + 9, x, top + 12);
    const half = context.measureText(text).width / 2;
    if (x - half < last + 6 || x - half < box.left || x + half > box.left + box.width) continue;
    context.fillText(text, x, top + 14);
    last = x + half;
  }
  context.font = `12px ${FONT}`;
  context.fillStyle = theme.ink;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.fillText(colour.axisLabel(), left, box.top + 8, wide);
}

/**
 * @param {Uint8Array} colors
 * @param {number} part
 */
function colorAt(colors, part) {
  const k = 4 * Math.min(255, Math.max(0, Math.round(part * 255)));
  return `rgb(${colors[k]} ${colors[k + 1]} ${colors[k + 2]})`;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x0
 * @param {number} y0
 * @param {number} x1
 * @param {number} y1
 */
function stroke(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

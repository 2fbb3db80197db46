/** What has to be said beside a picture, and what somebody hears who does not see it. */
import { numberText } from "./levels.js";
import { networkSentence } from "./networks.js";
import { quantityLabel, valueText } from "./quantity.js";
import { spokenName, spokenPlace } from "./readout.js";
import { boxOf } from "./view.js";

/**
 * Short notes under a pane's title: values at the checkpoint, then all that the picture does not show.
 * @param {Figure | null} figure
 * @param {boolean} independent  whether this pane's scale is its own
 * @param {boolean} isDifference @returns {string[]}
 */
export function notesOf(figure, independent, isDifference) {
  if (!figure) return [isDifference ? "a difference needs equal grids and values that both have" : "no such values here"];
  const { surface, counts, scales, field } = figure;
  const notes = isDifference ? [] : originNotes(originOf(surface));
  const of = ` of ${counts.points}`;
  if (surface.record.unfinished) notes.push(`unfinished: ${surface.record.unfinished}`);
  if (counts.missing) notes.push(`${counts.missing}${of} not computed`);
  if (counts.strange) notes.push(`${counts.strange}${of} not finite`);
  if (counts.capped) notes.push(`${counts.capped}${of} above ${scales.height.text(scales.height.cap ?? 0)}`);
  if (counts.interpolated) notes.push(`${counts.interpolated}${of} interpolated`);
  if (counts.open) notes.push(`${counts.open}${of} ratios left open by residuals, hatched`);
  if (field.factor > 1) notes.push(`smoothed ×${field.factor} from ${surface.nx} × ${surface.ny} points`);
  if (independent) notes.push("scale of its own");
  if (!boxOf(surface.x, surface.y).toScale) notes.push("axes not to scale");
  if (scales.problem) notes.push(scales.problem);
  return notes;
}

/**
 * Values at the checkpoint: as recorded, or else those of the grid's own point there.
 * @param {Figure["surface"]} surface @returns {Record<string, number>}
 */
function originOf({ record, values, x, y, nx, state }) {
  if (!record.centred) return {};
  if (Object.keys(record.origin).length) return record.origin;
  const i = x.indexOf(0), j = y.indexOf(0), k = j * nx + i;
  if (i < 0 || j < 0 || state[k] !== 1) return {};
  return Object.fromEntries(Object.entries(values).map(([name, array]) => [name, array[k]]).filter(([, value]) => Number.isFinite(value)));
}

/** @param {Record<string, number>} origin */
function originNotes(origin) {
  const notes = [];
  const text = (/** @type {string} */ name) => valueText(origin[name], name.endsWith("accuracy"), 3);
  for (const [name, label] of [["train/loss", "loss"], ["test/loss", "test loss"], ["train/accuracy", "accuracy"], ["test/accuracy", "test accuracy"]]) {
    if (name in origin) notes.push(`${label} ${text(name)}`);
  }
  return notes;
}

/** @param {Figure} figure @param {Record<string, string>} labels */
export function describe({ surface, height, best, counts, scales }, labels) {
  const { nx, ny, x, y } = surface, what = quantityLabel(height.name, labels);
  const value = (/** @type {number} */ v) => valueText(v, scales.height.percent, 4);
  const corner = (/** @type {number} */ k) => value(height.values[k]);
  const [first, second] = surface.record.axes.map(spokenName);
  const parts = [
    `${what} on ${nx} by ${ny} points, ${first} from ${numberText(x[0])} to ${numberText(x[nx - 1])}, ${second} from ${numberText(y[0])} to ${numberText(y[ny - 1])}.`,
    best ? `The ${best.word} is ${value(best.value)} at ${spokenPlace(surface, best.k % nx, Math.floor(best.k / nx))}.` : "",
    networkSentence(surface, spokenName),
    `The corners are ${corner(0)}, ${corner(nx - 1)}, ${corner(nx * (ny - 1))} and ${corner(nx * ny - 1)}.`,
    counts.strange + counts.missing ? `${counts.strange} points are not finite and ${counts.missing} were not computed.` : "",
    counts.interpolated ? `${counts.interpolated} points are interpolated, not measured.` : "",
    counts.open ? `Residuals leave the ratio at ${counts.open} points open; they are hatched.` : "",
    surface.record.unfinished ? `The run is unfinished: ${surface.record.unfinished}.` : "",
  ];
  return parts.filter(Boolean).join(" ");
}

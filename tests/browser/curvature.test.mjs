/** Spectra: values among their bins, as on a logarithmic axis on both sides of 0 and linear about 0; what is drawn of them. */
import assert from "node:assert/strict";
import test from "node:test";
import { hasCurvature, makeCurvature, placeAmong } from "../../plot/page/web/curvature.js";
import { css } from "../../plot/page/web/theme.js";
import { callsOf } from "./drawn.mjs";
import { browser, frames, named, whole } from "./whole.mjs";

const EDGES = [-100, -10, -1, 1, 10, 100];

test("an edge stands at its number, and the middle of a bin is its geometric mean", () => {
  EDGES.forEach((edge, k) => assert.ok(Math.abs(placeAmong(EDGES, edge) - k) < 1e-12, `${edge}`));
  assert.ok(Math.abs(placeAmong(EDGES, Math.sqrt(1000)) - 4.5) < 1e-12);
  assert.ok(Math.abs(placeAmong(EDGES, -Math.sqrt(1000)) - 0.5) < 1e-12);
  assert.equal(placeAmong(EDGES, 0), 2.5);
  assert.equal(placeAmong(EDGES, -0.5), 2.25);
});

test("what lies beyond the bins stands at their ends", () => {
  assert.equal(placeAmong(EDGES, 1e9), 5);
  assert.equal(placeAmong(EDGES, -1e9), 0);
});

const SPECTRUM = { title: "raw", edges: EDGES, counts: [0, 0.2, 5, 40, 1], errors: [0, 0, 1, 4, 0.5], eigenvalues: [50, 3, -5], converged: [true, true, false] };
const REPORT = { title: "train", verdict: "Saddle.", rows: [["greatest", "9", "0.9"]], facts: ["Of 500 samples."], slice: [["x", "2", "3", "40 %"]], left: 0, layers: [], spectra: [SPECTRUM] };

/** A page whose panel of curvature is open, and what is drawn on the canvas of its first spectrum. @param {any} [spectrum] @param {any[][]} [panes] */
function drawnOf(spectrum = {}, panes = [[named("a", {}, { curvature: [{ ...REPORT, spectra: [{ ...SPECTRUM, ...spectrum }] }] })]]) {
  browser();
  const app = whole(panes, { start: { drawer: "curvature" } }), panel = /** @type {any} */ (makeCurvature(app));
  frames();
  const context = panel.all.find((/** @type {any} */ each) => each.tag === "canvas")?.context;
  if (context) context.calls.length = 0;
  app.redraw("tops");
  frames();
  return { app, panel, context };
}

// The chart's room in a canvas of 300 x 320; all five bins are drawn, up to twice the greatest count with its error.
const toX = (/** @type {number} */ place) => 30 + (place / 5) * 264;
const toY = (/** @type {number} */ count) => 300 - (Math.log(count / 0.3) / Math.log(88 / 0.3)) * 290;
const near = (/** @type {number[]} */ got, /** @type {number[]} */ wanted) => got.forEach((value, k) => assert.ok(Math.abs(value - wanted[k]) < 1e-9, `${got} is not ${wanted}`));

test("a bin that holds anything has a bar as high as its count, with its error, and one of less than the floor has none", () => {
  const { context } = drawnOf(), bars = callsOf(context, "fillRect").slice(1), fills = callsOf(context, "set").filter(([name, value]) => name === "fillStyle" && /\/ 0\.3/.test(value)).map(([, value]) => value);
  assert.deepEqual(fills, Array(3).fill(["rgb(0 114 178 / 0.35)", "rgb(0 114 178 / 0.3)"]).flat());
  assert.equal(bars.length, 6);
  for (const [n, [k, count, error]] of [[2, 5, 1], [3, 40, 4], [4, 1, 0.5]].entries()) {
    near(bars[2 * n], [toX(k), toY(count), 264 / 5, 300 - toY(count)]);
    const from = callsOf(context, "moveTo").findIndex(([x, y]) => x === toX(k) && Math.abs(y - toY(count)) < 1e-9);
    near(callsOf(context, "lineTo")[from], [toX(k + 1), toY(count)]);
    near(bars[2 * n + 1], [toX(k), toY(count + error), 264 / 5, toY(count - error) - toY(count + error)]);
  }
});

test("eigenvalues are marked above their places, those that did not converge in grey, and both axes have their numbers", () => {
  const { app, context } = drawnOf(), /** @type {any[]} */ marks = [], /** @type {any[]} */ texts = [];
  let color = "", align = "", from = [0, 0];
  for (const [kind, ...args] of context.calls) {
    if (kind === "set" && args[0] === "strokeStyle") color = args[1];
    if (kind === "set" && args[0] === "textAlign") align = args[1];
    if (kind === "moveTo") from = args;
    if (kind === "lineTo" && from[1] === 2 && args[1] === 10) marks.push([args[0], color]);
    if (kind === "fillText") texts.push([args[0], args[1], args[2], align]);
  }
  near(marks.map(([x]) => x), [50, 3, -5].map((value) => toX(placeAmong(EDGES, value))));
  assert.ok(marks[0][1] === marks[1][1] && marks[2][1] !== marks[0][1]);
  const below = texts.filter(([, , y]) => y === 305), beside = texts.filter(([, x]) => x === 26);
  assert.deepEqual(below.map(([text]) => text), ["−10", "−1", "0", "1", "10"], "those at the ends would leave the picture");
  near(below.map(([, x]) => x), [1, 2, 2.5, 3, 4].map(toX));
  assert.deepEqual(beside.map(([text]) => text), ["1", "10"]);
  near(beside.map(([, , y]) => y), [1, 10].map(toY));
  const grid = css(app.theme.gridTint), lines = callsOf(context, "set").filter(([name, value]) => name === "strokeStyle" && value === grid);
  assert.equal(lines.length, 2);
  assert.deepEqual([below[0][3], beside[0][3]], ["center", "right"]);
  const from30 = callsOf(context, "moveTo").findIndex(([x, y]) => x === 30 && y === 300);
  assert.deepEqual(callsOf(context, "lineTo")[from30], [294, 300], "the axis");
  for (const [, x] of below) assert.ok(callsOf(context, "moveTo").some(([a, b]) => a === x && b === 300) && callsOf(context, "lineTo").some(([a, b]) => a === x && b === 303));
});

test("only bins that hold something, and one more on each side, are drawn", () => {
  const { context } = drawnOf({ counts: [0, 0, 0, 40, 0], eigenvalues: [3], converged: [true] }), [bar] = callsOf(context, "fillRect").slice(1);
  near(bar, [30 + 264 / 3, bar[1], 264 / 3, bar[3]]);
});

test("the panel is made again for other surfaces and frames, drawn in their theme, and not at every turn of a camera", () => {
  const report = (/** @type {string} */ title) => ({ curvature: [{ ...REPORT, title }] });
  const { app, panel } = drawnOf({}, [[named("a", {}, report("first")), named("a", {}, report("second"))]]);
  assert.ok(hasCurvature(app) && panel.text.includes("first|Saddle."), panel.text);
  for (const each of ["greatest|9|0.9", "This plane, by products and by its values||products|surface|below it|x|2|3|40 %", "Of 500 samples."]) assert.ok(panel.text.includes(each), panel.text);
  const [kept] = panel.children, canvas = panel.all.find((/** @type {any} */ each) => each.tag === "canvas");
  canvas.context.calls.length = 0;
  app.store.set({ theme: "dark", eyes: [{ ...app.eyeOf(0), azimuth: 3 }] });
  frames();
  assert.equal(panel.children[0], kept);
  assert.ok(callsOf(canvas.context, "set").some(([name, value]) => name === "fillStyle" && value === app.theme.soft), "in the colours of the dark");
  app.store.set({ frame: 1 });
  assert.ok(panel.text.includes("second|Saddle."), panel.text);
  canvas.context.calls.length = 0;
  app.store.set({ drawer: "" });
  frames();
  assert.equal(canvas.context.calls.length, 0);
});

test("where nothing is known of curvature there is no button for it, and of a map there is one that goes back", () => {
  const none = drawnOf({}, [[named("a")]]);
  assert.deepEqual([hasCurvature(none.app), none.panel.text], [false, "No report of curvature came with these surfaces."]);
  browser();
  const given = named("a"), app = whole([[{ ...given, values: { ...given.values, "train/convexity": given.values["train/loss"] } }]], { start: { drawer: "curvature", colour: "test/loss" } });
  const button = /** @type {any} */ (makeCurvature(app)).with("data-colour", "train/convexity");
  assert.equal(button.textContent, "Colour by train/convexity");
  for (const [colour, text] of [["train/convexity", "Colours: back to those before"], ["test/loss", "Colour by train/convexity"]]) {
    button.say("click");
    assert.deepEqual([app.state.colour, button.textContent], [colour, text]);
  }
});

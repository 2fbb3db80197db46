/** The profile along a line: where its values, ticks, marks and texts stand, and what is read under the pointer. */
import assert from "node:assert/strict";
import test from "node:test";
import { makeSection } from "../../plot/page/web/section.js";
import { callsOf } from "./drawn.mjs";
import { browser, frames, named, whole } from "./whole.mjs";

// The chart's room in a canvas of 300 x 320.
const LEFT = 58, RIGHT = 284, TOP = 20, BOTTOM = 286;
const at = (/** @type {number} */ part) => LEFT + part * (RIGHT - LEFT);
const close = (/** @type {number} */ got, /** @type {number} */ wanted, tolerance = 1e-6) => assert.ok(Math.abs(got - wanted) < tolerance, `${got} is not ${wanted}`);

/** A page with a section along its lower row, whose values are 5, 4, 3 at thirds. @param {any} [start] @param {any[][]} [panes] @param {number} [wide] */
function charted(start = {}, panes = [[named("a")]], wide = 300) {
  browser();
  const app = whole(panes, { start: { kind: "linear", section: [-1, -1, 1, -1], ...start } });
  const element = /** @type {any} */ (makeSection(app)), canvas = element.with("role", "img");
  canvas.clientWidth = wide;
  frames();
  const { calls } = canvas.context;
  const redrawn = (/** @type {() => void} */ change) => {
    calls.length = 0;
    change();
    frames();
    return canvas.context;
  };
  return { app, element, canvas, context: canvas.context, redrawn, place: element.with("class", "place"), legend: element.with("class", "legend") };
}

/** Lines that were stroked: their style, dashes and points. @param {any} context */
function strokes(context) {
  /** @type {{style: string, dash: string, points: any[][]}[]} */ const found = [];
  let style = "", dash = "";
  for (const [kind, ...args] of context.calls) {
    if (kind === "set" && args[0] === "strokeStyle") style = args[1];
    if (kind === "setLineDash") dash = String(args[0]);
    if (kind === "beginPath") found.push({ style, dash, points: [] });
    if (kind === "moveTo" || kind === "lineTo") found.at(-1)?.points.push([kind, ...args]);
  }
  return found.filter(({ points }) => points.length);
}

test("values stand at their part of the way and at their height among the ticks, the test set's dashed", () => {
  const { context, app } = charted(), profiles = strokes(context).filter(({ points }) => points.length === 401);
  assert.deepEqual(profiles.map(({ dash }) => dash), ["", "6,4"]);
  const [train, other] = profiles.map(({ points }) => points), heights = (/** @type {number} */ value) => BOTTOM - ((value - 3) / 7) * (BOTTOM - TOP);
  for (const [n, value] of [[0, 5], [200, 4], [300, 3.5], [400, 3]]) {
    close(train[n][1], at(n / 400));
    close(train[n][2], heights(value));
    close(other[n][2], heights(2 * value));
  }
  assert.equal(train[0][0], "moveTo");
  const texts = callsOf(context, "fillText"), scale = app.scales[0].height;
  const values = texts.filter(([, x]) => x === LEFT - 7);
  assert.ok(values.length >= 1 && values.every(([text, , y]) => Math.abs(y - heights(Number(text))) < 1e-6 && y >= TOP && y <= BOTTOM), JSON.stringify(values));
  assert.equal(values.length, scale.ticks.filter((/** @type {number} */ tick) => tick >= 3 && tick <= 10).length);
  const grid = strokes(context).map((each) => each.points).filter(([[, x, y], [, x1, y1] = []]) => x === LEFT && x1 === RIGHT && y === y1).map(([[, , y]]) => y);
  assert.deepEqual(grid, [...values.map(([, , y]) => y), BOTTOM], "a line at each value, and the axis");
  const ticks = texts.filter(([, , y]) => y === BOTTOM + 6).map(([text, x]) => [Number(text.replace("−", "-")), x]);
  assert.ok(ticks.length >= 5);
  for (const [value, x] of ticks) close(x, at((value + 1) / 2));
  assert.ok(texts.some(([text]) => text === scale.axisLabel()));
  const lines = strokes(context).map(({ points }) => points.map(([, ...xy]) => xy));
  for (const [, x] of ticks) assert.ok(lines.some(([from, to]) => from[0] === x && from[1] === BOTTOM && to[1] === BOTTOM + 4), "a tick under each text");
});

test("heights are those of the scale", () => {
  const { app, context } = charted({ kind: "log", eps: 0.5 }), [{ points }] = strokes(context).filter((each) => each.points.length === 401), scale = app.scales[0].height;
  for (const [n, value] of [[0, 5], [200, 4], [400, 3]]) close(points[n][2], BOTTOM - ((scale.forward(value) - scale.forward(3)) / (scale.forward(10) - scale.forward(3))) * (BOTTOM - TOP));
  const values = callsOf(context, "fillText").filter(([, x]) => x === LEFT - 7);
  for (const [text, , y] of values) close(y, BOTTOM - ((scale.forward(Number(text)) - scale.forward(3)) / (scale.forward(10) - scale.forward(3))) * (BOTTOM - TOP));
});

test("each text stands as its place asks: ticks about theirs, the ends of the line within the chart", () => {
  const { app, context } = charted({}, undefined, 900);
  let align = "", fill = "";
  const found = /** @type {Record<string, any>} */ ({});
  for (const [kind, ...args] of context.calls) {
    if (kind === "set" && args[0] === "textAlign") align = args[1];
    if (kind === "set" && args[0] === "fillStyle") fill = args[1];
    if (kind === "fillText") found[args[0]] = { align, fill, x: args[1], y: args[2] };
  }
  const { soft, ink } = app.theme;
  assert.deepEqual(["10", "0.5", "A: PC 1 −1, β −1", "training loss"].map((text) => found[text]?.fill), [soft, soft, ink, ink]);
  assert.deepEqual(["0.5", "A: PC 1 −1, β −1", "B: PC 1 1, β −1", "PC 1 (90 %)", "training loss"].map((text) => found[text]?.align), ["center", "left", "right", "center", "left"], Object.keys(found).join());
  assert.deepEqual([found["A: PC 1 −1, β −1"].x, found["B: PC 1 1, β −1"].x], [LEFT, 884]);
  for (const [wide, name] of /** @type {[number, string][]} */ ([[300, "PC 1 (90 %)"], [130, "PC 1"]])) {
    const narrow = callsOf(charted({}, undefined, wide).context, "fillText").map(([text]) => text);
    assert.ok(["A", "B", name].every((text) => narrow.includes(text)), narrow.join());
  }
  const upright = callsOf(charted({ section: [0, -1, 0.5, 2] }, undefined, 900).context, "fillText").map(([text]) => text);
  assert.ok(upright.includes("β") && upright.includes("A: PC 1 0, β −1"), upright.join());
});

test("nothing is drawn across a hole, and where nothing is known that is said", () => {
  const { app, context, redrawn, canvas, legend } = charted({ section: [-1, 2, 2, 2] }), [points] = strokes(context).map((each) => each.points).filter((each) => each.length > 100);
  assert.ok(points.filter(([kind]) => kind === "moveTo").length === 2 && points.length < 300 && points.every(([, , y]) => Number.isFinite(y)));
  assert.equal(legend.children.length, 2);
  const said = callsOf(redrawn(() => app.store.set({ section: [0, 2, 0, 2] })), "fillText");
  assert.deepEqual(said.map(([text]) => text), ["nothing finite was measured along this line"]);
  assert.equal(canvas.attributes["aria-label"], "Nothing finite was measured along this line.");
  assert.equal(legend.children.length, 0);
});

test("under the pointer the place and all values are read, and beside the chart nothing", () => {
  const { canvas, redrawn, place } = charted({}, [[named("a")], [named("b")]]);
  const hovered = redrawn(() => canvas.say("pointermove", { offsetX: at(0.75), offsetY: 100 }));
  assert.equal(place.textContent, "PC 1 0.5, β −1; a, training loss 3.5; test loss 7; b, training loss 3.5; test loss 7");
  assert.deepEqual(callsOf(hovered, "arc").map(([x]) => x), Array(4).fill(at(0.75)));
  const [first] = callsOf(hovered, "arc");
  close(first[1], BOTTOM - (0.5 / 7) * (BOTTOM - TOP));
  assert.ok(strokes(hovered).some(({ points: [[, x, y], [, x1, y1] = []] }) => x === at(0.75) && x1 === x && Math.min(y, y1) === TOP && Math.max(y, y1) === BOTTOM));
  for (const offsetX of [LEFT - 3, RIGHT + 3]) {
    canvas.say("pointermove", { offsetX, offsetY: 100 });
    assert.equal(place.textContent, "");
    canvas.say("pointermove", { offsetX: at(0), offsetY: 100 });
    assert.ok(place.textContent.startsWith("PC 1 −1, "));
  }
  canvas.say("pointermove", { offsetX: at(1), offsetY: 100 });
  assert.ok(place.textContent.startsWith("PC 1 1, "));
  canvas.say("pointerleave");
  assert.equal(place.textContent, "");
});

test("who does not see the chart hears its ends and its extremes, and a legend tells its lines apart", () => {
  const { canvas, legend } = charted({ section: [-1, -1, -1, 0] });
  assert.equal(canvas.attributes["aria-label"], "a, training loss: 5 at A, 2 at B, at least 2, at most 5. test loss: 10 at A, 4 at B, at least 4, at most 10");
  assert.deepEqual(legend.children.map((/** @type {any} */ each) => [each.text, each.children[0].attributes.class]), [["|a, training loss", ""], ["|test loss", "dashed"]]);
});

test("networks on the line have a mark at their values and a name at the top, the checkpoint a star", () => {
  const { context } = charted({ section: [-1, 0, 2, 0] }, [[named("a", {}, { networks: [{ name: "b.pt", short: "b", x: 1, y: 0 }] })]]);
  const names = callsOf(context, "strokeText").map(([text, x]) => [text, x]);
  assert.deepEqual(names.map(([text]) => text), ["a", "b"]);
  names.forEach(([, x], k) => close(x, at((k + 1) / 3) + 9));
  const marks = strokes(context).filter(({ points }) => points.every(([kind]) => kind === "lineTo")).map(({ points }) => [points.length, points.reduce((sum, [, x]) => sum + x, 0) / points.length, points.reduce((sum, [, , y]) => sum + y, 0) / points.length]);
  assert.deepEqual(marks.map(([count]) => count), [10, 4]);
  // From 0.5 to 14, the test set's at the end: 1 at the checkpoint, 0.5 at the other.
  [[1 / 3, 1], [2 / 3, 0.5]].forEach(([part, value], k) => {
    close(marks[k][1], at(part));
    // The lowest of the samples of the line is a little higher than its lowest point.
    close(marks[k][2], BOTTOM - ((value - 0.5) / 13.5) * (BOTTOM - TOP), 0.1);
  });
});

test("a section is there while there is a line, and its button takes it away", () => {
  const { app, element } = charted();
  assert.equal(element.hidden, false);
  element.with("aria-label", "Close the section").say("click");
  assert.deepEqual([app.state.section, element.hidden], [null, true]);
});

/** How marks, axes, names and cross-hairs are drawn: in which order, on what, and where they stand. */
import assert from "node:assert/strict";
import test from "node:test";
import { drawAxes } from "../../plot/page/web/axes.js";
import { drawCursor, drawMapCursor } from "../../plot/page/web/cursor.js";
import { simplified } from "../../plot/page/web/contours.js";
import { labelLines } from "../../plot/page/web/linelabels.js";
import { drawMap, drawMarks, placeMap } from "../../plot/page/web/map.js";
import { cased, diamond, disc, ring, star, tick } from "../../plot/page/web/marks.js";
import { drawNetworks, mapNetworks, sectionNetworks } from "../../plot/page/web/networks.js";
import { PaneView } from "../../plot/page/web/pane.js";
import { themeOf } from "../../plot/page/web/theme.js";
import { GAP, View } from "../../plot/page/web/view.js";
import { STATE, callsOf, figure, isBalanced, recorder, surface } from "./drawn.mjs";

const close = (/** @type {number} */ got, /** @type {number} */ wanted, tolerance = 1e-9) => assert.ok(Math.abs(got - wanted) <= tolerance, `${got} is not ${wanted}`);
const LIGHT = themeOf("light"), DARK = themeOf("dark");
const MARGIN = { left: 48, right: 22, top: 10, bottom: 38 };
const viewOf = (/** @type {any} */ made, /** @type {number} */ azimuth, /** @type {number} */ elevation, wide = 600) =>
  new View({ azimuth, elevation, zoom: 1, panX: 0, panY: 0 }, wide, 400, { half: made.frame.half, top: made.frame.top, margin: MARGIN });

/** What was stroked and filled, each with the style it had then; what was saved is restored. @param {any} context */
function painted(context) {
  assert.ok(isBalanced(context), "what was saved is restored, and nothing else");
  const now = /** @type {Record<string, any>} */ ({}), /** @type {any[]} */ found = [];
  let dash = "";
  for (const [kind, ...args] of context.calls) {
    if (kind === "set") now[args[0]] = args[1];
    if (kind === "setLineDash") dash = String(args[0]);
    if (kind === "restore") dash = "";
    if (kind === "beginPath") now.points = [];
    if (kind === "moveTo" || kind === "lineTo") now.points?.push(args);
    if (["stroke", "fill", "fillText", "strokeText", "strokeRect", "fillRect"].includes(kind)) found.push({ kind, args, ...now, points: [...(now.points ?? [])], dash });
  }
  return found;
}

test("a mark in two colours has the wide one below, and each mark its own ground and edge", () => {
  const styles = (/** @type {(context: any) => void} */ draw) => {
    const context = recorder();
    draw(context);
    return painted(context).map(({ kind, strokeStyle, fillStyle, lineWidth }) => (kind === "fill" ? [kind, fillStyle] : [kind, strokeStyle, lineWidth]));
  };
  assert.deepEqual(styles((context) => ring(context, 1, 2, 3)), [["stroke", "#000", 2.6], ["stroke", "#fff", 1.3]]);
  assert.deepEqual(styles((context) => cased(context, [["a", 2], ["b", 1]], () => {})), [["stroke", "a", 2], ["stroke", "b", 1]]);
  assert.deepEqual(styles((context) => star(context, 1, 2, 3)), [["fill", "#fff"], ["stroke", "#000", 0.8]]);
  assert.deepEqual(styles((context) => star(context, 1, 2, 3, "red")), [["fill", "red"], ["stroke", "#fff", 0.8]]);
  assert.deepEqual(styles((context) => diamond(context, 1, 2, 3)), [["fill", "#fff"], ["stroke", "#000", 1.1]]);
  assert.deepEqual(styles((context) => disc(context, 1, 2, 3, "red", "blue", 2)), [["fill", "red"], ["stroke", "blue", 2]]);
});

test("a star points upwards, a diamond has four corners, and a fall of the rate is a square on its corner", () => {
  const corners = (/** @type {(context: any) => void} */ draw) => {
    const context = recorder();
    draw(context);
    return callsOf(context, "lineTo");
  };
  const points = corners((context) => star(context, 10, 20, 5));
  close(points[0][0], 10);
  close(points[0][1], 15);
  points.forEach(([x, y], k) => close(Math.hypot(x - 10, y - 20), k % 2 ? 2.1 : 5));
  assert.deepEqual(corners((context) => diamond(context, 10, 20, 5)), [[10, 15], [15, 20], [10, 25], [5, 20]]);
  const context = recorder();
  tick(/** @type {any} */ (context), 10, 20);
  assert.deepEqual([callsOf(context, "translate"), callsOf(context, "rotate"), callsOf(context, "fillRect"), callsOf(context, "strokeRect")], [[[10, 20]], [[Math.PI / 4]], [[-2.2, -2.2, 4.4, 4.4]], [[-2.2, -2.2, 4.4, 4.4]]]);
});

test("texts over a surface have the ground's colour around them, drawn first", () => {
  const made = figure(), axes = recorder(), names = recorder(), values = recorder(), line = Array.from({ length: 101 }, (_, k) => /** @type {[number, number]} */ ([20 + 3 * k, 100]));
  drawAxes(/** @type {any} */ (axes), viewOf(made, -52, 34), made.frame, LIGHT);
  sectionNetworks(/** @type {any} */ (names), [{ text: "b", x: 40 }], { left: 0, right: 300, top: 5, bottom: 90 }, LIGHT);
  labelLines(/** @type {any} */ (values), [{ level: 0, line, closed: false }], ["0.5"], { left: 0, top: 0, width: 400, height: 200 }, []);
  const net = recorder(), given = surface();
  given.record.networks = [{ name: "b.pt", short: "b", x: 1, y: 0 }];
  mapNetworks(/** @type {any} */ (net), figure(STATE, given), placeMap(made, 400, 400));
  for (const [context, texts] of /** @type {[any, string[]][]} */ ([[net, ["a", "b"]], [axes, ["PC 1 (90 %)", "β", "training loss", "−1", "2"]], [names, ["b"]], [values, ["0.5"]]])) {
    const all = painted(context);
    for (const text of texts) {
      const [below, above] = ["strokeText", "fillText"].map((kind) => all.findIndex((each) => each.kind === kind && each.args[0] === text));
      assert.ok(below >= 0 && below < above, text);
      assert.ok(all[below].lineWidth >= 3, text);
      assert.deepEqual(all[below].args.slice(1, 3), all[above].args.slice(1, 3));
      assert.notEqual(all[below].strokeStyle, all[above].fillStyle);
    }
  }
});

/** Axes from somewhere: lines, and texts with their places. @param {any} made @param {number} azimuth @param {number} elevation @param {number} [wide] */
function axesOf(made, azimuth, elevation, wide) {
  const context = recorder(), view = viewOf(made, azimuth, elevation, wide);
  drawAxes(/** @type {any} */ (context), view, made.frame, LIGHT);
  const lines = painted(context).filter(({ kind }) => kind === "stroke").map(({ points }) => points);
  const texts = callsOf(context, "fillText").map(([text, x, y]) => ({ text, x, y }));
  return { view, lines, texts, starts: lines.map(([[x, y]]) => [x, y]) };
}
const has = (/** @type {number[][]} */ list, /** @type {number[]} */ [x, y]) => list.some(([a, b]) => Math.hypot(a - x, b - y) < 1e-6);

test("titles are in ink and numbers softer, lines in their own colour, in the dark as in the light", () => {
  for (const theme of [LIGHT, DARK]) {
    const made = figure(), context = recorder();
    drawAxes(/** @type {any} */ (context), viewOf(made, -52, 34), made.frame, theme);
    const all = painted(context), colour = (/** @type {string} */ text) => all.filter(({ kind, args }) => kind === "fillText" && args[0] === text).map(({ fillStyle }) => fillStyle);
    for (const text of ["PC 1 (90 %)", "β", "training loss"]) assert.deepEqual(colour(text), [theme.ink], text);
    for (const text of [...made.frame.x, ...made.frame.y, ...made.frame.z].map((each) => each.text)) assert.ok(colour(text).every((each) => each === theme.soft), text);
    assert.ok(all.filter(({ kind, points }) => kind === "stroke" && points.length === 2).every(({ lineWidth }) => lineWidth <= 3));
  }
});

test("ticks stand on the edges of the floor that are nearest to the eye, with their numbers outwards", () => {
  const made = figure(), { frame } = made, [hx, hy] = frame.half;
  for (const [azimuth, nearX, nearY] of [[-52, hx, -hy], [30, hx, hy], [140, -hx, hy], [-130, -hx, -hy]]) {
    const { view, starts, texts } = axesOf(made, azimuth, 34);
    for (const { at, text } of frame.x) {
      const foot = view.project([at, nearY, -GAP]);
      assert.ok(has(starts, foot), `${azimuth}: x ${text}`);
    }
    for (const { at, text } of frame.y) assert.ok(has(starts, view.project([nearX, at, -GAP])), `${azimuth}: y ${text}`);
    // Outwards: further from the middle of the floor than the tick's foot.
    const [cx, cy] = view.project([0, 0, -GAP]);
    for (const { at, text } of frame.x) {
      const [fx, fy] = view.project([at, nearY, -GAP]), own = texts.filter((each) => each.text === text && Math.hypot(each.x - fx, each.y - fy) < 40);
      assert.ok(own.some(({ x, y }) => (x - fx) * (fx - cx) + (y - fy) * (fy - cy) > 0 && y > fy), `${azimuth}: ${text}`);
    }
  }
});

test("the axis of heights stands at the corner furthest to the left, with its numbers at their heights beside it", () => {
  const made = figure(), { frame } = made, [hx, hy] = frame.half;
  for (const azimuth of [-52, 30, 140, -130]) {
    const { view, lines, texts } = axesOf(made, azimuth, 34);
    const [cx, cy] = [[-hx, -hy], [hx, -hy], [hx, hy], [-hx, hy]].sort((a, b) => view.project([...a, 0])[0] - view.project([...b, 0])[0])[0];
    const low = view.project([cx, cy, 0]), high = view.project([cx, cy, frame.top]);
    assert.ok(lines.some(([a, b]) => has([a], low) && has([b], high)), `${azimuth}`);
    for (const { at, text } of frame.z) {
      const [x, y] = view.project([cx, cy, at]);
      assert.ok(lines.some(([a, b]) => has([a], [x, y]) && has([b], [x - 5, y])), text);
      assert.ok(texts.some((each) => each.text === text && each.x === x - 8 && each.y === y) || frame.z.some((other) => other.text !== text && Math.abs(view.project([cx, cy, other.at])[1] - y) < 13), text);
    }
    assert.ok(texts.some(({ text, x, y }) => text === frame.zTitle && y <= high[1] && x >= 4));
  }
  // Forty of them, in a picture of 400 pixels: as many are written as have room.
  const many = Array.from({ length: 40 }, (_, k) => ({ at: (k / 39) * frame.top, text: `z${k}` }));
  const beside = axesOf({ ...made, frame: { ...frame, z: many } }, -52, 3).texts.filter(({ text }) => text.startsWith("z")).map(({ y }) => y);
  assert.ok(beside.length > 8 && beside.length < 30, `${beside.length}`);
  beside.slice(1).forEach((y, k) => assert.ok(beside[k] - y >= 12.9, "numbers keep off each other"));
});

test("from high above the axes stand around the top and none of heights is left; the floor's at a low angle", () => {
  const made = figure(), { frame } = made, [hx, hy] = frame.half;
  for (const [elevation, above] of /** @type {[number, boolean][]} */ ([[60, false], [68, false], [71, true], [90, true]])) {
    const { view, lines, starts, texts } = axesOf(made, -52, elevation), base = above ? frame.top : -GAP;
    assert.ok(has(starts, view.project([frame.x[0].at, -hy, base])), `${elevation}`);
    assert.equal(texts.some(({ text }) => text === frame.zTitle), !above);
    const corners = [[-hx, -hy], [hx, -hy], [hx, hy], [-hx, hy]].map(([x, y]) => view.project([x, y, frame.top]));
    assert.equal(corners.every((corner, k) => lines.some(([a, b]) => has([a], corner) && has([b], corners[(k + 1) % 4]))), above);
  }
});

test("an axis has its full title where there is room, its name where there is little, and none where it is seen end on", () => {
  const made = figure(), words = (/** @type {number} */ azimuth, /** @type {number} */ elevation, /** @type {number} */ wide) => axesOf(made, azimuth, elevation, wide).texts.map(({ text }) => text);
  assert.ok(words(-52, 34, 600).includes("PC 1 (90 %)") && words(-52, 34, 519).includes("PC 1") && words(-52, 34, 520).includes("PC 1 (90 %)"));
  assert.ok(words(-90, 0, 600).includes("PC 1 (90 %)") && !words(-90, 0, 600).includes("β"));
  for (const wide of [300, 420, 600]) {
    for (const { text, x } of axesOf(made, -52, 34, wide).texts.filter(({ text }) => ["PC 1", "PC 1 (90 %)", "β"].includes(text))) assert.ok(x - 3 * text.length >= 0 && x + 3 * text.length <= wide, `${text} leaves a picture of ${wide}`);
  }
});

test("where ticks stand close only every so many has its number", () => {
  const made = figure(), many = Array.from({ length: 41 }, (_, k) => ({ at: -1 + k / 20, text: `t${k}` }));
  const { texts } = axesOf({ ...made, frame: { ...made.frame, x: many } }, -90, 34), shown = texts.filter(({ text }) => text.startsWith("t") && text !== "training loss");
  assert.ok(shown.length > 5 && shown.length < 41);
  shown.slice(1).forEach(({ x }, k) => assert.ok(x - shown[k].x >= 25));
});

test("a line keeps each point that is further from it than the slack, whichever it is", () => {
  const corner = (/** @type {number} */ which) => Float64Array.from({ length: 20 }, (_, k) => (k % 2 ? (k >> 1 === which ? 0.5 : 0) : k >> 1));
  for (let which = 1; which < 9; which++) assert.ok(simplified(corner(which), 0.1).includes(0.5), `${which}`);
  assert.deepEqual(simplified(corner(4), 0.6), [0, 0, 9, 0]);
  // A loop comes back to where it began.
  assert.equal(simplified(Float64Array.of(0, 0, 1, 0, 1, 1, 0, 1, 0, 0), 0.1).length, 10);
});

/** What is drawn of a map, with an image in the place of its colours. @param {any} made @param {any} [place] @param {any} [look] */
function mapped(made, place = placeMap(made, 400, 400), look = {}) {
  const canvas = recorder(), own = recorder();
  Object.assign(globalThis, { document: { createElement: () => ({ getContext: () => own }) } });
  drawMap(/** @type {any} */ (canvas), made, place, LIGHT, { lines: false, ratio: 1, ends: [], ...look });
  delete (/** @type {any} */ (globalThis).document);
  return { canvas, place };
}

test("a map too small to be seen is left out, and one without margins has no numbers", () => {
  const made = figure(), small = (/** @type {number} */ width, /** @type {number} */ height) => mapped(made, { ...placeMap(made, 400, 400), width, height }).canvas.calls.length;
  assert.deepEqual([small(4, 100), small(100, 4)], [0, 0]);
  assert.ok(small(8, 8) > 0);
  const { canvas, place } = mapped(made, placeMap(made, 149, 149));
  assert.deepEqual([callsOf(canvas, "fillText"), place.left < 20], [[], true]);
  const low = { ...placeMap(made, 400, 400), height: 100 };
  assert.deepEqual(painted(mapped(made, low).canvas).filter(({ kind }) => kind === "strokeRect").map(({ args, strokeStyle }) => [args, strokeStyle]), [[[low.left, low.top, low.width, 100], LIGHT.line]]);
  const wide = placeMap(made, 400, 200);
  assert.ok(wide.left >= 34 && wide.left + wide.width <= 392 && wide.top >= 6 && wide.top + wide.height <= 180);
  close(wide.left - 34, 400 - 8 - wide.left - wide.width);
});

test("numbers of a map stand under and beside their places, fewer where it is small", () => {
  const given = { ...surface(), y: Float64Array.of(-1, 0, 0.5) };
  for (const size of [400, 190]) {
    const made = figure(STATE, given), { canvas, place } = mapped(made, placeMap(made, size, size)), texts = callsOf(canvas, "fillText"), every = place.width < 200 ? 2 : 1;
    const wanted = [...made.frame.x.filter((_, k) => k % every === 0).map(({ at, text }) => [text, place.toPixel(at, 0)[0], null]), ...made.frame.y.filter((_, k) => k % every === 0).map(({ at, text }) => [text, null, place.toPixel(0, at)[1]])];
    assert.equal(texts.length, wanted.length);
    for (const [text, x, y] of wanted) assert.ok(texts.some(([each, px, py]) => each === text && (x === null ? px === place.left - 6 && Math.abs(py - y) < 1e-9 : Math.abs(px - x) < 1e-9 && py > place.top + place.height)), `${text} at ${size}`);
    for (const { at } of made.frame.x) assert.ok(callsOf(canvas, "moveTo").some(([px, py]) => Math.abs(px - place.toPixel(at, 0)[0]) < 1e-9 && py === place.top + place.height));
  }
});

test("what is open is hatched over its own cells, up to half-way to their neighbours", () => {
  const given = { ...surface(), open: { "train/loss": Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0) } }, made = figure(STATE, given), { canvas, place } = mapped(made);
  const half = (/** @type {any} */ axis, /** @type {number} */ k) => (axis[k] + axis[k + 1]) / 2, { x, y } = made.field;
  const rects = callsOf(canvas, "rect").slice(-2);
  const wanted = [[[half(x, 1), half(y, 0)], [half(x, 2), y[0]]], [[x[0], y[2]], [half(x, 0), half(y, 1)]]].map(([upper, lower]) => {
    const [[left, top], [right, bottom]] = [upper, lower].map(([a, b]) => place.toPixel(a, b));
    return [left, top, right - left, bottom - top];
  });
  rects.forEach((rect, k) => rect.forEach((/** @type {number} */ value, /** @type {number} */ n) => close(value, wanted[k][n])));
  assert.deepEqual(painted(canvas).filter(({ points, strokeStyle }) => points.length > 40 && strokeStyle !== LIGHT.strange && strokeStyle !== LIGHT.line).map(({ strokeStyle, lineWidth }) => [strokeStyle, lineWidth]), [["rgb(10 14 18 / 0.55)", 2.6], ["#fff", 1.2]]);
  const clips = (/** @type {any} */ open) => callsOf(mapped(figure({ ...STATE, cap: null }, { ...surface(), open })).canvas, "rect").length;
  assert.deepEqual([clips(given.open), clips({}), clips({ "test/loss": given.open["train/loss"] })], [3, 1, 1]);
});

test("iso-lines are drawn where they run, and their values keep off the star, the best point and the ends of runs", () => {
  const n = 21, axis = Float64Array.from({ length: n }, (_, k) => -1 + k / 10), loss = Float64Array.from({ length: n * n }, (_, k) => 1 + 3 * (axis[k % n] + 0.02 * axis[Math.floor(k / n)]));
  const given = { ...surface(), nx: n, ny: n, x: axis, y: axis, values: { "train/loss": loss }, stderr: {}, paired: {}, counts: {}, state: new Uint8Array(n * n).fill(1) };
  given.record.networks = [];
  const made = figure({ ...STATE, cap: null }, given), place = placeMap(made, 400, 400);
  const texts = (/** @type {any} */ figureOf, /** @type {[number, number][]} */ ends = []) => {
    const context = mapped(figureOf, place, { lines: true, ends }).canvas, spots = callsOf(context, "translate");
    return spots;
  };
  const line = painted(mapped(made, place, { lines: true }).canvas).filter(({ strokeStyle, points }) => strokeStyle === "rgb(10 14 18 / 0.62)" && points.length);
  assert.equal(line.length, made.lines.length);
  line.forEach(({ points: [[x, y]] }, k) => {
    const [wantedX, wantedY] = place.toPixel(made.lines[k].points[0], made.lines[k].points[1]);
    close(x, wantedX);
    close(y, wantedY);
  });
  const free = texts(made);
  assert.ok(free.length > 1);
  // Each of the places where a value stood is taken in turn, and none stands there any more.
  for (const [x, y] of free) {
    for (const [px, py] of texts(made, [place.toScene(x, y)])) assert.ok(Math.hypot(px - x, py - y) > 8, "the end of a run");
  }
  const shifted = (/** @type {number} */ px, /** @type {number} */ py) => {
    const [dx, dy] = place.toScene(px, py), moved = { ...given, x: axis.map((value) => value - dx), y: axis.map((value) => value - dy) };
    return texts(figure({ ...STATE, cap: null }, moved));
  };
  for (const [x, y] of free) for (const [px, py] of shifted(x, y)) assert.ok(Math.hypot(px - x, py - y) > 8, `the star at ${x}, ${y}`);
});

test("a cross-hair stands at its point on the map, from border to border, and leaves the point free", () => {
  const made = figure(), place = placeMap(made, 400, 400), context = recorder();
  drawMapCursor(/** @type {any} */ (context), made, place, /** @type {any} */ ({ section: null, pins: [] }), { i: 3, j: 1 });
  const [x, y] = place.toPixel(made.field.x[3], made.field.y[1]), [below, above] = painted(context);
  for (const { points } of [below, above]) assert.deepEqual(points, [[place.left, y], [x - 5, y], [x + 5, y], [place.left + place.width, y], [x, place.top], [x, y - 5], [x, y + 5], [x, place.top + place.height]]);
  assert.deepEqual([below.strokeStyle, above.strokeStyle], ["rgb(255 255 255 / 0.6)", "#111"]);
  assert.deepEqual(callsOf(context, "arc").map(([a, b]) => [a, b]), [[x, y]]);
});

test("the line of a section is drawn from end to end, dark on white, below the letters of its ends", () => {
  const made = figure(), place = placeMap(made, 400, 400), context = recorder();
  drawMapCursor(/** @type {any} */ (context), made, place, /** @type {any} */ ({ section: [-1, -1, 2, 2], pins: [] }), null);
  const strokes = painted(context).filter(({ kind, points }) => kind === "stroke" && points.length === 2);
  const ends = [place.toPixel(made.field.x[0], made.field.y[0]), place.toPixel(made.field.x[3], made.field.y[2])];
  assert.deepEqual(strokes.map(({ strokeStyle, lineWidth, points }) => [strokeStyle, lineWidth, points]), [["#fff", 3.4, ends], ["#111", 1.6, ends]]);
  assert.ok(context.calls.findIndex(([kind]) => kind === "fillText") > context.calls.findLastIndex(([kind]) => kind === "lineTo"));
});

test("dots on interpolated points are small, and smaller where points are many", () => {
  const size = (/** @type {number} */ width) => {
    const context = recorder(), made = figure();
    drawMarks(/** @type {any} */ (context), made, placeMap(made, width, width));
    return callsOf(context, "fillRect")[0][2];
  };
  assert.deepEqual([size(400), size(12)], [1.2, 0.5]);
  close(size(26), 16 / 4 / 5);
});

test("a value of an iso-line stands within the map, a line's height from its borders", () => {
  const place = { left: 20, top: 30, width: 200, height: 100 }, written = (/** @type {number} */ y, from = 30) => {
    const context = recorder(), line = Array.from({ length: 181 }, (_, k) => /** @type {[number, number]} */ ([from + k, y]));
    labelLines(/** @type {any} */ (context), [{ level: 0, line, closed: false }], ["0.25"], place, []);
    return callsOf(context, "translate").map(([x]) => x);
  };
  assert.deepEqual([39, 41, 119, 121].map((y) => written(y).length), [0, 1, 1, 0]);
  // Of a line that goes on beyond the border, only where the whole text has room.
  for (const [x] of [written(80, -100), written(80, 150)]) assert.ok(x - 15 >= 20 && x + 15 <= 220, `${x}`);
});

test("a cross-hair on a surface stands on the floor, on its grid lines and at its point; kept points have their flags", () => {
  const made = figure({ ...STATE, cap: 30 }), pane = Object.assign(Object.create(PaneView.prototype), { figure: made }), view = viewOf(made, -90, 34), { field, frame } = made;
  const drawn = (/** @type {any} */ cursor, /** @type {any[]} */ pins = [], theme = LIGHT) => {
    const context = recorder();
    drawCursor(/** @type {any} */ (context), pane, view, /** @type {any} */ ({ pins }), cursor, theme);
    return { context, all: painted(context) };
  };
  const { all, context } = drawn({ i: 2, j: 0 }), at = pane.pointOf({ i: 2, j: 0 }), [hx] = frame.half;
  const points = all.flatMap((each) => each.points.map((/** @type {number[]} */ point) => [...point, each.strokeStyle]));
  const reaches = (/** @type {number[]} */ place, /** @type {string} */ style) => points.some(([x, y, color]) => color === style && Math.hypot(x - view.project(place)[0], y - view.project(place)[1]) < 1e-6);
  const floor = "rgb(20 24 28 / 0.5)", top = "rgb(255 255 255 / 0.75)";
  assert.ok(reaches([-hx, field.y[0], -GAP], floor), "along the floor");
  assert.ok(reaches([field.x[0], field.y[0], field.z[0]], top) && reaches([field.x[2], field.y[1], field.z[6]], top), "both grid lines");
  assert.deepEqual(callsOf(context, "arc").map(([x, y]) => [x, y]), [view.project(at).slice(0, 2)]);
  assert.deepEqual(callsOf(drawn({ i: 1, j: 2 }).context, "arc"), [], "in a hole there is no point");
  assert.ok(drawn({ i: 2, j: 0 }, [], DARK).all.some(({ strokeStyle }) => strokeStyle === "rgb(255 255 255 / 0.55)"));
  const flags = drawn(null, [[0, -1], [9, 9], [0, 2], [2, 2]]).context, [x, y] = view.project(pane.pointOf({ i: 1, j: 0 }));
  const last = view.project(pane.pointOf({ i: 3, j: 2 }));
  const letters = painted(flags).filter(({ kind }) => kind === "fillText"), [pole] = painted(flags).filter(({ points }) => points.length === 2);
  assert.deepEqual(letters.map(({ textAlign, textBaseline, fillStyle }) => [textAlign, textBaseline, fillStyle]), Array(2).fill(["center", "middle", "#111"]));
  assert.deepEqual([pole.points, pole.strokeStyle, callsOf(flags, "arc")[0].slice(0, 3)], [[[x, y], [x, y - 16]], "#111", [x, y - 22, 8.5]]);
  assert.deepEqual(callsOf(flags, "fillText").map(([text, px, py]) => [text, px, py]), [["1", x, y - 21.5], ["4", last[0], last[1] - 21.5]]);
});

test("networks have diamonds at their places with their names, on the floor below a hole; the checkpoint only its name", () => {
  const given = surface();
  given.record.networks = [{ name: "b.pt", short: "b", x: 1, y: 0 }, { name: "h.pt", short: "h", x: 0.1, y: 1.9 }];
  const made = figure(STATE, given), { field } = made, view = viewOf(made, -90, 60), scene = recorder(), map = recorder(), place = placeMap(made, 400, 400);
  drawNetworks(/** @type {any} */ (scene), made, (at) => /** @type {[number, number]} */ (view.project(at).slice(0, 2)), ([x]) => x < 0.1);
  const middles = (/** @type {any} */ context) => painted(context).filter(({ kind, points }) => kind === "fill" && points.length === 4).map(({ points, dash }) => [(points[1][0] + points[3][0]) / 2, (points[0][1] + points[2][1]) / 2, dash]);
  const wanted = [[field.x[2], field.y[1], field.z[6]], [field.x[1] + 0.1 * (field.x[2] - field.x[1]), -1 + (2.9 * 2) / 3, -GAP]].map((at) => view.project(at));
  middles(scene).forEach(([x, y], k) => (close(x, wanted[k][0]), close(y, wanted[k][1])));
  const widths = (/** @type {any} */ context) => painted(context).filter(({ kind, points }) => kind === "fill" && points.length === 4).map(({ points }) => points[1][0] - points[3][0]);
  assert.ok(widths(scene).every((wide) => wide === 11), "about as large as a star");
  assert.deepEqual([middles(scene).length, callsOf(scene, "setLineDash").length], [2, 1]);
  assert.deepEqual(callsOf(scene, "fillText").map(([text]) => text), ["b", "h"], "the checkpoint is at a hole");
  const whole = recorder(), loss = given.values["train/loss"].slice();
  loss[9] = 3;
  drawNetworks(/** @type {any} */ (whole), figure(STATE, { ...given, values: { "train/loss": loss } }), (at) => /** @type {[number, number]} */ (view.project(at).slice(0, 2)), () => true);
  assert.deepEqual([middles(whole).length, callsOf(whole, "fillText").map(([text]) => text)], [2, ["a", "b", "h"]]);
  const across = recorder();
  sectionNetworks(/** @type {any} */ (across), [{ text: "late", x: 280 }, { text: "b", x: 40 }, { text: "over", x: 45 }, { text: "c", x: 75 }], { left: 0, right: 300, top: 5, bottom: 90 }, LIGHT);
  assert.deepEqual(callsOf(across, "fillText"), [["b", 49, 7], ["c", 84, 7], ["late", 280 - 9 - 24, 7]], "beside their lines, within the chart, and none over another");
  assert.deepEqual(painted(across).filter(({ dash }) => dash).map(({ points, strokeStyle }) => [points, strokeStyle]), [40, 45, 75, 280].map((at) => [[[at, 5], [at, 90]], LIGHT.line]));
  mapNetworks(/** @type {any} */ (map), made, place);
  assert.ok(widths(map).every((wide) => wide === 10));
  assert.deepEqual(middles(map)[0].slice(0, 2), place.toPixel(field.x[2], field.y[1]));
  assert.deepEqual(callsOf(map, "fillText").map(([text]) => text), ["a", "b", "h"]);
  const small = recorder();
  drawMarks(/** @type {any} */ (small), made, placeMap(made, 150, 150));
  assert.deepEqual(callsOf(small, "fillText"), []);
});

/** What is drawn where, read from a canvas that remembers it: maps, marks, colour bars, cursors. */
import assert from "node:assert/strict";
import test from "node:test";
import { drawBar } from "../../plot/page/web/colorbar.js";
import { isoLines } from "../../plot/page/web/contours.js";
import { drawMapCursor } from "../../plot/page/web/cursor.js";
import { drawMap, drawMarks, placeMap } from "../../plot/page/web/map.js";
import { labelLines } from "../../plot/page/web/linelabels.js";
import { drawMapPaths, pathEnds } from "../../plot/page/web/mappaths.js";
import { runMarks, seenThrough } from "../../plot/page/web/marks.js";
import { chooseScale } from "../../plot/page/web/scale.js";
import { RUNS, runColor } from "../../plot/page/web/theme.js";
import { STATE, callsOf, figure, isBalanced, recorder, surface } from "./drawn.mjs";

const THEME = /** @type {any} */ ({ dark: false, ink: "#000001", soft: "#000002", line: "#000003", missing: "#d0d0d0", strange: "#808080" });
const close = (/** @type {number} */ got, /** @type {number} */ wanted) => assert.ok(Math.abs(got - wanted) < 1e-9, `${got} is not ${wanted}`);

test("a map keeps the proportions of its axes, with y upwards, and a pointer finds back", () => {
  const made = figure(), place = placeMap(made, 400, 500);
  const [[x0, y0], [x1], [, y1]] = [[-1, -1], [2, -1], [-1, 2]].map(([x, y]) => place.toPixel(made.field.x[x < 0 ? 0 : 3], made.field.y[y < 0 ? 0 : 2]));
  close(x1 - x0, y0 - y1);
  assert.ok(y1 < y0 && y1 >= 0 && x1 <= 400);
  place.toScene(...place.toPixel(0.3, -0.2)).forEach((value, k) => close(value, [0.3, -0.2][k]));
  // Three times as wide as it is high, in the scene as on the map.
  const wide = figure(STATE, { ...surface(), y: Float64Array.of(-1, -0.5, 0) }), low = placeMap(wide, 400, 500);
  assert.deepEqual([...wide.field.x].map((each) => Math.round(9 * each)), [-9, -3, 3, 9]);
  [-1, 0, 1].forEach((each, k) => close(wide.field.y[k], each / 3));
  close(low.width, 3 * low.height);
  const ends = (/** @type {any[]} */ ticks) => [ticks[0].at, ticks[ticks.length - 1].at];
  [[-1, 1], [-1 / 3, 1 / 3]].forEach((axis, k) => axis.forEach((each, n) => close(ends(k ? wide.frame.y : wide.frame.x)[n], each)));
});

// A table whose red says how far up the scale a colour is.
const RED = Uint8Array.from({ length: 1024 }, (_, k) => (k % 4 === 3 ? 255 : k % 4 === 0 ? k >> 2 : 0));

/** The pixels of a map. @param {any} made @param {number} size @param {number} [tall] */
function pixels(made, size, tall = size) {
  const canvas = recorder(), own = recorder();
  const document = { createElement: () => ({ getContext: () => own }) };
  Object.assign(globalThis, { document });
  const place = { ...placeMap(made, size, size), height: placeMap(made, size, size).height * (tall / size) };
  drawMap(/** @type {any} */ (canvas), made, place, THEME, { lines: false, ratio: 2, ends: [] });
  delete (/** @type {any} */ (globalThis).document);
  const [[image]] = callsOf(own, "putImageData");
  assert.deepEqual([image.width, image.height], [place.width, place.height].map((side) => Math.round(2 * side)), "a sample for each pixel of the screen");
  assert.deepEqual(callsOf(canvas, "drawImage")[0].slice(1), [place.left, place.top, place.width, place.height]);
  const at = (/** @type {number} */ x, /** @type {number} */ y) => {
    const [px, py] = place.toPixel(x, y);
    const column = Math.min(image.width - 1, Math.floor(2 * (px - place.left))), row = Math.min(image.height - 1, Math.floor(2 * (py - place.top)));
    return Array.from(image.data.slice(4 * (row * image.width + column), 4 * (row * image.width + column) + 4));
  };
  return { canvas, at, place };
}

test("colours of a map are those of its places: what is missing, not finite and cut stands apart", () => {
  const made = figure();
  made.scales = { ...made.scales, colors: RED };
  const { canvas, at, place } = pixels(made, 300), { field } = made;
  for (const [text, x, y] of callsOf(canvas, "fillText")) assert.ok(text.length > 0 && (x < place.left - 3) !== (y > place.top + place.height + 3), `${text} at ${x}, ${y} is beside the map`);
  assert.ok(callsOf(canvas, "fillText").length >= made.frame.x.length + made.frame.y.length);
  for (const [i, j] of [[0, 0], [1, 0], [0, 1], [1, 1], [2, 1]]) {
    const inside = [[0, 0.01], [1, -0.01]].map(([, each]) => each)[i > 0 ? 1 : 0];
    const [red, , , alpha] = at(field.x[i] + inside, field.y[j] + (j ? -0.01 : 0.01));
    assert.ok(Math.abs(red - 255 * field.colour[j * 4 + i]) < 6, `${i}, ${j}: ${red}`);
    assert.equal(alpha, 255);
  }
  assert.deepEqual(at(field.x[3] - 0.01, field.y[0] + 0.01), [0xd0, 0xd0, 0xd0, 255]);
  assert.deepEqual(at(field.x[1] + 0.01, field.y[2] - 0.01), [0x80, 0x80, 0x80, 255]);
  assert.equal(at(field.x[2] + 0.01, field.y[2] - 0.01)[3], 0, "above the cap is white with strokes");
  const strokes = callsOf(canvas, "set").filter(([name, value]) => name === "globalCompositeOperation" && value === "destination-over").length;
  assert.equal(strokes, 1);
  pixels(made, 300, 200);
  const whole = figure({ ...STATE, cap: null });
  assert.equal(callsOf(pixels(whole, 300).canvas, "set").filter(([name]) => name === "globalCompositeOperation").length, 0);
});

test("a map runs on straight lines between its points, and is cut where those reach the cap", () => {
  let [cut, kept] = [0, 0];
  for (const cap of [30, 3.5]) {
    const made = figure({ ...STATE, cap }), { field } = made;
    made.scales = { ...made.scales, colors: RED };
    const { at } = pixels(made, 300);
    for (const [i, j] of [[0, 0], [1, 0], [2, 1]]) {
      for (const [u, v] of [0.05, 0.1, 0.2, 0.4, 0.55, 0.75, 0.9].flatMap((a) => [0.1, 0.2, 0.45, 0.7, 0.85, 0.92, 0.97].map((b) => [a, b]))) {
        const between = (/** @type {Float64Array} */ values) => [[i, j, (1 - u) * (1 - v)], [i + 1, j, u * (1 - v)], [i, j + 1, (1 - u) * v], [i + 1, j + 1, u * v]].reduce((sum, [a, b, part]) => sum + part * values[4 * b + a], 0);
        const [red, , , alpha] = at(field.x[i] + u * (field.x[i + 1] - field.x[i]), field.y[j] + v * (field.y[j + 1] - field.y[j])), z = between(field.z);
        // A pixel is as wide as it is.
        if (Math.abs(z - field.ceiling) < 0.03) continue;
        assert.equal(alpha, z > field.ceiling ? 0 : 255, `${i}, ${j}: ${u}, ${v}`);
        if (z > field.ceiling) cut++;
        else kept += Math.abs(red - 255 * between(field.colour)) < 6 ? 1 : assert.fail(`${red} at ${i}, ${j}: ${u}, ${v}`);
      }
    }
  }
  assert.ok(cut > 20 && kept > 90, `${cut}, ${kept}`);
});

test("marks of a map: a star at the checkpoint, a ring at the best point unless it is that, dots on what is interpolated", () => {
  const place = /** @type {any} */ ({ left: 0, top: 0, width: 300, height: 300, toPixel: (/** @type {number} */ x, /** @type {number} */ y) => [100 * x, -100 * y] });
  const drawn = (/** @type {any} */ made) => {
    const context = recorder();
    drawMarks(/** @type {any} */ (context), made, place);
    const star = callsOf(context, "lineTo").slice(0, 10), middle = [0, 1].map((k) => star.reduce((sum, point) => sum + point[k], 0) / 10);
    return { rings: callsOf(context, "arc").map(([x, y]) => [x, y]), dots: callsOf(context, "fillRect"), star: star.length ? middle : null };
  };
  const made = figure(), { field } = made, all = drawn(made);
  assert.deepEqual(all.dots.map(([x, y, w]) => [x + w / 2, y + w / 2]), [[100 * field.x[0], -100 * field.y[2]]]);
  // The best measured one is at (1, 0): on an axis, and not the checkpoint.
  assert.deepEqual(all.rings[0], [100 * field.x[2], -100 * field.y[1]]);
  assert.ok(all.star && Math.abs(all.star[0] - 100 * field.x[1]) < 1 && Math.abs(all.star[1] + 100 * field.y[1]) < 1);
  const given = surface();
  given.values["train/loss"][5] = 0.001;
  assert.deepEqual(drawn(figure(STATE, given)).rings, []);
  given.record.centred = false;
  assert.equal(drawn(figure(STATE, given)).star, null);
});

/** @param {any} path @param {number} passed @param {(at: any) => boolean} [seen] @param {any[]} [stops] */
function marks(path, passed, seen = () => true, stops = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]]) {
  const context = recorder();
  runMarks(/** @type {any} */ (context), /** @type {any} */ ({ stops, path }), passed, "red", ([x, y]) => [100 * x, y], seen);
  return { discs: callsOf(context, "arc").map(([x, , radius]) => [x, radius]), ticks: callsOf(context, "translate").map(([x]) => x), star: callsOf(context, "lineTo").length === 10, context };
}

test("a run has a ring at its start, a disc where it is, falls of the rate that it has passed, and a star at its end", () => {
  const path = { drops: [1, 3], unordered: false };
  assert.deepEqual(marks(path, 2).discs, [[0, 4], [200, 5.5]]);
  assert.deepEqual([marks(path, 0).ticks, marks(path, 2).ticks, marks(path, 3).ticks], [[], [100], [100, 300]]);
  assert.deepEqual([marks(path, 2).star, marks(path, 3).star], [false, true]);
  assert.deepEqual(marks({ drops: [], unordered: true }, 1).discs, [[0, 3.6], [100, 3.6]]);
  assert.ok(isBalanced(marks(path, 2).context));
  // What lies in a hole or outside has no mark.
  const { discs, ticks, star } = marks({ drops: [1], unordered: false }, 2, undefined, [null, null, [2, 0, 0]]);
  assert.deepEqual([discs, ticks, star], [[], [], true]);
  const hidden = marks(path, 2, ([x]) => x > 0).context;
  assert.deepEqual(callsOf(hidden, "setLineDash"), [[[2, 2]]], "only what is hidden is dashed");
  // A ring is white within, a disc at the step that is shown has the run's colour, as samples have.
  const fills = (/** @type {any} */ given, /** @type {number} */ passed) => callsOf(marks(given, passed).context, "set").filter(([name]) => name === "fillStyle").map(([, value]) => value);
  assert.deepEqual([fills({ drops: [], unordered: false }, 2), fills({ drops: [], unordered: true }, 1), fills({ drops: [], unordered: false }, 3)], [["#fff", "red"], ["red", "red"], ["#fff", "red"]]);
  const context = recorder();
  seenThrough(/** @type {any} */ (context), true, () => {});
  assert.equal(callsOf(context, "setLineDash").length, 0);
});

test("each run on a map is drawn as far as it has come, over a white casing", () => {
  const context = recorder(), place = /** @type {any} */ ({ left: 0, top: 0, width: 10, height: 10, toPixel: (/** @type {number} */ x, /** @type {number} */ y) => [x, y] });
  const draped = (/** @type {number} */ at) => ({
    points: [at, 0, 0, at, 1, 0, at, 1, 0, at, 2, 0], colors: Array(12).fill(0), upTo: [0, 1, 2], stops: [[at, 0, 0], [at, 1, 0], [at, 2, 0]], path: { drops: [], unordered: false },
  });
  drawMapPaths(/** @type {any} */ (context), place, /** @type {any} */ ([draped(1), draped(5)]), [1, 2]);
  assert.ok(isBalanced(context), "what is drawn next is not cut");
  assert.deepEqual(callsOf(context, "rect"), [[0, 0, 10, 10]]);
  const begun = callsOf(context, "moveTo").filter(([, y]) => Number.isInteger(y)).map(([x, y]) => [x, y]);
  assert.deepEqual(begun.filter(([x]) => x === 1), [[1, 0], [1, 0]]);
  assert.deepEqual(begun.filter(([x]) => x === 5), [[5, 0], [5, 1], [5, 0], [5, 1]]);
  assert.deepEqual(pathEnds(/** @type {any} */ (draped(5))), [[5, 0], [5, 2]]);
  assert.deepEqual(pathEnds(/** @type {any} */ ({ points: [] })), []);
});

test("runs differ in colour, and a run begins paler than it ends", () => {
  assert.equal(new Set(RUNS.map(({ full }) => String(full))).size, RUNS.length);
  assert.deepEqual([runColor(1), runColor(RUNS.length + 1)], [RUNS[1].full, RUNS[1].full]);
  for (const { full, pale } of RUNS) full.forEach((value, k) => assert.ok(pale[k] >= value && pale[k] <= 1));
  assert.ok(RUNS.every(({ full, pale }) => String(full) !== String(pale)));
});

test("a bar's colours and numbers stand at their values, upwards or to the right", () => {
  const values = Float64Array.from({ length: 101 }, (_, k) => k / 10);
  const colour = chooseScale(values, /** @type {any} */ ({ label: "loss", signed: false, percent: false, kind: "linear", eps: null, cap: null }));
  const colors = Uint8Array.from({ length: 1024 }, (_, k) => (k % 4 === 0 ? k >> 2 : 255));
  for (const [width, height] of [[90, 400], [600, 60]]) {
    const context = recorder(), upright = height > width;
    drawBar(/** @type {any} */ (context), /** @type {any} */ ({ colour, colors }), { left: 10, top: 0, width, height }, THEME);
    const [[left, top, wide, tall]] = callsOf(context, "strokeRect");
    const part = (/** @type {number} */ x, /** @type {number} */ y) => (upright ? (top + tall - y) / tall : (x - left) / wide);
    const texts = callsOf(context, "fillText").filter(([text]) => !Number.isNaN(Number(text)));
    assert.ok(texts.length > 2);
    // What they measure stands along the bar, in its middle, within its room.
    const [[tx, ty]] = callsOf(context, "translate"), [title] = callsOf(context, "fillText").filter(([text]) => text === colour.axisLabel());
    assert.deepEqual(title.slice(1, 3), [0, 0]);
    if (upright) {
      assert.deepEqual([ty, callsOf(context, "rotate")], [top + tall / 2, [[-Math.PI / 2]]]);
      assert.ok(tx > left + wide + 18 && tx < 10 + width, `${tx}`);
    } else assert.ok(tx === left && ty < top - 5 && callsOf(context, "rotate").length === 0);
    for (const [text, x, y] of texts) close(part(x, y), colour.normalized(Number(text)));
    let fill = "";
    for (const [kind, ...args] of context.calls) {
      if (kind === "set" && args[0] === "fillStyle") fill = args[1];
      if (kind !== "fillRect") continue;
      const red = Number(/^rgb\((\d+)/.exec(fill)?.[1]);
      assert.ok(Math.abs(red / 255 - part(args[0] + 0.5, args[1] + 0.5)) < 0.02, `${red} at ${part(args[0], args[1])}`);
    }
  }
});

test("kept points and the ends of a section are named on the map as in the read-outs", () => {
  const made = figure(), context = recorder(), place = placeMap(made, 400, 400);
  const state = /** @type {any} */ ({ section: [-1, -1, 2, 2], pins: [[1, 0], [9, 9], [-1, 2]] });
  drawMapCursor(/** @type {any} */ (context), made, place, state, null);
  const at = (/** @type {number} */ i, /** @type {number} */ j) => place.toPixel(made.field.x[i], made.field.y[j]);
  const wanted = [["A", at(0, 0)], ["B", at(3, 2)], ["1", at(2, 1)], ["3", at(0, 2)]];
  assert.deepEqual(callsOf(context, "fillText").map(([text, x, y]) => [text, [x, y - 0.5]]), wanted);
});

test("a line is closed where it comes back to its beginning and nowhere else", () => {
  const n = 21, axis = Float64Array.from({ length: n }, (_, k) => -1 + k / 10);
  const field = /** @type {any} */ ({ nx: n, ny: n, x: axis, y: axis, z: Float64Array.from({ length: n * n }, (_, k) => Math.hypot(axis[k % n], axis[Math.floor(k / n)])) });
  const lines = isoLines(field, [0.5, 1.2]);
  assert.deepEqual(lines.filter(({ level }) => level === 0).map(({ closed }) => closed), [true]);
  assert.deepEqual(lines.filter(({ level }) => level === 1).map(({ closed }) => closed), [false, false, false, false]);
});

test("a value on an iso-line can be read whichever way the line runs, and stands on no short loop and on every second level", () => {
  const place = { left: 0, top: 0, width: 300, height: 300 };
  const straight = (/** @type {number[]} */ [x0, y0], /** @type {number[]} */ [x1, y1]) =>
    Array.from({ length: 101 }, (_, k) => /** @type {[number, number]} */ ([x0 + ((x1 - x0) * k) / 100, y0 + ((y1 - y0) * k) / 100]));
  const written = (/** @type {[number, number][][]} */ lines, level = 0) => {
    const context = recorder();
    labelLines(/** @type {any} */ (context), lines.map((line, k) => ({ level: level + k, line, closed: false })), ["0.25", "0.5", "1"], place, []);
    return { angles: callsOf(context, "rotate").map(([angle]) => angle), texts: callsOf(context, "fillText").map(([text]) => text), spots: callsOf(context, "translate") };
  };
  for (const [from, to, angle] of /** @type {[number[], number[], number][]} */ ([
    [[20, 100], [280, 100], 0], [[280, 100], [20, 100], 0], [[20, 250], [250, 20], -Math.PI / 4], [[250, 20], [20, 250], -Math.PI / 4], [[250, 250], [20, 20], Math.PI / 4],
  ])) close(written([straight(from, to)]).angles[0], angle);
  const rows = [50, 100, 150].map((y) => straight([20, y], [280, y]));
  assert.deepEqual(written(rows).texts.sort(), ["0.25", "1"]);
  const loop = (/** @type {number} */ wide, /** @type {number} */ tall) => Array.from({ length: 201 }, (_, k) => /** @type {[number, number]} */ ([150 + wide * Math.cos((Math.PI * k) / 100), 150 + tall * Math.sin((Math.PI * k) / 100)]));
  // A text of 30 pixels: on a loop of less than three times that it would be all there is to see.
  assert.deepEqual(["0.25", undefined], [written([loop(60, 60)]).texts[0], written([loop(20, 2)]).texts[0]]);
});

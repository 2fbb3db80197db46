/** What a scene is told to draw: scales, levels, lights, lines, and what is seen of them in each state. */
import assert from "node:assert/strict";
import test from "node:test";
import { GreaterDepth } from "three";
import { makeScales } from "../../plot/page/web/figure.js";
import { drawMapCursor } from "../../plot/page/web/cursor.js";
import { drawMarks, placeMap } from "../../plot/page/web/map.js";
import { PaneView } from "../../plot/page/web/pane.js";
import { Ribbons } from "../../plot/page/web/ribbons.js";
import { profiles } from "../../plot/page/web/section.js";
import { Model } from "../../plot/page/web/stage.js";
import { describe, notesOf } from "../../plot/page/web/summary.js";
import { View } from "../../plot/page/web/view.js";
import { LABELS, STATE, callsOf, figure, recorder, surface } from "./drawn.mjs";

const close = (/** @type {number} */ got, /** @type {number} */ wanted, tolerance = 1e-9) => assert.ok(Math.abs(got - wanted) <= tolerance, `${got} is not ${wanted}`);

/** Scales on a page with two colour maps, told apart by their first byte. @param {any} state @param {boolean} [isDifference] @param {any} [given] */
function scales(state, isDifference = false, given = surface()) {
  const colormaps = { viridis: btoa("\x01".repeat(768)), cividis: btoa("\x02".repeat(768)), PuOr_r: btoa("\x03".repeat(768)) };
  const made = makeScales([given], { ...STATE, cap: null, ...state }, { labels: LABELS, colormaps }, isDifference);
  assert.ok(made);
  return made;
}

test("scales are those that were asked for, and a difference has its own colours about zero", () => {
  const asked = scales({ kind: "log", eps: 0.75, cap: 30, colormap: "cividis" });
  assert.deepEqual([asked.height.kind, asked.height.eps, asked.height.cap, asked.colors[0]], ["log", 0.75, 30, 2]);
  assert.equal(asked.colour, asked.height);
  const other = scales({ colour: "test/loss", cap: 30 });
  assert.deepEqual([other.height.cap, other.colour.cap, other.height.label, other.colour.label], [30, null, "training loss", "test loss"]);
  const given = surface();
  given.values["train/loss"] = given.values["train/loss"].map((/** @type {number} */ value) => value - 2);
  const signed = scales({}, true, given);
  assert.equal(signed.colors[0], 3);
  assert.ok(signed.height.label.startsWith("difference in "));
  close(signed.colour.normalized(0), 0.5);
  assert.ok(Math.abs(signed.height.normalized(0) - 0.5) > 0.1, "heights may lie anywhere");
});

test("a convexity map has the range that all of them have", () => {
  const given = surface();
  given.values["train/convexity"] = given.values["train/loss"].map((/** @type {number} */ value) => Math.min(0.2, value / 100));
  const { colour } = scales({ colour: "train/convexity" }, false, given);
  assert.deepEqual([colour.low, colour.high], [0, 0.5]);
});

test("an exaggerated surface has its levels as much higher, an accuracy its axis in percent, and what is open is that of the colours", () => {
  const plain = figure(), high = figure({ ...STATE, exaggeration: 2 });
  assert.ok(plain.levels.length > 1);
  plain.levels.forEach((level, k) => close(high.levels[k], 2 * level));
  assert.equal(figure({ ...STATE, height: "train/accuracy", cap: null }).frame.zTitle, "training accuracy (%)");
  assert.equal(plain.frame.zTitle, "training loss");
  assert.equal(figure({ ...STATE, colour: "train/accuracy", cap: null }).best?.value, 0.5, "the lowest loss, whatever the colours are of");
  const named = figure({ ...STATE, colour: "train/loss" });
  assert.ok(named.colour === named.height, "the same, whether it is named or not");
  const given = { ...surface(), open: { "test/loss": Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1) } };
  assert.equal(figure({ ...STATE, colour: "test/loss" }, given).counts.open, 2);
  assert.equal(figure(STATE, given).counts.open, 0);
});

test("heights, colours, ticks and the cut are those of the scale, on every scale", () => {
  for (const kind of ["log", "linear", "asinh"]) {
    const made = figure({ ...STATE, kind, eps: kind === "linear" ? null : 0.5, cap: 20, colour: "test/loss", exaggeration: 2 }), { field, scales, frame } = made, top = 2.2;
    for (const k of [0, 1, 2, 4, 5, 6, 7, 8, 11]) {
      close(field.z[k], ((scales.height.forward(made.height.values[k]) - scales.height.bottom) / (scales.height.top - scales.height.bottom)) * top);
      close(field.colour[k], scales.colour.normalized(made.colour.values[k]));
    }
    close(field.ceiling, scales.height.normalized(20) * top);
    frame.z.forEach(({ at, text }, k) => (close(at, scales.height.normalized(scales.height.ticks[k]) * top), assert.equal(text, scales.height.text(scales.height.ticks[k]))));
    assert.deepEqual([field.top, frame.top, Number.isNaN(field.z[3]), Number.isNaN(field.z[9])], [top, top, true, true]);
  }
});

test("a smoothed surface goes through its measured points, and everything on it stands where they do", () => {
  const smooth = { ...STATE, cap: null, smooth: true }, whole = () => {
    const given = surface();
    return { ...given, values: Object.fromEntries(Object.entries(given.values).map(([name, array]) => [name, array.map((/** @type {number} */ value) => (Number.isFinite(value) ? value : 3))])), state: new Uint8Array(12).fill(1) };
  };
  const coarse = figure({ ...smooth, smooth: false }, whole()), fine = figure(smooth, whole()), { factor } = fine.field, other = figure({ ...smooth, colour: "train/accuracy" }, whole());
  assert.deepEqual([factor, fine.field.nx, fine.field.ny, fine.field.z.length], [67, 3 * 67 + 1, 2 * 67 + 1, 202 * 135]);
  const pane = (/** @type {any} */ made) => Object.assign(Object.create(PaneView.prototype), { figure: made });
  for (let j = 0; j < 3; j++) {
    for (let i = 0; i < 4; i++) {
      const at = j * factor * fine.field.nx + i * factor, k = 4 * j + i;
      close(fine.field.z[at], coarse.field.z[k]);
      close(fine.field.colour[at], coarse.field.colour[k]);
      close(other.field.colour[at], other.scales.colour.normalized(other.colour.values[k]));
      close(fine.field.x[i * factor], coarse.field.x[i]);
      close(fine.field.y[j * factor], coarse.field.y[j]);
      pane(fine).pointOf({ i, j }).forEach((/** @type {number} */ value, /** @type {number} */ n) => close(value, pane(coarse).pointOf({ i, j })[n]));
    }
  }
  assert.ok(notesOf(fine, false, false).includes("smoothed ×67 from 4 × 3 points") && !notesOf(coarse, false, false).some((note) => note.startsWith("smoothed")));
  // Marks and the cross-hair of a map stand there as well, and holes are as wide as they were.
  const drawn = (/** @type {any} */ made) => {
    const context = recorder(), place = placeMap(made, 400, 400);
    drawMarks(/** @type {any} */ (context), made, place);
    drawMapCursor(/** @type {any} */ (context), made, place, /** @type {any} */ ({ section: null, pins: [[1, 0]] }), { i: 3, j: 1 });
    return [...callsOf(context, "arc"), ...callsOf(context, "moveTo"), ...callsOf(context, "fillRect")].flat();
  };
  const [of, wanted] = [figure({ ...STATE, smooth: true }), figure(STATE)].map(drawn);
  assert.ok(of.length > 12 && of.length === wanted.length);
  of.forEach((value, k) => close(value, wanted[k]));
});

test("what is said of a surface has its corners in their order and its values in their units", () => {
  assert.match(describe(figure({ ...STATE, cap: null }), LABELS), /The corners are 5, 1000, 0\.1 and 8\./);
  const given = surface();
  given.record.origin = { "train/loss": 1.25, "test/accuracy": 0.5 };
  assert.deepEqual(notesOf(figure(STATE, given), false, false).slice(0, 2), ["loss 1.25", "test accuracy 50 %"]);
  // Each count has words of its own, whatever else there is to count.
  const counted = (/** @type {any} */ counts) => notesOf({ ...figure(), counts: { points: 12, missing: 0, capped: 0, strange: 0, interpolated: 0, open: 0, ...counts } }, false, false).filter((note) => note.includes(" of 12 "));
  const words = { missing: "3 of 12 not computed", strange: "3 of 12 not finite", capped: "3 of 12 above 30", interpolated: "3 of 12 interpolated", open: "3 of 12 ratios left open by residuals, hatched" };
  for (const [name, said] of Object.entries(words)) assert.deepEqual(counted({ [name]: 3 }), [said]);
  const impossible = surface();
  impossible.values["train/loss"] = impossible.values["train/loss"].map((/** @type {number} */ value) => value - 2);
  assert.match(notesOf(figure({ ...STATE, kind: "log", eps: 0.1, cap: null }, impossible), false, false).join(), /log\(L \+ 0\.1\) cannot show; use the scale asinh or linear/);
  const strip = notesOf(figure(STATE, { ...surface(), y: Float64Array.of(-0.1, 0, 0.1) }), false, false);
  assert.ok(strip.includes("axes not to scale") && !notesOf(figure(), false, false).includes("axes not to scale"));
  assert.equal(notesOf(figure(STATE, { ...surface(), record: { ...surface().record, unfinished: "3 of 12 points" } }), false, false)[1], "unfinished: 3 of 12 points");
  assert.equal(notesOf(figure(), false, true).some((note) => note.startsWith("loss")), false, "a difference has no checkpoint");
  const heard = describe({ ...figure(), counts: { points: 12, missing: 0, capped: 0, strange: 0, interpolated: 2, open: 0 } }, LABELS);
  assert.ok(heard.includes("2 points are interpolated, not measured.") && !heard.includes("not finite"), heard);
  // Without a record the grid's own point speaks for the checkpoint, if it was measured.
  given.record.origin = {};
  assert.equal(notesOf(figure(STATE, given), false, false)[0], "loss 1");
  given.state[5] = 2;
  assert.ok(!notesOf(figure(STATE, given), false, false).some((note) => note.startsWith("loss")));
  given.state[5] = 1;
  given.record.centred = false;
  assert.ok(!notesOf(figure(STATE, given), false, false).some((note) => note.startsWith("loss")));
});

test("a profile has the values along its line, the test set's beside the training set's", () => {
  const app = { state: { height: "train/loss" }, content: { labels: LABELS }, views: [{ figure: figure() }, { figure: null }] };
  const lines = profiles(/** @type {any} */ (app), [-1, -1, -1, 0]);
  assert.deepEqual(lines.map(({ title, dashed }) => [title, dashed]), [["net, training loss", false], ["test loss", true]]);
  const [train, test] = lines.map(({ values }) => [values[0], values[values.length >> 1], values[values.length - 1]]);
  [5, 3.5, 2].forEach((value, k) => (close(train[k], value), close(test[k], 2 * value)));
  const two = { ...app, views: [app.views[0], app.views[0]] }, colors = profiles(/** @type {any} */ (two), [-1, -1, -1, 0]).map(({ color }) => color);
  assert.deepEqual([colors[0] === colors[1], colors[2] === colors[3], colors[0] === colors[2]], [true, true, false], "a colour a pane");
  const across = profiles(/** @type {any} */ (app), [-1, -1, 1, -1])[0].values;
  close(across[across.length - 1], 3);
});

test("lines are as many as are shown, each segment with the colours of its ends, dashed only behind what hides them", () => {
  const lines = new Ribbons(3);
  lines.set([0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 2, 0], [0.1, 0, 0, 0.2, 0, 0, 0.3, 0, 0, 0.4, 0, 0]);
  const at = (/** @type {string} */ name, /** @type {number} */ k) => lines.mesh.geometry.getAttribute(name).getX(k);
  assert.deepEqual([["start", 0], ["end", 0], ["start", 1], ["end", 1]].map(([name, k]) => at(String(name), Number(k))), [0, 1, 1, 1]);
  [["startColor", 0, 0.1], ["endColor", 0, 0.2], ["startColor", 1, 0.3], ["endColor", 1, 0.4]].forEach(([name, k, value]) => close(at(String(name), Number(k)), Number(value), 1e-6));
  assert.deepEqual(Array.from(lines.mesh.geometry.getAttribute("reach").array), [0, 1, 1, 3]);
  for (const [asked, shown] of [[1, 1], [0, 0], [9, 2], [-1, 0]]) {
    lines.show(asked);
    assert.deepEqual([lines.mesh.geometry.instanceCount, lines.mesh.visible], [shown, shown > 0]);
  }
  lines.set([]);
  assert.equal(lines.mesh.visible, false);
  const before = lines.material.depthFunc;
  lines.style({ width: 4, lies: true });
  lines.resize(300, 200, 0.5);
  assert.equal(lines.material.depthFunc, before);
  assert.deepEqual([lines.material.uniforms.lean.value, lines.material.uniforms.size.value.toArray()], [1, [300, 200]]);
  lines.style({ dash: 0.07, lies: false });
  lines.resize(300, 200, 0.5);
  assert.deepEqual([lines.material.depthFunc, lines.material.uniforms.lean.value], [GreaterDepth, 0]);
});

test("a surface is cut at its cap, has the lines that are asked for, and lights that stand or turn with the eye", () => {
  const model = new Model(), { uniforms } = model.material;
  model.setLevels([0.1, 0.5], 0.7);
  assert.deepEqual([uniforms.lines.value, uniforms.ceiling.value], [true, 0.7]);
  model.setLevels([], Infinity);
  assert.deepEqual([uniforms.lines.value, uniforms.ceiling.value], [false, 1e9]);
  model.setMesh(/** @type {any} */ ({ position: new Float32Array(9).fill(1), normal: new Float32Array(9).fill(2), paint: new Float32Array(12).fill(3), index: Uint32Array.of(0, 1, 2, 0, 2, 1), coarse: Uint32Array.of(0, 1, 2) }));
  assert.deepEqual(["position", "normal", "paint"].map((name) => [model.surface.geometry.getAttribute(name).getX(1), model.surface.geometry.getAttribute(name).itemSize]), [[1, 3], [2, 3], [3, 4]]);
  const view = (/** @type {number} */ azimuth) => new View({ azimuth, elevation: 34, zoom: 1, panX: 0, panY: 0 }, 600, 400, { half: [1, 1], top: 1.1, margin: { left: 0, right: 0, top: 0, bottom: 0 } });
  const lit = (/** @type {number} */ azimuth, /** @type {boolean} */ headlight, coarse = false) => {
    model.prepare(view(azimuth), 1200, 800, 2, { headlight, lineWidth: 1.5, coarse });
    return uniforms.key.value.toArray();
  };
  assert.equal(lit(-52, false).length, 3);
  assert.deepEqual([uniforms.lineWidth.value, model.surface.geometry.index?.count], [3, 6]);
  lit(-52, false, true);
  assert.equal(model.surface.geometry.index?.count, 3);
  const still = lit(-52, false);
  lit(40, false).forEach((value, k) => close(value, still[k], 1e-6));
  lit(-52, true).forEach((value, k) => close(value, still[k], 1e-6));
  // A quarter to the left, the light as well.
  const turned = lit(38, true);
  [-still[1], still[0], still[2]].forEach((value, k) => close(turned[k], value, 1e-6));
});

/** What a pane shows of its lines in a state. @param {any} state @param {any} [figure] */
function arranged(state, figure = { field: { ceiling: 0.5 }, levels: [0.1] }) {
  const /** @type {Record<string, any>} */ lines = {}, /** @type {any[]} */ levels = [];
  const line = (/** @type {string} */ name) => (lines[name] ??= { mesh: { visible: null }, count: 7, show(/** @type {number} */ count) { this.shown = count; }, set(/** @type {any} */ points) { this.points = points; } });
  const path = { upTo: [0, 2, 5], stops: [[0, 0, 0], [1, 0, 0], [2, 0, 0]], truth: [0.5, 0.6, 0.7], path: { step: [0, 1, 2] } };
  const pane = Object.assign(Object.create(PaneView.prototype), { figure, paths: [path], moments: null, model: { lines: line, ribbons: new Map(['path 0', 'path 3', 'grid'].map((name) => [name, line(name)])), setLevels: (/** @type {any[]} */ ...args) => levels.push(args) } });
  pane.arrange({ box: true, floor: true, lines: true, paths: true, drops: true, step: 0.5, ...state });
  return { lines, levels: levels[0] };
}

test("what is switched off is not drawn, and a run is drawn as far as it has come", () => {
  const all = arranged({});
  assert.deepEqual(["grid", "border"].map((name) => all.lines[name].mesh.visible), [true, true]);
  assert.equal(all.lines.floor.shown, 7);
  assert.deepEqual([all.lines["path 3"].shown, all.lines.grid.shown], [0, undefined], "of a run that another frame had nothing stays");
  assert.deepEqual(all.levels, [[0.1], 0.5]);
  assert.deepEqual(["shadow 0", "casing 0", "path 0", "hidden 0"].map((name) => all.lines[name].shown), [2, 2, 2, 2]);
  assert.deepEqual(all.lines.drops.points, [0, 0, 0, 0, 0, 0.5, 1, 0, 0, 1, 0, 0.6]);
  assert.equal(arranged({ box: false }).lines.grid.mesh.visible, false);
  const low = arranged({ floor: false }).lines;
  assert.deepEqual([low.floor.shown, low["shadow 0"].shown, low["path 0"].shown], [0, 0, 2]);
  assert.deepEqual(arranged({ lines: false }).levels, [[], 0.5]);
  assert.deepEqual(arranged({ drops: false }).lines.drops.points, []);
  const without = arranged({ paths: false }).lines;
  assert.deepEqual([without["path 0"].shown, without.drops.points], [0, []]);
  const empty = arranged({}, null);
  assert.deepEqual([empty.lines.floor.shown, empty.lines.grid.mesh.visible, empty.levels], [0, false, [[], Infinity]]);
});

test("a point of the grid stands on the drawn surface, and in a hole or above the cut nowhere", () => {
  const made = figure(), pane = Object.assign(Object.create(PaneView.prototype), { figure: made }), { field } = made;
  assert.deepEqual(pane.pointOf({ i: 2, j: 1 }), [field.x[2], field.y[1], field.z[6]]);
  assert.deepEqual([pane.pointOf({ i: 1, j: 2 }), pane.pointOf({ i: 2, j: 2 }), pane.pointOf({ i: 3, j: 0 })], [null, null, null]);
  assert.deepEqual(pane.gridPoint(0.9, 1.5), { i: 2, j: 2 });
  assert.equal(pane.gridPoint(2.5, 0), null);
});

test("contours on the floor lie there in the colours of their values, or in ink where colour says something else", () => {
  const made = figure();
  made.scales = { ...made.scales, colors: Uint8Array.from({ length: 1024 }, (_, k) => (k % 4 === 0 ? k >> 2 : 255)) };
  const floor = (/** @type {any} */ given) => {
    /** @type {any[]} */ let set = [];
    const pane = Object.assign(Object.create(PaneView.prototype), { model: { lines: () => ({ set: (/** @type {any[]} */ ...args) => { set = args; } }) } });
    pane.floorLines(given);
    return set;
  };
  const [points, colors] = floor(made);
  assert.ok(points.length > 12 && points.every((/** @type {number} */ value, /** @type {number} */ k) => k % 3 !== 2 || value === -0.45));
  const reds = new Set(made.lines.map(({ level }) => Math.round(255 * made.scales.colour.normalized(made.scales.height.levels[level]))));
  assert.deepEqual(new Set(colors.filter((/** @type {number} */ _, /** @type {number} */ k) => k % 3 === 0).map((/** @type {number} */ red) => Math.round(255 * red))), reds);
  assert.deepEqual(floor({ ...made, colour: { ...made.colour } })[1], []);
});

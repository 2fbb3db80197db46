import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { floorSegments, makeFrame } from "../../plot/page/web/axes.js";
import { isoLines, simplified } from "../../plot/page/web/contours.js";
import { heightAt, hit, isVisible, valueAt } from "../../plot/page/web/field.js";
import { flight } from "../../plot/page/web/flights.js";
import { labelLines } from "../../plot/page/web/linelabels.js";
import { nearestLevels } from "../../plot/page/web/levels.js";
import { makeMesh } from "../../plot/page/web/mesh.js";
import { openingEye, shareSeen, thinned } from "../../plot/page/web/opening.js";
import { drapePaths, momentsOf, passedOf } from "../../plot/page/web/paths.js";
import { Scale } from "../../plot/page/web/scale.js";
import { refineAxis, refineGrid, smoothFactor } from "../../plot/page/web/smoothing.js";
import { PRESETS, View, boxOf, directions } from "../../plot/page/web/view.js";

/** @param {string} name */
const fixture = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
/** @param {number} got @param {number} wanted */
const close = (got, wanted, tolerance = 1e-12) =>
  assert.ok(Math.abs(got - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${got} is not ${wanted}`);
const numbers = (/** @type {(number | null)[]} */ list) => Float64Array.from(list, (each) => each ?? NaN);

for (const { azimuth, elevation, half, eye, directions: wanted, points, tangents, depths } of fixture("cameras.json")) {
  test(`the camera stands where the stills' stands: ${azimuth}, ${elevation}`, () => {
    const margin = { left: 10, right: 20, top: 5, bottom: 30 };
    const view = new View({ azimuth, elevation, zoom: 1, panX: 0, panY: 0 }, 600, 400, { half, top: 1.1, margin });
    directions(azimuth, elevation).flat().forEach((value, k) => close(value, wanted.flat()[k]));
    view.eye.forEach((value, k) => close(value, eye[k]));
    points.forEach((point, k) => {
      const [x, y, depth] = view.project(point);
      close((x - view.cx) / view.scale, tangents[k][0], 1e-11);
      close((view.cy - y) / view.scale, tangents[k][1], 1e-11);
      close(depth, depths[k]);
    });
  });
}

test("nothing of the box leaves the picture, whatever the azimuth, and nothing pulses", () => {
  const margin = { left: 40, right: 20, top: 10, bottom: 30 };
  const scales = new Set();
  for (let azimuth = -180; azimuth < 180; azimuth += 15) {
    const view = new View({ azimuth, elevation: 30, zoom: 1, panX: 0, panY: 0 }, 700, 500, { half: [1, 0.7], top: 1.1, margin });
    scales.add(view.scale);
    for (const x of [-1, 1]) for (const y of [-0.7, 0.7]) for (const z of [-0.45, 1.1]) {
      const [px, py] = view.project([x, y, z]);
      assert.ok(px >= 40 - 0.5 && px <= 680.5 && py >= 9.5 && py <= 470.5, `${azimuth}: ${px}, ${py}`);
    }
  }
  assert.equal(scales.size, 1);
});

for (const { x, y, values, factor, fine_x, fine_y, fine, every } of fixture("smoothing.json")) {
  test(`a coarse grid is drawn as smooth as in the stills: ${x.length} x ${y.length}`, () => {
    assert.equal(smoothFactor(x.length, y.length), factor);
    const [fx, fy] = [x, y].map((axis) => refineAxis(Float64Array.from(axis), factor));
    const got = refineGrid(numbers(values), Float64Array.from(x), Float64Array.from(y), factor);
    const wanted = numbers(fine);
    fy.filter((_, j) => j % every === 0).forEach((value, j) => close(value, fine_y[j]));
    fx.filter((_, i) => i % every === 0).forEach((value, i) => close(value, fine_x[i]));
    for (let j = 0; j < fine_y.length; j++) {
      for (let i = 0; i < fine_x.length; i++) {
        const value = got[j * every * fx.length + i * every], other = wanted[j * fine_x.length + i];
        assert.equal(Number.isNaN(value), Number.isNaN(other));
        if (!Number.isNaN(other)) close(value, other, 1e-10);
      }
    }
  });
}

for (const { name, t, azimuth, elevation, step, frame } of fixture("flights.json")) {
  test(`a flight is the film's: ${name} at ${t}`, () => {
    const got = flight(name, t, { azimuth: -52, elevation: 34 });
    close(got.azimuth, azimuth);
    close(got.elevation, elevation);
    close(got.step, step);
    close(got.frame, frame);
  });
}

/** A surface of the fixture with runs laid over it. @param {any} given @param {any[]} runs */
function laidOver({ x, y, half, heights, ceiling }, runs) {
  const [nx, ny] = [x.length, y.length], values = new Float64Array(nx * ny);
  const scene = [x, y].map((axis, k) =>
    Float64Array.from(axis, (each) => ((2 * (each - axis[0])) / (axis[axis.length - 1] - axis[0]) - 1) * half[k]));
  const figure = {
    frame: { half, top: 1.1 },
    field: { nx, ny, x: scene[0], y: scene[1], z: numbers(heights), ceiling: ceiling ?? Infinity, top: 1.1 },
    surface: {
      nx, ny, x: Float64Array.from(x), y: Float64Array.from(y), state: new Uint8Array(nx * ny).fill(1),
      paths: runs.map(([px, py]) => ({ x: px, y: py, step: px.map((_, k) => k), own: {}, below: {}, unit: "step" })),
    },
    height: { name: "train/loss", values }, scales: { height: { forward: Math.log, bottom: 0, top: 1 } },
  };
  const paths = drapePaths(figure);
  return { figure, paths, laid: paths.map(({ points }) => ({ figure, points: thinned(points) })) };
}

test("a run is first seen from where the stills see it, and as much of it", () => {
  const { views, cases } = fixture("opening.json");
  for (const [name, [azimuth, elevation]] of Object.entries(views)) {
    assert.deepEqual([PRESETS[name].azimuth, PRESETS[name].elevation], [azimuth, elevation], name);
  }
  assert.equal(Object.keys(views).length, Object.keys(PRESETS).length);
  const openings = new Set();
  for (const { runs, opening, seen, ...given } of cases) {
    const { figure, paths, laid } = laidOver(given, runs), eye = openingEye([{ figure, paths }]);
    assert.deepEqual([eye.azimuth, eye.elevation], opening);
    openings.add(String(opening));
    for (const [azimuth, elevation, share] of seen) close(shareSeen(laid, { ...eye, azimuth, elevation }), share, 1e-9);
  }
  assert.ok(openings.size > 1, "not all from one side");
});

test("a view further away from the paper's has to bring so much more of the run into sight", () => {
  const { rule: { turns, rises, turn_cost, rise_cost }, cases: [, { runs: _, ...given }] } = fixture("opening.json");
  const chosen = new Set();
  let random = 11;
  const next = () => (random = (random * 48271) % 2147483647) / 2147483647;
  for (let trial = 0; trial < 16; trial++) {
    const run = [0, 1].map((axis) => Array.from({ length: 5 }, () => (axis ? -1.4 + 4.3 * next() : -1.9 + 6.8 * next())));
    const { figure, paths, laid } = laidOver(given, [run]), { azimuth, elevation } = openingEye([{ figure, paths }]);
    /** @type {number[]} */ let best = [-Infinity];
    for (const rise of rises) {
      for (const turn of turns.flatMap((/** @type {number} */ each) => (each ? [each, -each] : [0]))) {
        const score = shareSeen(laid, { azimuth: -52 + turn, elevation: rise, zoom: 1, panX: 0, panY: 0 }) - turn_cost * Math.abs(turn) - rise_cost * (rise - 34);
        if (score > best[0]) best = [score, -52 + turn, rise];
      }
    }
    assert.deepEqual([azimuth, elevation], best.slice(1), `run ${trial}`);
    chosen.add(elevation).add(azimuth);
  }
  assert.ok(chosen.size > 6, [...chosen].join());
});

test("axes are to scale up to four to one, and stretched beyond", () => {
  for (const [wide, tall, half, toScale] of /** @type {[number, number, number[], boolean][]} */ ([
    [2, 2, [1, 1], true], [4, 1, [1, 0.25], true], [1, 4, [0.25, 1], true], [5, 2, [1, 0.4], true], [1, 3, [1 / 3, 1], true], [4.1, 1, [1, 1], false], [1, 4.1, [1, 1], false],
  ])) assert.deepEqual(boxOf([7, 7 + wide], [-3, 0, -3 + tall]), { half, toScale });
});

const viewOf = (/** @type {number} */ azimuth, /** @type {number} */ elevation) => new View(
  { azimuth, elevation, zoom: 1, panX: 0, panY: 0 }, 600, 500, { half: [1, 1], top: 1.1, margin: { left: 0, right: 0, top: 0, bottom: 0 } });

test("a place stands where its ticks say, whatever its height: straight from the top, and level from the sides", () => {
  const top = viewOf(-90, 90), side = viewOf(-90, 0);
  for (const z of [0, 0.4, 1.1]) {
    top.project([0.3, -0.2, z]).slice(0, 2).forEach((value, k) => close(value, top.project([0.3, -0.2, -0.45])[k]));
    side.project([0.3, z - 0.5, z]).slice(0, 2).forEach((value, k) => close(value, side.project([0.3, 0.9, z])[k]));
  }
  for (const view of [top, side]) {
    const { from, along } = view.ray(123, 45), [x, y] = view.project(from.map((value, k) => value + 2.5 * along[k]));
    close(x, 123);
    close(y, 45);
  }
});

test("ticks of the floor and of the heights stand at their values, whatever the window's sides", () => {
  const scale = new Scale("log", 0.5, 0.5, 7.5, null);
  scale.ticks = [0.5, 1, 5];
  for (const [x, y] of [[[-1, 1], [-0.5, 0.25]], [[0, 0.75], [-1, 2]], [[0, 1], [0, 9]]]) {
    const axes = [{ name: "α", text: "α  (to b.pt)" }, { name: "β", text: "β" }];
    const surface = /** @type {any} */ ({ x: Float64Array.from(x), y: Float64Array.from(y), record: { axes } });
    const frame = makeFrame(surface, scale, 1.1, "loss"), { half } = boxOf(x, y);
    assert.deepEqual([frame.half, frame.names, frame.xTitle, frame.yTitle, frame.zTitle], [half, ["α", "β"], "α  (to b.pt)", "β", "loss"]);
    [[frame.x, x, half[0]], [frame.y, y, half[1]]].forEach(([ticks, [low, high], reach]) => {
      assert.ok(ticks.length > 1);
      // From one end of the box, -reach, to the other.
      for (const { at, text } of ticks) close(low + ((at + reach) / (2 * reach)) * (high - low), Number(text.replace("−", "-")));
    });
    assert.deepEqual(frame.z.map(({ text }) => text), ["0.5", "1", "5"]);
    frame.z.forEach(({ at }, k) => close(at, (1.1 * Math.log(scale.ticks[k] + 0.5)) / Math.log(8)));
    const { grid, border } = floorSegments(frame), places = (/** @type {number[]} */ list, /** @type {number} */ k) => list.filter((_, n) => n % 3 === k);
    for (const list of [grid, border]) [0, 1].forEach((k) => close(Math.max(...places(list, k).map(Math.abs)), half[k]));
    assert.deepEqual(new Set(places(border, 2)), new Set([-0.45]));
  }
});

test("the eye moves away smoothly towards a plan, and nothing jumps by more than the depth of the scene", () => {
  for (const [flat, near] of [[90, 89.4], [0, 0.6]]) {
    const [a, b] = [flat, near].map((elevation) => viewOf(-52, elevation).project([1, 1, 1.1]));
    assert.ok(Math.hypot(a[0] - b[0], a[1] - b[1]) < 30, `${a} ${b}`);
  }
});

/** A tilted, bent valley on a grid of uneven steps, as a field. */
function valley(nx = 41, ny = 29) {
  const axis = (/** @type {number} */ n) => Float64Array.from({ length: n }, (_, k) => 2 * ((k / (n - 1)) ** 1.2) - 1);
  const x = axis(nx), y = axis(ny), z = new Float64Array(nx * ny);
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) z[j * nx + i] = bowl(x[i], y[j]);
  return { nx, ny, x, y, z, colour: z.map((value) => value / 1.1), ceiling: Infinity, top: 1.1, factor: 1 };
}
const bowl = (/** @type {number} */ x, /** @type {number} */ y) => 0.1 + 0.35 * (x - 0.2) ** 2 + 0.2 * (y + 0.1 - 0.3 * x) ** 2 + 0.1 * x;

test("a cell with a hole at any corner has no height, nor has the half of it that does not touch the hole", () => {
  for (const [i, j] of [[10, 12], [11, 12], [10, 13], [11, 13]]) {
    const field = valley();
    field.z[j * field.nx + i] = NaN;
    const { x, y } = field;
    for (const [u, v] of [[0.2, 0.1], [0.8, 0.1], [0.9, 0.8], [0.2, 0.9]]) {
      const at = (/** @type {Float64Array} */ axis, /** @type {number} */ k, /** @type {number} */ part) =>
        axis[k] + part * (axis[k + 1] - axis[k]);
      assert.ok(Number.isNaN(heightAt(field, at(x, 10, u), at(y, 12, v))), `${u}, ${v} beside a hole at ${i}, ${j}`);
      assert.ok(Number.isFinite(heightAt(field, at(x, 14, u), at(y, 12, v))), "cells that do not touch it have one");
    }
  }
});

test("what is cut away has no height, and the surface is whole up to there", () => {
  const field = { ...valley(), ceiling: 0.5 }, whole = valley();
  let [under, over] = [0, 0];
  for (let px = -0.99; px < 1; px += 0.03) {
    for (let py = field.y[0]; py < field.y[field.ny - 1]; py += 0.03) {
      const height = heightAt(whole, px, py);
      assert.ok(height < 1.2);
      if (height > 0.5) assert.ok(Number.isNaN(heightAt(field, px, py)), `${height} is above the cut`);
      else assert.equal(heightAt(field, px, py), height);
      if (height > 0.5) over++;
      else under++;
    }
  }
  assert.ok(under > 100 && over > 100);
});

test("every vertex of an iso-line lies at its level", () => {
  const field = valley(), heights = [0.12, 0.2, 0.3, 0.45];
  const lines = isoLines(field, heights);
  assert.deepEqual([...new Set(lines.map((line) => line.level))].sort(), [0, 1, 2, 3]);
  for (const { level, points } of lines) {
    for (let k = 0; k < points.length; k += 2) {
      close(heightAt(field, points[k], points[k + 1]), heights[level], 1e-9);
      assert.ok(Math.abs(bowl(points[k], points[k + 1]) - heights[level]) < 2e-3, "and near the true one");
    }
  }
  const inner = lines.find((line) => line.level === 0);
  assert.ok(inner?.closed);
  const count = inner.points.length / 2;
  const centre = [0, 1].map((n) => inner.points.reduce((sum, value, k) => sum + (k % 2 === n ? value : 0), 0) / count);
  assert.ok(Math.abs(centre[0] - 0.07) < 0.08 && Math.abs(centre[1] + 0.08) < 0.08, `around the lowest point, not ${centre}`);
});

test("a line drawn with fewer points stays where it was", () => {
  const points = Float64Array.from({ length: 800 }, (_, k) => (k % 2 ? Math.sin(k / 150) : k / 800));
  const fewer = simplified(points, 1e-3);
  assert.ok(fewer.length < 120);
  assert.deepEqual(fewer.slice(0, 2), Array.from(points.slice(0, 2)));
  assert.deepEqual(fewer.slice(-2), Array.from(points.slice(-2)));
  for (let k = 0; k < points.length; k += 2) {
    const n = fewer.findIndex((x, m) => m % 2 === 0 && x >= points[k]);
    const m = Math.max(2, n), t = (points[k] - fewer[m - 2]) / (fewer[m] - fewer[m - 2] || 1);
    assert.ok(Math.abs(fewer[m - 1] + t * (fewer[m + 1] - fewer[m - 1]) - points[k + 1]) < 8e-3, "steep: upright it is further than across");
  }
});

test("no iso-line and no triangle crosses a hole", () => {
  const field = valley();
  for (let j = 8; j < 14; j++) for (let i = 15; i < 22; i++) field.z[j * 41 + i] = NaN;
  for (const { points } of isoLines(field, [0.12, 0.2, 0.3])) {
    assert.ok(points.every(Number.isFinite));
    for (let k = 0; k < points.length; k += 2) {
      const inside = points[k] > field.x[15] && points[k] < field.x[21] && points[k + 1] > field.y[8] && points[k + 1] < field.y[13];
      assert.ok(!inside);
    }
  }
  const { index, coarse } = makeMesh(field);
  for (const list of [index, coarse]) assert.ok(list.every((k) => Number.isFinite(field.z[k])));
  assert.equal(index.length, 6 * (40 * 28 - 8 * 7));
});

test("a ray meets the surface where a search along it finds it", () => {
  const field = valley();
  const view = new View({ azimuth: -52, elevation: 34, zoom: 1, panX: 0, panY: 0 }, 600, 500, {
    half: [1, 1], top: 1.1, margin: { left: 0, right: 0, top: 0, bottom: 0 },
  });
  let hits = 0;
  for (let px = 5; px < 600; px += 37) {
    for (let py = 5; py < 500; py += 37) {
      const { from, along: ray } = view.ray(px, py), found = hit(field, from, ray);
      let first = null, before = NaN;
      for (let t = 1; t < 12 && !first; t += 2e-3) {
        const at = from.map((value, k) => value + t * ray[k]), above = at[2] - heightAt(field, at[0], at[1]);
        // A ray may come in below the rim: it meets the surface where it changes sides, from above or from below.
        if (before * above <= 0) first = at;
        before = above;
      }
      assert.equal(found === null, first === null, `${px}, ${py}`);
      if (!found || !first) continue;
      hits++;
      found.forEach((value, k) => assert.ok(Math.abs(value - first[k]) < 2e-2));
      close(heightAt(field, found[0], found[1]), found[2], 1e-5);
      const [x, y] = view.project(found);
      close(x, px, 1e-6);
      close(y, py, 1e-6);
    }
  }
  assert.ok(hits > 40);
});

test("a look that begins just above the surface meets it, and one that ends before does not", () => {
  const field = valley(), floor = heightAt(field, 0.3, 0.2);
  const from = /** @type {[number, number, number]} */ ([0.3, 0.2, floor + 0.2]), down = /** @type {[number, number, number]} */ ([0, 0, -1]);
  close(hit(field, from, down)?.[2] ?? NaN, floor, 1e-6);
  assert.deepEqual([hit(field, from, down, 0.21), hit(field, from, down, 0, 0.19), hit(field, from, [0, 0, 1])], [null, null, null]);
  close(hit(field, from, down, 0.19, 0.21)?.[2] ?? NaN, floor, 1e-6);
  // At the very top and the very bottom of the scale, too, and not beside the grid.
  for (const [height, x] of [[field.top, 0.3], [0, 0.3], [field.top, -0.9]]) {
    const flat = { ...field, z: field.z.map(() => height) };
    close(hit(flat, [x, 0.2, 3], down)?.[2] ?? NaN, height, 1e-6);
    close(hit(flat, [x - 1, 0.2, height + 0.5], [2, 0, -1])?.[0] ?? NaN, x, 1e-6);
  }
  assert.equal(hit(field, [1.5, 0.2, 3], down), null);
});

test("a ridge hides what lies behind it, from one side only", () => {
  const field = valley();
  field.z = field.z.map((_, k) => Math.exp(-60 * field.x[k % 41] ** 2));
  const behind = /** @type {[number, number, number]} */ ([-0.5, 0, heightAt(field, -0.5, 0)]);
  for (const elevation of [0, 20]) {
    const seen = [0, 180].map((azimuth) => isVisible(field, viewOf(azimuth, elevation), behind));
    assert.deepEqual(seen, [false, true], `${elevation}`);
  }
});

test("normals point away from the slope, also at the border", () => {
  const field = valley();
  field.z = field.z.map((_, k) => 0.3 + 0.2 * field.x[k % 41] - 0.1 * field.y[Math.floor(k / 41)]);
  const { normal } = makeMesh(field), length = Math.hypot(-0.2, 0.1, 1);
  for (let k = 0; k < normal.length; k += 3) {
    close(normal[k], -0.2 / length, 1e-6);
    close(normal[k + 1], 0.1 / length, 1e-6);
    close(normal[k + 2], 1 / length, 1e-6);
  }
});

test("a value between the points is on straight lines between the stored ones, and nothing where one is missing", () => {
  const surface = /** @type {any} */ ({ nx: 3, ny: 2, x: Float64Array.of(0, 1, 3), y: Float64Array.of(-1, 1), state: Uint8Array.of(1, 1, 1, 1, 1, 0) });
  const values = Float64Array.of(0, 2, 8, 4, 6, 1);
  close(valueAt(surface, values, 0.5, 0), 3);
  close(valueAt(surface, values, 2, -1), 5);
  assert.ok(Number.isNaN(valueAt(surface, values, 2, 0)));
  assert.ok(Number.isNaN(valueAt(surface, values, 3.1, 0)));
});

test("runs of different lengths keep the same step", () => {
  const run = (/** @type {number[]} */ step, unit = "step") => /** @type {any} */ ({ step, unit });
  const paths = [run([0, 10, 20, 30, 40]), run([0, 10, 20])], moments = momentsOf(paths);
  const passed = (/** @type {number} */ part) => paths.map((path) => passedOf(path, moments, part));
  assert.deepEqual([0, 0.25, 0.5, 0.75, 1].map(passed), [[0, 0], [1, 1], [2, 2], [3, 2], [4, 2]]);
  assert.equal(momentsOf([run([0]), run([0], "epoch")]), null);
  assert.equal(passedOf(paths[0], null, 0.5), 2);
});

test("the table of iso-lines names the two that are nearest, at any height", () => {
  for (const levels of [[0.1, 0.2, 0.45, 0.5, 0.9], [0.3], [0, 0.001, 1], Array.from({ length: 12 }, (_, k) => 0.08 * k + 0.003)]) {
    const { table, low, high } = nearestLevels(levels), count = table.length / 2, cell = (high - low) / count;
    for (let k = 0; k < 500; k++) {
      const at = -0.1 + 1.2 * (k / 499), entry = Math.min(count - 1, Math.max(0, Math.floor((at - low) / cell)));
      const away = levels.map((level) => Math.abs(level - at)).sort((a, b) => a - b);
      const [near, second] = [0, 1].map((n) => Math.abs(table[2 * entry + n] - at));
      // One cell of the table has one answer: half-way between two levels it may be the other one's.
      assert.ok(Math.abs(near - away[0]) <= cell + 1e-6, `${levels} at ${at}`);
      if (levels.length > 1) assert.ok(Math.abs(Math.max(near, second) - away[1]) <= cell + 1e-6, `${levels} at ${at}`);
      else assert.ok(second > 1e6);
    }
  }
});

test("a value on an iso-line keeps off marks, and is left out where its line has no other place", () => {
  const place = { left: 0, top: 0, width: 200, height: 100 };
  const line = Array.from({ length: 181 }, (_, k) => /** @type {[number, number]} */ ([10 + k, 50]));
  const written = (/** @type {[number, number, number][]} */ marks) => {
    /** @type {number[]} */ const places = [];
    const ignored = () => {};
    const context = /** @type {any} */ ({
      measureText: () => ({ width: 14 }), translate: (/** @type {number} */ x) => places.push(x),
      save: ignored, restore: ignored, rotate: ignored, strokeText: ignored, fillText: ignored,
    });
    labelLines(context, [{ level: 0, line, closed: false }], ["0.2"], place, marks);
    return places;
  };
  const [free] = written([]);
  const [moved] = written([[free, 52, 8]]);
  assert.ok(Math.abs(moved - free) >= 8 + 10, `${moved} lies on the mark at ${free}`);
  assert.deepEqual(written(Array.from({ length: 20 }, (_, k) => [10 * k, 50, 8])), []);
});

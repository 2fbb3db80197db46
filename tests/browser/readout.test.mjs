import assert from "node:assert/strict";
import test from "node:test";
import { difference } from "../../plot/page/web/data.js";
import { makeMesh } from "../../plot/page/web/mesh.js";
import { networksAlong, placedNames } from "../../plot/page/web/networks.js";
import { drapePaths, dropSegments, lossesAt } from "../../plot/page/web/paths.js";
import { nearest, quantityNames, quantityOf, valueText } from "../../plot/page/web/quantity.js";
import { Readout, pinTexts, rowsAt, spoken } from "../../plot/page/web/readout.js";
import { profiles, ticksAlong } from "../../plot/page/web/section.js";
import { describe, notesOf } from "../../plot/page/web/summary.js";
import { RUNS } from "../../plot/page/web/theme.js";
import { LABELS, STATE, figure, page, surface } from "./drawn.mjs";

test("a read-out has the value, its error, and how far it is above the lowest and above the checkpoint", () => {
  const rows = rowsAt(figure(), 4, LABELS);
  assert.deepEqual(rows.map(([name, value, error]) => [name, value, error]), [
    ["training loss", "2", "± 0.3"], ["above the lowest", "1.5", ""], ["above the checkpoint", "1", "± 0.13"],
    ["test loss", "4", "± 0.4"], ["training accuracy", "33.333 %", "± 1.2"],
  ]);
  assert.deepEqual(rows.map((row) => row[3]), [true, false, false, false, false]);
  const both = { ...surface(), paired: { "test/loss": Float32Array.from({ length: 12 }, () => 0.25), "train/accuracy": Float32Array.from({ length: 12 }, () => 0.0025) } };
  both.record.origin = { "train/loss": 1, "test/loss": 3, "train/accuracy": 0.25 };
  const above = (/** @type {string} */ height) => rowsAt(figure({ ...STATE, height, kind: "auto", cap: null }, both), 4, LABELS).find(([name]) => name === "above the checkpoint")?.slice(1, 3);
  assert.deepEqual([above("test/loss"), above("train/accuracy"), above("train/loss")], [["1", "± 0.25"], ["8.3333 %", "± 0.25"], undefined]);
  // The paired error is of a difference on the checkpoint's own samples.
  assert.ok(!rowsAt(figure(), 7, LABELS).some(([name]) => name === "above the checkpoint"));
});

test("a read-out is of the point under the cross-hair, else of the best one, else of the one nearest to the checkpoint", () => {
  page();
  const own = new Readout(), cell = (/** @type {any} */ row) => row.children.map((/** @type {any} */ each) => each.text), body = () => /** @type {any} */ (own.body).children;
  own.show(figure(), { i: 3, j: 1 }, LABELS);
  assert.deepEqual([own.place.textContent, own.note.textContent], ["PC\u00a01\u00a02   β\u00a00", "on 7 samples"]);
  assert.deepEqual(cell(body()[0]), ["training loss|train loss", "7", "± 0.3"]);
  assert.deepEqual(body().map((/** @type {any} */ row) => row.attributes.class), ["strong", "", "", ""]);
  const [head] = body()[1].children;
  assert.deepEqual([head.attributes["aria-label"], head.attributes.title, head.text], ["above the lowest", "above the lowest", "above the lowest|above min"]);
  own.show(figure(), null, LABELS);
  assert.equal(own.place.textContent, "lowest at PC\u00a01\u00a01   β\u00a00");
  const level = { ...surface(), values: { "train/loss": new Float64Array(12).fill(2) } };
  own.show(figure(STATE, level), null, LABELS);
  assert.equal(own.place.textContent, "PC\u00a01\u00a00   β\u00a00");
  own.show(figure(STATE, level), { i: 0, j: 2 }, LABELS);
  assert.equal(own.place.textContent, "PC\u00a01\u00a0−1   β\u00a02");
  own.show(null, null, LABELS);
  assert.deepEqual([own.place.textContent, own.note.textContent, body().length], ["not measured here", "", 0]);
});

test("of an accuracy the best point is the highest, and others are below it", () => {
  const made = figure({ ...STATE, height: "train/accuracy", kind: "auto", cap: null }), { best } = made;
  const known = Array.from(made.height.values).filter((value, k) => made.surface.state[k] === 1 && Number.isFinite(value));
  assert.equal(best?.value, Math.max(...known));
  assert.equal(rowsAt(made, best?.k ?? 0, LABELS).find(([name]) => name === "below the highest")?.[1], "0 %");
  assert.match(describe(made, LABELS), /The highest is /);
});

test("where all values are equal, and where less is neither better nor worse, no point is the best", () => {
  const given = surface(), loss = given.values["train/loss"];
  const values = {
    "train/flat": loss.map((/** @type {number} */ value, /** @type {number} */ k) => (Number.isFinite(value) ? 2 + (k % 2) * 1e-13 : value)),
    "train/steep": loss, "train/margin": loss, "train/convexity": loss, "seeds/spread": loss, "input/predicted_class": loss, "input/clipped_share": loss,
  };
  for (const name of Object.keys(values)) {
    const made = figure({ ...STATE, height: name, kind: "auto", cap: null }, { ...given, values });
    if (name === "train/steep") {
      assert.equal(made.best?.k, 6);
      continue;
    }
    assert.equal(made.best, null, name);
    assert.doesNotMatch(describe(made, LABELS), /The (lowest|highest) is/);
    assert.ok(!rowsAt(made, 4, LABELS).some(([row]) => /lowest|highest/.test(row)));
  }
  const level = figure(STATE, { ...given, values: { "train/loss": loss.map(() => 2) } });
  assert.ok(rowsAt(level, 4, LABELS).some(([row]) => row === "above the checkpoint"), "the checkpoint is what it was");
});

test("a difference has the error that the file knows of it, else no more than both together", () => {
  const error = (/** @type {Record<string, Float32Array> | undefined} */ errors) => {
    const made = difference(surface(), surface(), "", errors);
    assert.ok(made);
    return rowsAt(figure({ ...STATE, cap: null }, made), 4, LABELS)[0].slice(1, 3);
  };
  assert.deepEqual(error(undefined), ["0", "± 0.6"]);
  assert.deepEqual(error({ "train/loss": Float32Array.from({ length: 12 }, () => 0.05) }), ["0", "± 0.05"]);
});

test("a difference is known where both are, and measured where both were", () => {
  const a = { ...surface(), state: Uint8Array.of(1, 1, 2, 2, 0, 1, 1, 1, 1, 1, 1, 1) }, b = { ...surface(), state: Uint8Array.of(1, 2, 1, 2, 1, 0, 1, 1, 1, 1, 1, 1) };
  assert.deepEqual(Array.from(difference(a, b, "a − b")?.state ?? []), [1, 2, 2, 2, 0, 0, 1, 1, 1, 1, 1, 1]);
  for (const other of [{ x: Float64Array.of(-1, 0, 1, 3) }, { y: Float64Array.of(-1, 0, 3) }, { y: Float64Array.of(-1, 0) }]) assert.equal(difference(a, { ...b, ...other }, ""), null);
});

test("what a point is not measured with is said", () => {
  const said = (/** @type {number} */ i, /** @type {number} */ j) => spoken(figure(), { i, j }, LABELS);
  assert.match(said(3, 0), /not computed$/);
  assert.match(said(1, 2), /not finite$/);
  assert.match(said(0, 2), /interpolated, not measured \(95 % to 1 %\)$/);
  assert.match(said(2, 2), /above the cap of 30$/);
  assert.match(said(3, 1), /on 7 samples$/);
  // An estimate is for all samples, however few were measured at its point.
  const estimates = { ...surface(), anchored: { "train/loss": BigInt64Array.of(0n, 0n, 0n, 0n, 1n, 12n, 0n, 0n, 3n, 0n, 0n, 0n) } };
  const told = [[0, 1], [1, 1], [2, 1], [0, 2]].map(([i, j]) => spoken(figure(STATE, estimates), { i, j }, LABELS).split("; ").at(-1));
  assert.deepEqual(told.slice(0, 2), ["estimated for all samples from 9 of them and 1 anchor", "estimated for all samples from 9 of them and 12 anchors"]);
  assert.equal(told[2], "on 9 samples");
  // Other values of the same data are none.
  const other = { ...estimates, anchored: { "train/accuracy": estimates.anchored["train/loss"] } };
  assert.equal(spoken(figure(STATE, other), { i: 1, j: 1 }, LABELS).split("; ").at(-1), "on 9 samples");
  assert.match(told[3] ?? "", /^interpolated/);
  assert.match(said(1, 1), /^PC 1 0, beta 0; training loss 1; /);
  assert.equal(spoken(figure(), null, LABELS), "");
  const fine = { ...surface(), x: Float64Array.of(-1, 0, 0.123456789, 2), y: Float64Array.of(-1, -0.987654321, 2) };
  assert.match(spoken(figure(STATE, fine), { i: 2, j: 1 }, LABELS), /^PC 1 0\.12346, beta −0\.98765; /);
  assert.deepEqual(pinTexts(figure(STATE, fine), [[0.12, -0.9]], LABELS), ["(1) PC\u00a01\u00a00.12346   β\u00a0−0.98765: training loss 0.5"]);
});

test("what a picture does not show is counted", () => {
  const made = figure();
  assert.deepEqual(made.counts, { points: 12, missing: 1, capped: 1, strange: 1, interpolated: 1, open: 0 });
  assert.equal(figure().open, null, "a loss is what it is");
  assert.equal(made.best?.k, 6, "among measured points");
  assert.equal(figure({ ...STATE, cap: null }).scales.height.high, 40, "what was not computed has no say");
  const notes = notesOf(made, true, false).join("; ");
  for (const each of ["loss 1", "1 of 12 not computed", "1 of 12 not finite", "1 of 12 above 30", "1 of 12 interpolated", "scale of its own"]) {
    assert.ok(notes.includes(each), each);
  }
  assert.match(describe(made, LABELS), /1 points are not finite and 1 were not computed/);
  assert.match(describe(made, LABELS), /PC 1 from −1 to 2, beta from −1 to 2\. The lowest is 0\.5 at PC 1 1, beta 0\./);
  assert.deepEqual(pinTexts(made, [[1, 0], [9, 9]], LABELS), ["(1) PC\u00a01\u00a01   β\u00a00: training loss 0.5"]);
});

test("a gap is test minus train, and its error that of independent samples", () => {
  const gap = quantityOf(surface(), "gap/loss");
  assert.deepEqual(Array.from(gap?.values.slice(0, 3) ?? []), [5, 4, 3]);
  assert.ok(Math.abs((gap?.stderr?.[0] ?? 0) - 0.5) < 1e-6);
  const made = figure({ ...STATE, height: "gap/loss", kind: "auto", cap: null });
  assert.equal(made.scales.colour.low, -made.scales.colour.high, "zero is the middle of its colours");
});

test("a section's ticks stand along the axis it runs furthest on, whichever way it runs", () => {
  assert.deepEqual(ticksAlong([2, 0, -1, 0.5]).ticks.map(({ text, part }) => [text, part + 0]), [["−1", 1], ["−0.5", 5 / 6], ["0", 2 / 3], ["0.5", 0.5], ["1", 1 / 3], ["1.5", 1 / 6], ["2", 0]]);
  assert.equal(ticksAlong([0, -1, 0.5, 2]).axis, 1);
  const app = /** @type {any} */ ({ state: STATE, views: [{ figure: figure() }], content: { labels: LABELS } });
  const [train, other] = profiles(app, [-1, -1, 1, -1]);
  assert.deepEqual([train.values[0], train.values[200], train.values[300], train.values[400]], [5, 4, 3.5, 3]);
  assert.deepEqual([other.dashed, other.values[400]], [true, 6]);
});

test("a run's loss is its own, the plane's is under it, and drop lines go from one to the other", () => {
  const run = { name: "run", x: Float64Array.of(-1, 0.5), y: Float64Array.of(-1, -1),
    step: [0, 1], unit: "step", own: { "train/loss": Float64Array.of(6, 5) }, below: {}, drops: [], note: "" };
  const made = figure(STATE, { ...surface(), paths: [run] });
  assert.deepEqual(lossesAt(run, made, 1), { own: 5, below: 3.5 });
  assert.deepEqual(lossesAt({ ...run, below: { "train/loss": Float64Array.of(1, 2) } }, made, 1), { own: 5, below: 2 });
  const [{ stops, truth, gap, outside }] = drapePaths(made);
  assert.equal(gap, 1.25);
  assert.equal(outside, 0);
  const below = drapePaths(figure(STATE, { ...surface(), paths: [{ ...run, x: Float64Array.of(-1, 0.5, 9), y: Float64Array.of(-1, -1, 0), own: { "train/loss": Float64Array.of(4, 1.5, 3) } }] }))[0];
  assert.deepEqual([below.gap, below.outside, below.truth[2]], [1.5, 1, null], "a distance has no sign");
  const { low, high } = made.scales.height;
  assert.ok(Math.abs((truth[1] ?? 0) - (1.1 * (5 - low)) / (high - low)) < 1e-12);
  assert.ok(Math.abs((stops[1]?.[2] ?? 0) - (1.1 * (3.5 - low)) / (high - low)) < 1e-12);
});

test("a run is laid over the surface in pieces shorter than its cells, and no more of them", () => {
  const [{ points, upTo, colors }] = drapePaths(figure({ ...STATE, cap: null }, { ...surface(), paths: [{ name: "run", x: Float64Array.of(-1, -0.9, 2), y: Float64Array.of(-1, -1, -1), step: [0, 1, 2], unit: "step", own: {}, below: {}, drops: [], note: "" }], state: new Uint8Array(12).fill(1) }));
  // Cells of half the scene's unit, but for a pixel: the box from -1 to 1 has four points.
  assert.deepEqual(upTo, [0, 1, 1 + Math.ceil(((2.9 * 2) / 3) / (0.7 * 0.5))]);
  assert.equal(points.length, 6 * upTo[2]);
  for (let k = 6; k < points.length; k += 6) assert.deepEqual(points.slice(k, k + 3), points.slice(k - 3, k), "each begins where the last one ended");
  assert.deepEqual(colors.slice(0, 3), RUNS[0].pale);
  assert.deepEqual(colors.slice(-3), RUNS[0].full);
});

test("a valley sees less of the sky than a ridge, borders have a rim, and holes no colour", () => {
  const n = 41, axis = Float64Array.from({ length: n }, (_, k) => k / 20 - 1);
  const z = Float64Array.from({ length: n * n }, (_, k) => 0.5 * Math.abs(axis[k % n]));
  const colour = z.map((value) => value);
  z[20 * n + 5] = colour[20 * n + 5] = NaN;
  const mesh = makeMesh({ nx: n, ny: n, x: axis, y: axis, z, colour, ceiling: Infinity, top: 1.1, factor: 1 });
  const sky = (/** @type {number} */ i, /** @type {number} */ j) => mesh.paint[4 * (j * n + i) + 1];
  assert.ok(sky(20, 10) < 0.9 && sky(20, 10) < sky(30, 10) && sky(0, 10) === 1, "the bottom, a slope, the edge");
  const rim = (/** @type {number} */ i, /** @type {number} */ j) => mesh.paint[4 * (j * n + i) + 2];
  assert.deepEqual([rim(0, 7), rim(7, 0), rim(40, 7), rim(7, 40), rim(6, 20), rim(6, 21), rim(10, 10)], [0, 0, 0, 0, 0, 0, 1]);
  assert.ok(mesh.paint[4 * (20 * n + 5)] < -50);
  assert.equal(mesh.coarse, mesh.index, "small enough as it is");
});

test("what is open is hatched half-way to its neighbours, however fine the mesh is", () => {
  // Three by two points, each cell in four; the middle one of the upper row is open.
  const nx = 9, ny = 5, x = Float64Array.from({ length: nx }, (_, k) => k), y = Float64Array.from({ length: ny }, (_, k) => k);
  const z = new Float64Array(nx * ny);
  const mesh = makeMesh({ nx, ny, x, y, z, colour: z, ceiling: Infinity, top: 1.1, factor: 4 }, Uint8Array.of(0, 0, 0, 0, 1, 0));
  const hatched = Array.from({ length: ny }, (_, j) => Array.from({ length: nx }, (_, i) => mesh.paint[4 * (j * nx + i) + 3]).join(""));
  assert.deepEqual(hatched, ["000000000", "000000000", "001111000", "001111000", "001111000"]);
  assert.deepEqual(Array.from(mesh.position.slice(3 * (nx + 2), 3 * (nx + 2) + 3)), [2, 1, 0]);
});

test("networks on the plane are read out at their points, in sections through them, and to who does not see them", () => {
  const given = surface();
  given.record.networks = [{ name: "b.pt", short: "b", x: 1, y: 0 }, { name: "c.pt", short: "c", x: 1.2, y: 2 }, { name: "far.pt", short: "far", x: 9, y: 0 }];
  const made = figure(STATE, given);
  assert.match(spoken(made, { i: 1, j: 1 }, LABELS), /; a.pt, the checkpoint, lies here;/);
  assert.match(spoken(made, { i: 2, j: 1 }, LABELS), /; b.pt lies here;/);
  assert.match(spoken(made, { i: 2, j: 2 }, LABELS), /; c.pt lies nearest to this point;/);
  assert.doesNotMatch(spoken(made, { i: 0, j: 0 }, LABELS), /lies/);
  assert.match(describe(made, LABELS), /Other networks: b.pt at PC 1 1, beta 0; c.pt at PC 1 1.2, beta 2\./);
  const along = (/** @type {[number, number, number, number]} */ line) => networksAlong(given, line).map(({ network, part }) => [network.short, part]);
  assert.deepEqual(along([-1, 0, 2, 0]), [["a", 1 / 3], ["b", 2 / 3]]);
  assert.deepEqual(along([2, 0, -1, 0]), [["a", 2 / 3], ["b", 1 / 3]]);
  assert.deepEqual(along([1, 1, 1, 2]), []);
  // Alone, the checkpoint has its star and needs no name.
  given.record.networks = [];
  assert.deepEqual(along([-1, 0, 2, 0]), []);
});

const WIDE = (/** @type {string} */ text) => 6.5 * text.length;
const meet = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

test("names of networks keep off each other, off other networks' marks and within a map", () => {
  const bounds = /** @type {[number, number, number, number]} */ ([0, 0, 180, 180]);
  let random = 7;
  const next = () => (random = (random * 48271) % 2147483647) / 2147483647;
  let left = 0;
  for (let trial = 0; trial < 400; trial++) {
    const named = Array.from({ length: 2 + (trial % 3) }, (_, k) => {
      const [x, y] = [180 * next(), 180 * next()];
      return { text: `epoch${"0".repeat(1 + (k % 3))}`, x, y, toLeft: x > 90, upwards: y > 90 };
    });
    const placed = placedNames(named, WIDE, bounds);
    left += named.length - placed.length;
    placed.forEach(({ text, at }, k) => {
      assert.ok(at[0] >= 0 && at[1] >= 0 && at[2] <= 180 && at[3] <= 180);
      assert.ok(placed.every((other, m) => m === k || !meet(other.at, at)));
      const own = named.filter((each) => each.text === text && Math.abs(each.y - (at[1] + at[3]) / 2) < 9);
      assert.ok(named.every((each) => own.includes(each) || !meet([each.x - 6, each.y - 6, each.x + 6, each.y + 6], at)));
    });
  }
  assert.ok(left < 120, `${left} names were left out`);  // of 1,199: most have a side that is free
});

test("a name stands on the side that suits it, else above or below, else on the other side", () => {
  const at = (/** @type {any} */ own, /** @type {any[]} */ others = []) => placedNames([{ text: "net", x: 90, y: 90, toLeft: false, upwards: true, ...own }, ...others], () => 30, [0, 0, 180, 180])[0].at;
  assert.deepEqual([at({}), at({ toLeft: true }), at({ upwards: false }), at({ toLeft: true, upwards: false })], [[98, 75, 128, 89], [52, 75, 82, 89], [98, 91, 128, 105], [52, 91, 82, 105]]);
  const mark = (/** @type {number} */ x, /** @type {number} */ y) => ({ text: "", x, y, toLeft: false, upwards: true });
  assert.deepEqual([at({}, [mark(110, 80)]), at({}, [mark(110, 80), mark(110, 100)])], [[98, 91, 128, 105], [52, 75, 82, 89]]);
});

test("what can be drawn is what any surface has, and gaps of what is known of both data sets", () => {
  const other = { ...surface(), values: { "test/error": new Float64Array(12), "train/error": new Float64Array(12) } };
  assert.deepEqual(quantityNames([surface(), other]), ["train/loss", "test/loss", "train/accuracy", "test/error", "train/error", "gap/loss", "gap/error"]);
  assert.deepEqual([quantityOf(other, "train/loss"), quantityOf(other, "gap/loss"), quantityOf(surface(), "gap/accuracy")], [null, null, null]);
  assert.deepEqual([valueText(0.123456789, false), valueText(0.123456789, true), valueText(NaN, true), valueText(0.5, true, 2)], ["0.12346", "12.346 %", "nan", "50 %"]);
  const axis = Float64Array.of(-1, 0, 0.5, 2);
  assert.deepEqual([-9, -0.6, -0.4, 0.2, 0.3, 1.2, 1.3, 9].map((place) => nearest(axis, place)), [0, 0, 1, 1, 2, 2, 3, 3]);
});

test("long runs have no more than eighty drop lines, each from the surface to the true loss", () => {
  const stops = Array.from({ length: 300 }, (_, k) => (k === 4 ? null : [k, 0, 1])), truth = stops.map((_, k) => (k === 8 ? null : 2));
  const drops = dropSegments(/** @type {any} */ ({ stops, truth }), 299);
  assert.deepEqual([drops.slice(0, 12), drops.length / 6], [[0, 0, 1, 0, 0, 2, 12, 0, 1, 12, 0, 2], 73]);
  assert.equal(dropSegments(/** @type {any} */ ({ stops, truth }), 20).length / 6, 4);
  assert.equal(dropSegments(/** @type {any} */ ({ stops: stops.slice(5, 85), truth: truth.slice(5, 85) }), 79).length / 6, 79);
});

test("while a slow machine moves a large surface has fewer triangles, up to its borders, and the same places", () => {
  const nx = 150, ny = 120, axis = (/** @type {number} */ count) => Float64Array.from({ length: count }, (_, k) => k / count), z = new Float64Array(nx * ny);
  const { index, coarse, position } = makeMesh({ nx, ny, x: axis(nx), y: axis(ny), z, colour: z, ceiling: Infinity, top: 1.1, factor: 1 });
  assert.equal(index.length, 6 * (nx - 1) * (ny - 1));
  assert.ok(coarse.length / 3 > 4000 && coarse.length / 3 <= 16000, `${coarse.length / 3}`);
  const used = new Set(coarse), area = (/** @type {Uint32Array} */ list) => {
    let sum = 0;
    for (let k = 0; k < list.length; k += 3) {
      const [a, b, c] = [0, 1, 2].map((n) => [position[3 * list[k + n]], position[3 * list[k + n] + 1]]);
      sum += (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    }
    return sum / 2;
  };
  assert.ok([0, nx - 1, nx * (ny - 1), nx * ny - 1].every((corner) => used.has(corner)));
  const whole = ((nx - 1) / nx) * ((ny - 1) / ny);
  for (const list of [index, coarse]) assert.ok(Math.abs(area(list) - whole) < 1e-4, "each place is covered once, by triangles that face upwards");
});

test("two networks side by side are both named", () => {
  const named = [{ text: "epoch10", x: 45, y: 90, toLeft: false, upwards: false }, { text: "epoch05", x: 135, y: 90, toLeft: true, upwards: false }];
  assert.equal(placedNames(named, () => 48, [0, 0, 180, 180]).length, 2);
});

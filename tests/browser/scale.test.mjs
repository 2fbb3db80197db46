import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { chooseScale } from "../../plot/page/web/scale.js";
import { numberText } from "../../plot/page/web/levels.js";

const cases = JSON.parse(readFileSync(new URL("scales.json", import.meta.url), "utf8"));

/** @param {number[]} got @param {number[]} wanted @param {number} tolerance relative: two libraries' last digit */
function close(got, wanted, tolerance = 1e-12) {
  assert.equal(got.length, wanted.length);
  got.forEach((value, k) => {
    const size = Math.max(Math.abs(wanted[k]), 1e-9);
    assert.ok(Math.abs(value - wanted[k]) <= tolerance * size, `${value} is not ${wanted[k]}`);
  });
}

for (const { title, values, options, scale: wanted, probes, heights, normalized } of cases) {
  test(`the page's scale is Python's: ${title}, ${JSON.stringify(options)}`, () => {
    const scale = chooseScale(Float64Array.from(values), options);
    assert.equal(scale.kind, wanted.kind);
    assert.equal(scale.eps, wanted.eps);
    close([scale.low, scale.high], [wanted.low, wanted.high]);
    assert.equal(scale.cap === null, wanted.cap === null);
    if (scale.cap !== null) close([scale.cap], [wanted.cap]);
    assert.deepEqual(scale.levels, wanted.levels);
    assert.deepEqual(scale.ticks, wanted.ticks);
    assert.deepEqual(scale.levels.map((each) => scale.text(each)), wanted.level_texts);
    assert.deepEqual(scale.ticks.map((each) => scale.text(each)), wanted.tick_texts);
    assert.equal(scale.axisLabel(), wanted.axis_label);
    close(probes.map((each) => scale.forward(each)), heights);
    close(probes.map((each) => scale.normalized(each)), normalized, 1e-11);
  });
}

test("numbers read as in the stills", () => {
  assert.deepEqual([0.5, 20000, 3e6, 1e7, -1e-5, 0, 1234.5678, 1234567, -1.23456e-7, NaN, Infinity].map((each) => numberText(each)), [
    "0.5", "2·10⁴", "3·10⁶", "10⁷", "−10⁻⁵", "0", "1235", "1.235·10⁶", "−1.235·10⁻⁷", "nan", "inf",
  ]);
  const rounded = /** @type {[number, number][]} */ ([[99.7, 2], [-999.95, 3], [9999.96, 4], [9999.96, 5]]);
  assert.deepEqual(rounded.map((each) => numberText(...each)), ["100", "−1000", "10⁴", "10000"]);
});

test("a scale that would hide everything is refused", () => {
  const sorted = Float64Array.of(1, 2, 3);
  assert.throws(() => chooseScale(sorted, { kind: "log", cap: 0.5, label: "loss" }), /hides everything/);
  assert.throws(() => chooseScale(Float64Array.of(-1, 2), { kind: "log", label: "loss" }), /asinh or linear/);
  assert.throws(() => chooseScale(new Float64Array(0), { kind: "auto", label: "loss" }), /finite/);
});

test("a cap of nothing is one where values lie on both sides of it", () => {
  assert.equal(chooseScale(Float64Array.of(-3, -1, 2), { kind: "asinh", cap: 0, label: "loss" }).cap, 0);
});

test("a difference has its zero in the middle of the colours", () => {
  const scale = chooseScale(Float64Array.of(-0.5, 0, 3), { kind: "auto", label: "A - B", signed: true });
  assert.equal(scale.normalized(0), 0.5);
  assert.equal(scale.normalized(3), 1);
});

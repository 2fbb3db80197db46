/** Maps of similarity: which value stands where, in which colour, with which error, and where the cross-hair goes. */
import assert from "node:assert/strict";
import test from "node:test";
import { SimilarityPanel } from "../../plot/page/web/similarity.js";
import { callsOf, page } from "./drawn.mjs";

page();

const network = (/** @type {string} */ name, /** @type {string[]} */ labels, /** @type {number} */ start, /** @type {any} */ block) =>
  ({ name, labels, kinds: labels, stages: [[labels[0], 0, labels.length]], start, block });
const VALUES = Float64Array.from({ length: 36 }, (_, k) => (k === 7 ? NaN : -1 + k / 18)), ERRORS = Float32Array.from(VALUES, (_, k) => k / 1000);

/** Two networks of four layers and of two, whose matrices count from -1 to 1. */
function panel() {
  const record = {
    networks: [network("a", ["in", "x", "y", "out"], 0, [1, 2]), network("b", ["in", "out"], 4, null)], caption: "Measured.", factor: 2, share: 2,
    values: [{ name: "cka", words: "CKA", range: [-1, 1], values: 0, errors: 1 }, { name: "pc_cosine", words: "cosine", range: [-1, 1], values: 0, errors: -1 }],
  };
  const colours = Uint8Array.from({ length: 768 }, (_, k) => (k % 3 ? 0 : k / 3)), share = Float32Array.of(0.1, 0.2, 0.3, NaN, 0.5, 0.6);
  return new SimilarityPanel(/** @type {any} */ (record), [VALUES, ERRORS, share], colours, () => /** @type {any} */ ({ missing: "#ddd", soft: "#000", line: "#000" }));
}

test("each map is of the rows of one network and the columns of another, with its errors", () => {
  const [both, first, second] = panel().maps;
  assert.deepEqual([both.title, first.title, second.title], ["a × b", "a", "b"]);
  const said = (/** @type {any} */ map, /** @type {string} */ row, /** @type {string} */ column) => map.said({ row, column }).children.slice(1).map((/** @type {any} */ cell) => cell.text);
  // Row y of a is the third of six, column out of b the sixth; row out of a the fourth.
  assert.deepEqual(said(both, "y", "out"), [VALUES[2 * 6 + 5].toFixed(3), "± 0.017"]);
  assert.deepEqual(said(first, "out", "x"), [VALUES[3 * 6 + 1].toFixed(3), "± 0.019"]);
  assert.deepEqual(said(second, "out", "in"), [VALUES[5 * 6 + 4].toFixed(3), "± 0.034"]);
  assert.deepEqual(said(first, "x", "x"), ["none", "± 0.007"]);
  assert.deepEqual(said(both, "y", "x"), ["no such layer", ""]);
  const other = panel();
  other.set({ shown: 1 });
  assert.equal(said(other.maps[0], "y", "out")[1], "", "no error is stated of these");
});

test("a map's colours are those of its values within their range, the input at the lower left, holes clear", () => {
  const [, first] = panel().maps, [[image]] = callsOf(/** @type {any} */ (first.image).context, "putImageData");
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 4; j++) {
      const value = VALUES[6 * i + j], at = 4 * ((3 - i) * 4 + j);
      assert.deepEqual(Array.from(image.data.slice(at, at + 4)), Number.isFinite(value) ? [Math.round((255 * (value + 1)) / 2), 0, 0, 255] : [0, 0, 0, 0]);
    }
  }
});

test("the block is framed from its first layer to its last, on the network's own map of CKA", () => {
  const framed = (/** @type {any} */ map) => {
    map.draw({ missing: "#ddd", soft: "#000", line: "#000" });
    const { left, top, width, height } = map.box;
    return callsOf(map.canvas.context, "strokeRect").slice(1).map(([x, y, w, h]) => [(4 * (x - left)) / width, (4 * (top + height - y - h)) / height, (4 * w) / width, (4 * h) / height].map((each) => Math.round(1e6 * each) / 1e6));
  };
  const own = panel();
  assert.deepEqual(own.maps.map(framed), [[], [[1, 1, 2, 2]], []]);
  own.set({ shown: 1 });
  assert.deepEqual(own.maps.map(framed), [[], [], []]);
});

test("the cross-hair stands at what is pointed at and goes with the arrow keys, up and to the right", () => {
  const own = panel(), [, first] = own.maps;
  first.draw(/** @type {any} */ ({ missing: "#ddd", soft: "#000", line: "#000" }));
  const { left, top, width, height } = first.box, canvas = /** @type {any} */ (first.canvas);
  canvas.heard.pointermove({ offsetX: left + 0.3 * width, offsetY: top + 0.3 * height });
  assert.deepEqual(own.cross, { row: "y", column: "x" });
  const press = (/** @type {string} */ key, more = {}) => (canvas.heard.keydown({ key, preventDefault() {}, ...more }), own.cross);
  assert.deepEqual(press("ArrowUp"), { row: "out", column: "x" });
  assert.deepEqual(press("ArrowUp"), { row: "out", column: "x" });
  assert.deepEqual(press("ArrowDown", { shiftKey: true }), { row: "in", column: "x" });
  assert.deepEqual(press("ArrowRight"), { row: "in", column: "y" });
  assert.deepEqual(press("ArrowLeft"), { row: "in", column: "x" });
  canvas.context.calls.length = 0;
  first.drawCross(canvas.context);
  const [[x], [, y]] = callsOf(canvas.context, "moveTo");
  assert.deepEqual([(4 * (x - left)) / width, (4 * (top + height - y)) / height].map((each) => Math.round(1e6 * each) / 1e6), [1.5, 0.5]);
});

test("beside the maps stand the shares of first components of the layers that are pointed at, in percent", () => {
  const own = panel();
  own.cross = { row: "x", column: "out" };
  own.tell();
  const { text } = /** @type {any} */ (own.told);
  for (const each of ["PC 1 of x, a|20 %", "PC 1 of out, b|60 %", "± standard error; an interval of 95 % reaches 2 of them to either side."]) assert.ok(text.includes(each), text);
  assert.ok(!text.includes("PC 1 of out, a") && !text.includes("PC 1 of x, b"));
});

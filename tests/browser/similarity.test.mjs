/** Maps of similarity: which value stands where, in which colour, with which error, and where the cross-hair goes. */
import assert from "node:assert/strict";
import test from "node:test";
import { SimilarityPanel } from "../../plot/page/web/similarity.js";
import { callsOf, page } from "./drawn.mjs";
import { browser, frames } from "./whole.mjs";

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

const LIGHT = /** @type {any} */ ({ dark: false, missing: "#ddd", soft: "#000", line: "#111" });
const close = (/** @type {number} */ got, /** @type {number} */ wanted) => assert.ok(Math.abs(got - wanted) < 1e-6, `${got} is not ${wanted}`);

test("names of stages stand at their middles beside the rows and below the columns, the larger ones first", () => {
  const own = panel(), [both] = own.maps, canvas = /** @type {any} */ (both.canvas);
  both.row.stages = [["stem", 0, 1], ["layer1", 1, 4]];
  both.column.stages = [["one", 0, 1], ["two", 1, 2]];
  both.draw(LIGHT);
  const { left, top, width, height } = both.box, /** @type {any[]} */ written = [];
  let at = [0, 0], turned = false, align = "";
  for (const [kind, ...args] of canvas.context.calls) {
    if (kind === "set" && args[0] === "textAlign") align = args[1];
    if (kind === "translate") [at, turned] = [args, false];
    if (kind === "rotate") turned = args[0] < 0;
    if (kind === "fillText") written.push([args[0], ...at, turned, align]);
  }
  assert.deepEqual(written.map(([text, , , down, aligned]) => [text, down, aligned]), [["layer1", false, "right"], ["stem", false, "right"], ["one", true, "right"], ["two", true, "right"]]);
  [[left - 6, top + height * (1 - 2.5 / 4)], [left - 6, top + height * (1 - 0.5 / 4)], [left + width / 4, top + height + 6], [left + (3 * width) / 4, top + height + 6]].forEach((place, k) =>
    place.forEach((value, n) => close(written[k][1 + n], value)));
  // Too near to another one a name is left out, and one that is too long is cut.
  both.row.stages = [["a".repeat(40), 0, 3], ["near", 1, 2], ["far", 3, 4]];
  canvas.context.calls.length = 0;
  both.draw(LIGHT);
  const texts = callsOf(canvas.context, "fillText").map(([text]) => text);
  assert.ok(!texts.includes("near") && texts.includes("far") && texts.some((text) => /^a+…$/.test(text) && 6 * text.length <= 96), texts.join());
});

test("above a map stand the shares of the first components of its columns, as high as they are great", () => {
  const [both, first] = panel().maps;
  for (const [map, shares] of /** @type {[any, number[]][]} */ ([[both, [0.5, 0.6]], [first, [0.1, 0.2, 0.3]]])) {
    map.draw(LIGHT);
    const { left, top, width } = map.box, each = width / map.column.labels.length, bars = callsOf(map.canvas.context, "fillRect").slice(2);
    assert.equal(bars.length, shares.length);
    bars.forEach(([x, y, w, h], k) => [[x, left + k * each], [y, top - 3 - 26 * shares[k]], [w, each], [h, 26 * shares[k]]].forEach(([got, wanted]) => close(got, Math.fround(wanted) && wanted)));
    assert.deepEqual(callsOf(map.canvas.context, "drawImage"), [[map.image, left, top, width, width]]);
    assert.ok(left + width <= 300 - 10 && top >= 26 && top + width <= 320);
  }
});

test("the colours have their bar from the lowest to the highest value, with its ends, and are chosen with what is shown", () => {
  browser();
  const own = panel(), canvas = /** @type {any} */ (own.scale);
  own.record.values[1].range = [-0.346, 1];
  own.set({ shown: 1 });
  frames();
  const [low, bar, high] = /** @type {any} */ (own.element).with("class", "ends").children;
  assert.ok(low === own.ends[0] && bar === own.scale && high === own.ends[1], "the lowest stands at the left");
  const bars = [];
  let color = "";
  for (const [kind, ...args] of canvas.context.calls) {
    if (kind === "set" && args[0] === "fillStyle") color = args[1];
    if (kind === "fillRect" && args[3] === 320) bars.push([args[0], Number(/^rgb\((\d+)/.exec(color)?.[1])]);
  }
  assert.equal(bars.length, 300);
  for (const [x, red] of bars) assert.ok(Math.abs(red - (255 * x) / 299) < 1, `${red} at ${x}`);
  assert.deepEqual([own.ends.map((each) => each.textContent), canvas.attributes["aria-label"]], [["-0.35", "1"], "Colours of cosine: -0.35 to 1"]);
  assert.match(/** @type {any} */ (own.maps[0].canvas).attributes["aria-label"], /^cosine: a × b;/);
  page();
});

test("networks, values and what stands beside are chosen from lists; of a network with itself there is one map", () => {
  const own = panel(), element = /** @type {any} */ (own.element), pick = (/** @type {string} */ label, /** @type {string} */ value) => {
    const list = element.with("aria-label", label);
    list.value = value;
    list.say("change");
  };
  assert.deepEqual(["Show", "Rows", "Columns"].map((label) => element.with("aria-label", label).value), ["0", "0", "1"]);
  pick("Rows", "1");
  assert.deepEqual(own.maps.map(({ title }) => title), ["b"]);
  assert.equal(own.grid.classList.contains("several"), false);
  pick("Columns", "0");
  assert.deepEqual([own.maps.map(({ title }) => title), own.grid.children.length, own.grid.classList.contains("several")], [["b × a", "b", "a"], 3, true]);
  pick("Show", "1");
  assert.equal(own.value.name, "pc_cosine");
  own.cross = { row: "in", column: "out" };
  own.tell();
  const hint = () => /** @type {any} */ (own.told).children.at(-1).text;
  assert.equal(hint(), "No error is stated for these values.");
  own.set({ shown: 0 });
  own.record.factor = 1.9623;
  own.tell();
  assert.match(hint(), /reaches 2 of them/);
  own.record.factor = 0;
  own.tell();
  assert.equal(hint(), "The error is not known: there was one batch.");
});

test("beside a map, over its names or its bars nothing is pointed at, and keys of the browser do nothing", () => {
  const own = panel(), [, first] = own.maps, canvas = /** @type {any} */ (first.canvas);
  first.draw(LIGHT);
  const { left, top, width, height } = first.box;
  for (const [x, y] of [[left - 1, top + 5], [left + width, top + 5], [left + 5, top - 1], [left + 5, top + height + 1]]) {
    canvas.say("pointermove", { offsetX: x, offsetY: y });
    assert.equal(own.cross, null, `${x}, ${y}`);
  }
  for (const key of ["ctrlKey", "metaKey", "altKey"]) assert.equal(canvas.say("keydown", { key: "ArrowUp", [key]: true }), false);
  assert.equal(own.cross, null);
  assert.equal(canvas.say("keydown", { key: "ArrowUp" }), true);
  assert.deepEqual(own.cross, { row: "x", column: "in" });
  canvas.say("pointerdown", { offsetX: left, offsetY: top + height - 1 });
  assert.deepEqual(own.cross, { row: "in", column: "in" });
  canvas.say("pointerdown", { offsetX: left, offsetY: top });
  assert.deepEqual(own.cross, { row: "out", column: "in" });
});

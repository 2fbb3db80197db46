import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import { readPage } from "../../plot/page/web/data.js";
import { inflate, unpack } from "../../plot/page/web/packing.js";

const { index, text, sha256 } = JSON.parse(readFileSync(new URL("packing.json", import.meta.url), "utf8"));

test("the page reads back every bit that Python packed", async () => {
  const arrays = unpack(index, await inflate(text));
  const got = arrays.map((array) => createHash("sha256").update(new Uint8Array(array.buffer)).digest("hex"));
  assert.deepEqual(got, sha256);
});

test("surfaces, paths and errors of differences are made of the arrays that their numbers name", async () => {
  const number = (/** @type {string} */ type) => index.findIndex((/** @type {any} */ each) => each.type === type);
  const [real, error, whole, byte] = ["f8", "f4", "i8", "u1"].map(number), arrays = unpack(index, await inflate(text));
  const record = (/** @type {string} */ title) => ({
    title, axes: [{ values: real }, { values: real }], values: { "train/loss": real }, stderr: { "train/loss": error }, paired: { "train/loss": byte }, counts: { train: whole }, anchored: { "train/loss": real }, open: { "test/loss": byte }, state: byte,
    paths: [{ coordinates: real, step: whole, loss: real, lossName: title === "b" ? "test/loss" : "", own: { "train/mse": error }, below: { "train/loss": error }, unit: "epoch" }],
  });
  const content = { arrays: index, panes: ["a", "b"].map((title) => ({ title: `pane ${title}`, frames: [record(title)] })), differences: { "0-1": { "train/loss": error } } };
  const texts = /** @type {Record<string, string>} */ ({ content: JSON.stringify(content), arrays: text });
  Object.assign(globalThis, { document: { getElementById: (/** @type {string} */ id) => (id in texts ? { textContent: texts[id] } : null) } });
  const { panes } = await readPage();
  delete (/** @type {any} */ (globalThis).document);
  const [{ frames: [first], errorsTo }, other] = panes, [path] = first.paths;
  assert.deepEqual([panes.map(({ title }) => title), first.title, first.nx], [["pane a", "pane b"], "a", arrays[real].length]);
  assert.deepEqual([first.values["train/loss"], first.stderr["train/loss"], first.state], [arrays[real], arrays[error], arrays[byte]]);
  assert.deepEqual([first.paired, first.counts, first.anchored, first.open], [{ "train/loss": arrays[byte] }, { train: arrays[whole] }, { "train/loss": arrays[real] }, { "test/loss": arrays[byte] }]);
  // Of both panes, whichever is taken from the other, and of neither from itself.
  assert.deepEqual([errorsTo[1], other.errorsTo[0], errorsTo[0]], [{ "train/loss": arrays[error] }, { "train/loss": arrays[error] }, {}]);
  const points = Array.from(/** @type {Float64Array} */ (arrays[real]));
  assert.deepEqual([Array.from(path.x), Array.from(path.y)], [0, 1].map((part) => points.filter((_, k) => k % 2 === part)));
  assert.deepEqual([path.step, path.unit], [Array.from(/** @type {any} */ (arrays[whole]), Number), "epoch"]);
  assert.deepEqual([Object.keys(path.own), Object.keys(other.frames[0].paths[0].own), Object.keys(path.below)], [["train/loss", "train/mse"], ["test/loss", "train/mse"], ["train/loss"]]);
});

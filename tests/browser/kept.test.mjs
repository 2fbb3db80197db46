/** What a page holds and draws in each of its states is what it held and drew: `LANDSCAPE_KEEP=1 node --test` writes it anew. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import test from "node:test";
import { Element } from "./drawn.mjs";
import { browser, frames, named, ring, run, stage, whole } from "./whole.mjs";

const FOLDER = new URL("../baseline/script/", import.meta.url);
const NEAR = 1e-6;

/** All numbers below a value as their count and a sum in which their order counts, and a digest of all texts. @param {any} value */
function told(value) {
  /** @type {string[]} */ const texts = [];
  let number = 0, sum = 0;
  const seen = new Set();
  const see = (/** @type {any} */ each, /** @type {number} */ depth) => {
    if (typeof each === "bigint") each = Number(each);
    if (typeof each === "boolean") each = each ? 3 : 7;
    if (typeof each === "number") {
      number++;
      // A colour of eight digits must not hide what a length of one does.
      sum += Math.sin(number) * (Number.isFinite(each) ? Math.asinh(100 * each) : Number.isNaN(each) ? 0.123 : Math.sign(each) * 45.6);
    } else if (typeof each === "string") {
      texts.push(each);
    } else if (each && typeof each === "object" && depth < 7 && !(each instanceof Element) && !seen.has(each)) {
      seen.add(each);
      if (ArrayBuffer.isView(each) || Array.isArray(each)) for (const one of /** @type {any} */ (each)) see(one, depth + 1);
      else if (each instanceof Map || each instanceof Set) for (const one of each) see(one, depth + 1);
      else for (const key of Object.keys(each).sort()) if (!["uuid", "id"].includes(key)) see(each[key], depth + 1);
    }
  };
  see(value, 0);
  return [number, Number(sum.toPrecision(9)), texts.length && createHash("sha256").update(texts.join("|")).digest("hex").slice(0, 8)];
}

/** What stands in an element and all below it, a line each. @param {Element} element @param {string} [indent] @returns {string[]} */
function outline(element, indent = "") {
  const own = element.children.filter((child) => !(child instanceof Element)).join(" ");
  const attributes = Object.entries(element.attributes).filter(([name]) => name !== "src").map(([name, value]) => `${name}=${value}`);
  const more = ["hidden", "value", "checked", "title"].filter((name) => /** @type {any} */ (element)[name]).map((name) => `.${name}=${/** @type {any} */ (element)[name]}`);
  const line = [`${indent}${element.tag}`, ...attributes, ...more, own].join(" ").trimEnd();
  return [line, ...element.children.flatMap((child) => (child instanceof Element ? outline(child, `${indent} `) : []))];
}

/** What is drawn on all canvases below an element: each kind of call with its numbers and texts. @param {Element} root */
function drawings(root) {
  return root.all.filter((each) => each.tag === "canvas" && each.context.calls.length).map((canvas) => {
    /** @type {Record<string, any[]>} */ const kinds = {};
    for (const [kind, ...given] of canvas.context.calls.splice(0)) (kinds[kind === "set" ? `set ${given[0]}` : kind] ??= []).push(given);
    return Object.fromEntries(Object.entries(kinds).map(([kind, calls]) => [kind, [calls.length, ...told(calls)]]));
  });
}

/** Where two values differ first. @param {any} kept @param {any} found @param {string} [place] @returns {string} */
function difference(kept, found, place = "") {
  if (typeof kept === "number" && typeof found === "number") {
    return Math.abs(kept - found) <= NEAR * Math.max(1, Math.abs(kept)) ? "" : `${place}: ${kept} is kept, ${found} found`;
  }
  if (kept && found && typeof kept === "object" && typeof found === "object") {
    for (const key of new Set([...Object.keys(kept), ...Object.keys(found)])) {
      const said = difference(kept[key], found[key], `${place}/${key}`);
      if (said) return said;
    }
    return "";
  }
  return kept === found ? "" : `${place}: ${JSON.stringify(kept)} is kept, ${JSON.stringify(found)} found`;
}

/** @param {string} name @param {Record<string, any>} found */
function assertKept(name, found) {
  const file = new URL(`${name}.json`, FOLDER);
  if (process.env.LANDSCAPE_KEEP === "1") {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, `{\n${Object.entries(found).map(([key, each]) => `${JSON.stringify(key)}: ${JSON.stringify(each)}`).join(",\n")}\n}\n`);
  }
  assert.equal(difference(JSON.parse(readFileSync(file, "utf8")), JSON.parse(JSON.stringify(found))), "", name);
}

const STATES = /** @type {Record<string, any>} */ ({
  "another height": { height: "test/loss" }, "a colour of its own": { colour: "train/accuracy" }, log: { kind: "log" }, linear: { kind: "linear" },
  "a cap": { cap: 3 }, exaggerated: { exaggeration: 2 }, "scales of their own": { shared: false }, "no paths": { paths: false }, cividis: { colormap: "cividis" },
  smooth: { smooth: true }, "no lines": { lines: false }, "no floor": { floor: false }, "no box": { box: false }, drops: { drops: true }, "a headlight": { headlight: true },
  "half of the run": { step: 0.5 }, pins: { pins: [[1, 0], [2, 1]] }, section: { section: [0, 0, 1, 1] }, "next frame": { frame: 1 }, trust: { drawer: "trust" },
  "from the side": { eyes: [{ azimuth: 0.4, elevation: 0.1, zoom: 1.5, x: 0.1, y: -0.2 }] },
});

const PAGES = /** @type {Record<string, () => any>} */ ({
  one: () => [[[named("a")]], {}, null],
  "one in 3D": () => [[[named("a")]], {}, stage()],
  two: () => [[[named("a", { paths: [run("sgd", [-0.5, 0, 1], [0, 0.5, 1.5])] }), named("a2")], [named("b", {}, { trust: [["not finite", "1 of 12"]], caption: "b." })]], {}, stage()],
  log: () => [[[named("a")], [named("b")]], { start: { kind: "log", smooth: true, lines: true, colour: "train/accuracy" } }, stage()],
});

for (const [name, make] of Object.entries(PAGES)) {
  test(`page ${name}`, () => {
    browser();
    const [panes, content, drawing] = make();
    const app = whole(panes, content, drawing);
    const root = /** @type {any} */ (globalThis.document.body), all = new Element("all");
    all.append(app.main ?? root, ...app.views.map((/** @type {any} */ view) => view.map));
    for (const { map } of app.views) [map.clientWidth, map.clientHeight] = [260, 220];
    frames();
    ring();
    const before = { ...app.state };
    const base = outline(all);
    /** @type {Record<string, any>} */ const found = { outline: base, drawn: drawings(all), shots: told(drawing?.shots.splice(0)) };
    for (const [state, change] of Object.entries(STATES)) {
      app.store.set(change);
      frames();
      ring();
      const changed = outline(all).filter((line) => !base.includes(line));
      found[state] = { changed, drawn: drawings(all), shots: told(drawing?.shots.splice(0)) };
      app.store.set(Object.fromEntries(Object.keys(change).map((key) => [key, before[key]])));
      frames();
      ring();
      drawings(all);
      drawing?.shots.splice(0);
    }
    assertKept(name.replaceAll(" ", "-"), found);
  });
}

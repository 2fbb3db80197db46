/** From the text of a page to what stands in it: panes, bars and tabs, its address, and what Escape takes back. */
import assert from "node:assert/strict";
import test from "node:test";
import { deflateSync } from "node:zlib";
import { Element, LABELS, page, surface } from "./drawn.mjs";
import { browser, frames, media, ring } from "./whole.mjs";

/** @type {any} */ const known = {};

/** Arrays as a page has them: each is a table of its numbers, looked up in their order. @param {any[]} arrays */
function packed(arrays) {
  const parts = arrays.map((array) => [Buffer.from(array.buffer), Buffer.from(array.map((_, k) => (k ? 2 : 0)))]);
  const index = arrays.map((array, k) => ({ type: array instanceof Float64Array ? "f8" : "u1", shape: [array.length], table: array.length, bytes: parts[k][0].length + array.length }));
  return { index, text: deflateSync(Buffer.concat(parts.flat())).toString("base64") };
}

/**
 * Start a page of surfaces, in a browser that notes its address.
 * @param {{panes?: number, similarities?: any[], hash?: string, search?: string, start?: any}} [given]
 */
async function started({ panes = 2, similarities = [], hash = "", search = "", start = {} } = {}) {
  const root = browser(), app = new Element("div"), heard = /** @type {Record<string, any>} */ ({}), /** @type {string[]} */ addresses = [];
  const { values, x, y, state, record } = surface(), { index, text } = packed([x, y, values["train/loss"], values["test/loss"].map((value) => value + 0), Uint8Array.from(state, (_, k) => k + 1), Float64Array.of(0.5)]);
  const axes = record.axes.map((axis, k) => ({ ...axis, values: k }));
  const made = (/** @type {string} */ title) => ({ ...record, title, axes, values: { "train/loss": 2, "test/loss": 3 }, stderr: {}, paired: {}, counts: {}, anchored: {}, open: {}, state: 4, paths: [], trust: [], curvature: [], caption: "", file: "" });
  const content = {
    name: "Page", arrays: index, labels: LABELS, start: { smooth: false, ...start }, captions: { "train/loss": ["Measured."] }, frameLabel: "Epoch", similarities,
    colormaps: Object.fromEntries(["viridis", "PuOr_r", "magma"].map((name) => [name, btoa("\x01".repeat(768))])), panes: Array.from({ length: panes }, (_, k) => ({ title: `p${k}`, frames: [made(`net ${k}`)] })),
  };
  const texts = /** @type {Record<string, any>} */ ({ content: { textContent: JSON.stringify(content) }, arrays: { textContent: text }, app });
  Object.assign(globalThis.document, { getElementById: (/** @type {string} */ id) => texts[id] });
  app.querySelector = (/** @type {string} */ words) => {
    const bar = app.all.find((each) => each.attributes.class === "toolbar");
    if (!bar || words === ".toolbar") return bar ?? null;
    return { after: (/** @type {any} */ tabs) => bar.append(tabs) };
  };
  Object.assign(globalThis, {
    location: { hash, search, pathname: "/page.html" }, history: { replaceState: (/** @type {any} */ _, /** @type {any} */ __, /** @type {string} */ to) => addresses.push(to) },
    addEventListener: (/** @type {string} */ name, /** @type {any} */ each) => { heard[name] = each; },
  });
  known.count = (known.count ?? 0) + 1;
  await import(`../../plot/page/web/main.js?${known.count}`);
  const running = await (/** @type {any} */ (globalThis)).landscape;
  frames();
  return { app: /** @type {any} */ (running), place: app, root, heard, addresses, with: (/** @type {string} */ name, /** @type {string} */ value) => app.all.find((each) => each.attributes[name] === value) };
}

test("a page has its bar, panes, panel, section, time and caption, and says where it has no WebGL", async () => {
  const { app, place, root, with: found } = await started();
  assert.deepEqual(app.views.map((/** @type {any} */ view) => view.heading.textContent), ["net 0", "net 1"]);
  assert.deepEqual(Array.from(app.panes[1].frames[0].values["train/loss"].slice(0, 3)), [5, 4, 3]);
  assert.deepEqual(place.children.map((each) => each.tag), ["p", "header", "div", "section", "div", "footer", "p"]);
  assert.match(place.children[0].text, /no WebGL/);
  assert.ok(found("id", "drawer") && found("class", "toolbar") && app.live === place.children.at(-1) && place.children.at(-2)?.text === "Measured.");
  assert.deepEqual(["running", "flat", "solid", "embedded"].map((name) => root.classList.contains(name)), [true, true, false, false]);
  assert.ok(!found("role", "tablist"), "of one thing there are no tabs");
});

test("the address follows what is seen, after a moment, and a typed one is followed", async () => {
  const { app, addresses, heard } = await started({ hash: "#cap=3" });
  assert.equal(app.state.cap, 3);
  app.store.set({ cap: 4 });
  app.store.set({ cap: 5 });
  assert.deepEqual(addresses, []);
  ring();
  assert.deepEqual(addresses, ["#cap=5"]);
  app.store.set({ cap: null });
  ring();
  assert.equal(addresses.at(-1), "/page.html");
  Object.assign(globalThis.location, { hash: "#kind=log" });
  heard.hashchange();
  assert.deepEqual([app.state.kind, app.state.cap], ["log", null]);
  // Its own, it leaves alone.
  app.store.read = () => assert.fail("read again");
  heard.hashchange();
  Object.assign(globalThis.history, { replaceState: () => { throw new Error("not in a frame"); } });
  app.store.set({ cap: 7 });
  ring();
});

test("Escape closes the panel first, then the section and the kept points", async () => {
  const { app, heard } = await started(), escape = () => heard.keydown({ key: "Escape" });
  app.store.set({ drawer: "trust", section: [0, 0, 1, 1], pins: [[0, 0]] });
  heard.keydown({ key: "a" });
  assert.equal(app.state.drawer, "trust");
  escape();
  assert.deepEqual([app.state.drawer, app.state.section, app.state.pins], ["", [0, 0, 1, 1], [[0, 0]]]);
  const before = Object.assign(new Element("p"), { closest: () => null });
  Object.assign(globalThis.document, { activeElement: before });
  escape();
  assert.deepEqual([app.state.section, app.state.pins, globalThis.document.activeElement === before], [null, [], true]);
  app.store.set({ section: [0, 0, 1, 1] });
  Object.assign(globalThis.document, { activeElement: { closest: (/** @type {string} */ words) => words === ".section" } });
  escape();
  assert.equal(globalThis.document.activeElement, app.views[0].mapTop, "the keyboard is not lost with what it stood in");
});

test("embedded there are panes and no bar, and no tabs", async () => {
  const { root, with: found } = await started({ search: "?embed", similarities: [similar()] });
  assert.deepEqual([root.classList.contains("embedded"), found("class", "toolbar"), found("role", "tablist")], [true, undefined, undefined]);
});

const network = (/** @type {string} */ name) => ({ name, labels: ["in"], kinds: ["in"], stages: [["in", 0, 1]], start: 0, block: null });
const similar = (names = ["a"]) => ({ title: "s", networks: names.map(network), caption: "", factor: 0, share: 5, values: [{ name: "cka", words: "CKA", range: [0, 1], values: 5, errors: -1 }] });

test("similarity beside a landscape is a tab that is drawn anew in another theme", async () => {
  const { app, place, with: found } = await started({ similarities: [similar(), similar()] });
  const tabs = found("role", "tablist"), [first] = app.panels;
  assert.deepEqual(tabs?.children.map((/** @type {any} */ each) => each.text), ["Landscape", "Similarity 1", "Similarity 2"]);
  assert.ok(place.all.includes(first.element) && first.element.hidden);
  tabs?.children[1].say("click");
  frames();
  assert.deepEqual([first.element.hidden, first.theme().dark], [false, false]);
  let drawn = 0;
  first.draw = () => { drawn++; };
  app.store.set({ cap: 3 });
  assert.equal(drawn, 0);
  app.store.set({ theme: "dark" });
  assert.deepEqual([drawn, first.theme().dark], [1, true]);
});

test("similarity alone is a page of its own, in the theme of its surroundings", async () => {
  const { app, place, root } = await started({ panes: 0, similarities: [similar(), similar()] }), scheme = media["(prefers-color-scheme: dark)"];
  assert.deepEqual(place.children.map((each) => each.tag), ["header", "section", "section"]);
  assert.equal(place.children[0].text, "Page");
  assert.deepEqual(["running", "solid"].map((name) => root.classList.contains(name)), [true, true]);
  assert.deepEqual(["alone", "elsewhere"].map((name) => place.classList.contains(name)), [true, true]);
  assert.equal(root.dataset.theme, "light");
  scheme.matches = true;
  scheme.say();
  assert.deepEqual([root.dataset.theme, app.theme().dark], ["dark", true]);
  page();
});

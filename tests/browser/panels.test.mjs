/** Buttons, fields and tables of the page: what they show, and what they do to the state. */
import assert from "node:assert/strict";
import test from "node:test";
import { chooser, fly, makeToolbar } from "../../plot/page/web/controls.js";
import { makeCurvature } from "../../plot/page/web/curvature.js";
import { choice, legendItem, make, prepare } from "../../plot/page/web/dom.js";
import { makeDrawer } from "../../plot/page/web/drawer.js";
import { Store } from "../../plot/page/web/state.js";
import { addTabs } from "../../plot/page/web/tabs.js";
import { Element, LABELS, callsOf, figure, page, surface } from "./drawn.mjs";

page();

/** A page of two networks on one grid. @param {any} [start] @param {any} [change] */
function app(start = {}, change = () => {}) {
  const frames = ["one", "two"].map((title) => ({ ...surface(), title, errors: {}, names: Object.keys(surface().values) }));
  for (const each of frames) Object.assign(each.record, { trust: [["points", "12"], ["last", "x"]], caption: "Measured.", curvature: [], title: each.title });
  change(frames);
  const store = new Store({ height: "train/loss", ...start });
  return /** @type {any} */ ({
    store, get state() { return store.state; }, names: ["train/loss", "train/convexity"], frames: 1, player: { flights: [] }, theme: { dark: true }, afterDraw: [], allViews: [],
    content: { name: "Page", labels: { ...LABELS, "train/convexity": "convexity" }, start: {}, colormaps: {} },
    panes: frames.map((each) => ({ title: each.title, frames: [each], errorsTo: [{}, {}] })),
    views: frames.map((each) => ({ figure: figure(undefined, each), paths: [] })), surfaceOf: (/** @type {number} */ k) => frames[k], setMoving() {},
  });
}

test("an element has its attributes, listeners and text, which is never markup", () => {
  const clicked = () => {};
  const made = /** @type {any} */ (make("button", { type: "button", disabled: true, hidden: false, tabindex: 0, click: clicked }, "<b>bold</b>", make("i")));
  assert.deepEqual([made.attributes, made.heard.click, made.children[0], made.children[1].tag], [{ type: "button", disabled: "", tabindex: "0" }, clicked, "<b>bold</b>", "i"]);
  const select = /** @type {any} */ (choice({}, [[0.5, "half"], [1, "one"]], 1));
  assert.deepEqual([select.value, select.children.map((/** @type {any} */ each) => [each.attributes.value, each.text])], ["1", [["0.5", "half"], ["1", "one"]]]);
  const [plain, dashed, mark] = [{ color: "red", mark: "", text: "a" }, { color: "red", mark: "", text: "a", dashed: true }, { color: "", mark: "◆", text: "b" }].map((item) => /** @type {any} */ (legendItem(item)));
  assert.deepEqual([plain.children[0].attributes.class, dashed.children[0].attributes.class, dashed.children[0].style.borderColor, mark.text], ["", "dashed", "red", "◆ b"]);
});

test("a canvas has the pixels of its screen, up to three for one of the page", () => {
  for (const [ratio, wanted] of [[1, 1], [2, 2], [4, 3]]) {
    Object.assign(globalThis, { devicePixelRatio: ratio });
    const canvas = /** @type {any} */ (new Element("canvas"));
    assert.deepEqual([prepare(canvas).ratio, canvas.width, canvas.height], [wanted, 300 * wanted, 320 * wanted]);
    assert.deepEqual(callsOf(canvas.context, "setTransform"), [[wanted, 0, 0, wanted, 0, 0]]);
  }
  Object.assign(globalThis, { devicePixelRatio: 1 });
});

test("a number is taken with a comma or a point, an empty field is automatic, and nonsense changes nothing", () => {
  const own = app(), drawer = /** @type {any} */ (makeDrawer(own));
  const typed = (/** @type {string} */ key, /** @type {string} */ text) => {
    const field = drawer.with("data-key", key);
    field.value = text;
    field.heard.change();
    return [own.state[key], field.value];
  };
  assert.deepEqual(["0,5", "0.25", "x", "-1", "0"].map((text) => typed("eps", text)), [[0.5, "0.5"], [0.25, "0.25"], [0.25, "0.25"], [0.25, "0.25"], [0.25, "0.25"]]);
  own.store.set({ eps: null });
  assert.equal(drawer.with("data-key", "eps").value, "", "it follows what is set elsewhere");
  // Not while somebody types.
  const field = drawer.with("data-key", "cap");
  Object.assign(globalThis.document, { activeElement: field });
  field.value = "1";
  own.store.set({ cap: 9 });
  assert.equal(field.value, "1");
  own.store.set({ cap: null });
  assert.equal(field.value, "");
  Object.assign(globalThis.document, { activeElement: null });
  assert.deepEqual([typed("eps", " "), typed("cap", "-2,5"), typed("cap", "1e400"), typed("cap", "")], [[null, ""], [-2.5, "-2.5"], [-2.5, "-2.5"], [null, ""]]);
});

test("a section goes along the axis of its button, through the last point that was kept", () => {
  const own = app(), drawer = /** @type {any} */ (makeDrawer(own));
  const along = (/** @type {string} */ name) => (drawer.with("aria-label", `Section along ${name}`).heard.click(), own.state.section);
  assert.deepEqual([along("PC 1"), along("β")], [[-1, 0, 2, 0], [0, -1, 0, 2]]);
  own.store.set({ pins: [[9, 9], [1, 5]] });
  assert.deepEqual([along("PC 1"), along("β")], [[-1, 2, 2, 2], [1, -1, 1, 2]]);
  drawer.with("aria-label", "No section").heard.click();
  assert.equal(own.state.section, null);
});

test("boxes and choices write what they name, and a difference is the first less the second", () => {
  const own = app({ floor: false }), drawer = /** @type {any} */ (makeDrawer(own));
  for (const key of ["shared", "linked", "lines", "floor", "box", "smooth", "headlight"]) {
    const box = drawer.with("data-key", key), before = own.state[key];
    assert.equal(box.checked, before, key);
    box.checked = !before;
    box.heard.change();
    assert.equal(own.state[key], !before, key);
  }
  const options = drawer.with("data-key", "difference").children.map((/** @type {any} */ each) => [each.attributes.value, each.text]);
  assert.deepEqual(options, [["", "none"], ["0-1", "one − two"], ["1-0", "two − one"]]);
  own.store.set({ drawer: "adjust", cap: 3 });
  drawer.all.find((/** @type {any} */ each) => each.text === "Reset everything").heard.click();
  assert.deepEqual([own.state.cap, own.state.floor, own.state.drawer], [null, false, "adjust"]);
});

test("how far a surface can be trusted is said with what its picture leaves out", () => {
  const own = app();
  own.views[0].paths = [{ path: { name: "run", note: "no losses" }, gap: 0.0625, outside: 2, stops: Array(7) }];
  const drawer = /** @type {any} */ (makeDrawer(own));
  assert.equal(drawer.hidden, true);
  own.store.set({ drawer: "trust" });
  const [adjust, trust, curvature] = drawer.children.slice(1);
  assert.deepEqual([drawer.hidden, adjust.hidden, trust.hidden, curvature.hidden, drawer.attributes["aria-label"]], [false, true, false, true, "Trust"]);
  own.views[0].paths[0].gap = 0;
  own.store.set({ drawer: "" });
  own.store.set({ drawer: "trust" });
  assert.ok(trust.text.includes("run: true loss|0 away from the plane's (median)"), "a gap of nothing is known as well");
  own.views[0].paths[0] = { ...own.views[0].paths[0], gap: null, outside: 0, path: { name: "run", note: "" } };
  own.store.set({ drawer: "" });
  own.store.set({ drawer: "trust" });
  assert.ok(!trust.text.includes("run"), "what is not known, or nothing, is not said");
  own.views[0].paths = [{ path: { name: "run", note: "no losses" }, gap: 0.0625, outside: 2, stops: Array(7) }];
  own.store.set({ drawer: "" });
  own.store.set({ drawer: "trust" });
  for (const each of ["points|12|above the cap|1 of 12, cap 30|last|x|", "run: true loss|0.0625 away from the plane's (median)", "run: not drawn|2 of 7 iterates lie outside or over holes", "run|no losses"]) {
    assert.ok(trust.text.includes(each), trust.text);
  }
});

test("the bar's buttons show what is on, and a second press takes it back", () => {
  const own = app(), bar = /** @type {any} */ (makeToolbar(own));
  const pressed = () => bar.all.filter((/** @type {any} */ each) => each.attributes["data-kind"] && each.attributes["aria-pressed"] === "true").map((/** @type {any} */ each) => each.attributes["data-kind"]);
  assert.deepEqual(pressed(), ["auto"]);
  bar.with("data-kind", "log").heard.click();
  assert.deepEqual([own.state.kind, pressed()], ["log", ["log"]]);
  const button = bar.with("aria-label", "Trust");
  for (const open of ["trust", "", "trust"]) {
    button.heard.click();
    assert.deepEqual([own.state.drawer, button.attributes["aria-expanded"]], [open, String(open !== "")]);
  }
  bar.with("aria-label", "Light or dark").heard.click();
  assert.equal(own.state.theme, "light", "it is dark");
  const select = /** @type {any} */ (chooser(own, "Colour", "colour", [["", "as height"], ["test/loss", "test loss"]])).children[1];
  select.value = "test/loss";
  select.heard.change();
  own.store.set({ colour: "" });
  assert.equal(select.value, "");
  assert.ok(bar.all.some((/** @type {any} */ each) => each.text === "Along PC 1"));
});

test("a view is reached by the shorter way, at once where somebody asked for less motion", () => {
  const own = app({ eyes: [{ azimuth: 170, elevation: 10, zoom: 2, panX: 0.5, panY: 0 }] }), /** @type {any[]} */ waiting = [], target = { azimuth: -170, elevation: 50, zoom: 1, panX: 0, panY: 0 };
  own.eyeOf = () => own.state.eyes[0];
  let reduce = true;
  Object.assign(globalThis, { matchMedia: () => ({ matches: reduce }), requestAnimationFrame: (/** @type {any} */ next) => waiting.push(next) });
  const began = own.state;
  fly(own, target);
  assert.deepEqual([own.state.eyes, waiting.length], [[target], 0]);
  reduce = false;
  own.store.set(began);
  fly(own, target);
  const started = performance.now();
  waiting.pop()(started + 210);
  const [{ azimuth, elevation, zoom }] = own.state.eyes;
  assert.ok(Math.abs(azimuth) > 170 && elevation > 15 && elevation < 45 && zoom > 1 && zoom < 2, `${azimuth}, ${elevation}, ${zoom}`);
  waiting.pop()(started + 9999);
  assert.deepEqual([own.state.eyes, waiting.length], [[target], 0]);
});

test("one tab is shown at a time, and its button says so", () => {
  const drawn = /** @type {string[]} */ ([]), row = new Element("div");
  const panels = ["A", "B"].map((name) => ({ name, element: new Element("section"), draw: () => drawn.push(name) }));
  const root = Object.assign(new Element("div"), { querySelector: (/** @type {string} */ words) => (words.includes("h1") ? { after: (/** @type {any} */ tabs) => row.append(tabs) } : new Element("div")) });
  addTabs(/** @type {any} */ (root), "Landscape", /** @type {any} */ (panels));
  const buttons = /** @type {any[]} */ (row.children[0].children), seen = () => [root.classList.contains("elsewhere"), ...panels.map((each) => each.element.hidden), ...buttons.map((each) => each.attributes["aria-selected"])];
  assert.deepEqual(buttons.map((each) => each.text), ["Landscape", "A", "B"]);
  assert.deepEqual(seen(), [false, true, true, "true", "false", "false"]);
  buttons[2].heard.click();
  assert.deepEqual([seen(), drawn], [[true, true, false, "false", "false", "true"], ["B"]]);
});

test("curvature is shown of each network with what has not converged, errors, and bars of the greatest trace on either side", () => {
  const layer = (/** @type {string} */ name, /** @type {number} */ normalised) => ({ name, normalised, normalisedError: 0.125 });
  const report = { title: "train", verdict: "Saddle.", rows: [["greatest", "9", "0.9"]], facts: ["Of 500 samples."], slice: [], left: 3, layers: [layer("fc", -4), layer("conv", 2)], spectra: [{ title: "raw", eigenvalues: [9, -0.5], converged: [1, 0], edges: [], counts: [], errors: [] }] };
  const own = app({ drawer: "curvature" }, (/** @type {any[]} */ frames) => frames.forEach((each) => each.record.curvature.push(report)));
  const panel = /** @type {any} */ (makeCurvature(own)), { text } = panel;
  for (const each of ["one: train|Saddle.", "two: train|Saddle.", "fc||−4 ± 0.13", "conv||2 ± 0.13", "and 3 more of smaller trace", "Of 500 samples."]) assert.ok(text.includes(each), text);
  assert.equal(panel.with("role", "img").attributes["aria-label"], "Spectrum, raw: eigenvalues 9, −0.5 (not converged)");
  const bars = panel.all.filter((/** @type {any} */ each) => each.tag === "i").slice(0, 2);
  assert.deepEqual(bars.map((/** @type {any} */ each) => [each.attributes.class, each.style.width]), [["negative", "100%"], ["", "50%"]]);
  const button = panel.with("data-colour", "train/convexity");
  for (const colour of ["train/convexity", ""]) {
    button.heard.click();
    assert.deepEqual([own.state.colour, button.attributes["aria-pressed"]], [colour, String(colour !== "")]);
  }
});

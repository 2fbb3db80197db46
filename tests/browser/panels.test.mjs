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

test("the panel is closed by its button, and the keyboard goes back to what opened it", () => {
  const own = app({ drawer: "adjust" }), drawer = /** @type {any} */ (makeDrawer(own)), opener = new Element("button");
  Object.assign(globalThis.document, { querySelector: (/** @type {string} */ words) => (words.includes("drawer") && words.includes('expanded="true"') && own.state.drawer ? opener : null) });
  for (const [name, title, label] of [["adjust", "Adjust", "Adjust"], ["curvature", "Curvature in all directions", "Curvature"], ["trust", "How far this can be trusted", "Trust"]]) {
    own.store.set({ drawer: name });
    assert.deepEqual([drawer.with("class", "heading").text, drawer.attributes["aria-label"], drawer.hidden], [title, label, false]);
    assert.deepEqual(drawer.children.slice(1).filter((/** @type {any} */ each) => !each.hidden).length, 1);
  }
  drawer.with("aria-label", "Close the panel").say("click");
  assert.deepEqual([own.state.drawer, drawer.hidden, globalThis.document.activeElement === /** @type {any} */ (opener)], ["", true, true]);
  Object.assign(globalThis.document, { querySelector: () => null, activeElement: null });
});

test("colour maps are those that suit, and the one a page was made with; a difference needs equal grids", () => {
  const own = app();
  own.content.start = { colormap: "plasma" };
  own.panes[1].frames[0].x = Float64Array.of(-1, 0, 1, 3);
  const drawer = /** @type {any} */ (makeDrawer(own)), words = (/** @type {string} */ key) => drawer.with("data-key", key).children.map((/** @type {any} */ each) => [each.attributes.value, each.text]);
  assert.deepEqual(words("colormap"), [["plasma", "plasma"], ["viridis", "viridis"], ["cividis", "cividis"], ["magma", "magma"], ["inferno", "inferno"], ["coolwarm", "coolwarm (classic)"]]);
  assert.deepEqual(words("difference"), [["", "none: the grids differ"]]);
  own.panes[1].frames[0].x = own.panes[0].frames[0].x;
  own.panes[1].title = "";
  assert.deepEqual(/** @type {any} */ (makeDrawer(own)).with("data-key", "difference").children[1].text, "one − pane 2", "who has no name has a number");
  own.panes.pop();
  own.content.start = {};
  const alone = /** @type {any} */ (makeDrawer(own));
  assert.ok(!alone.all.some((/** @type {any} */ each) => ["difference", "linked", "shared"].includes(each.attributes["data-key"])));
  assert.equal(alone.with("data-key", "colormap").children.length, 5);
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
  // What stands beside a box is what it switches.
  const beside = drawer.all.filter((/** @type {any} */ each) => each.attributes.class === "flag").map((/** @type {any} */ each) => [each.children[0].attributes["data-key"], each.text.slice(1)]);
  assert.deepEqual(beside, [["shared", "One scale for all"], ["linked", "Turn together"], ["lines", "Iso-lines"], ["floor", "Contours on the floor"], ["box", "Axes"], ["smooth", "Smooth coarse grids"], ["headlight", "Light moves with the eye"]]);
  const fields = drawer.all.filter((/** @type {any} */ each) => ["number", "choice", "range"].includes(each.attributes.class)).map((/** @type {any} */ each) => [each.all.find((/** @type {any} */ part) => part.attributes["data-key"]).attributes["data-key"], each.children[0].text]);
  assert.deepEqual(fields, [["eps", "ε in log(L + ε)"], ["cap", "Cap"], ["exaggeration", "Exaggerate"], ["colormap", "Colour map"], ["difference", "Difference"]]);
  assert.deepEqual(["eps", "cap"].map((key) => drawer.with("data-key", key).attributes.placeholder), ["automatic", "none"]);
  const slider = drawer.with("data-key", "exaggeration");
  slider.value = "1.5";
  slider.say("input");
  assert.deepEqual([own.state.exaggeration, drawer.with("class", "range").text.split("|").at(-1)], [1.5, "× 1.5"]);
  own.store.set({ exaggeration: 2 });
  assert.equal(slider.value, "2");
  const paths = app({}, (/** @type {any[]} */ frames) => { frames[1].paths = [{}]; }), more = /** @type {any} */ (makeDrawer(paths));
  assert.deepEqual(["paths", "drops"].map((key) => more.with("data-key", key).checked), [true, false]);
  assert.deepEqual(["paths", "drops"].map((key) => more.all.find((/** @type {any} */ each) => each.attributes.class === "flag" && each.children[0].attributes["data-key"] === key).children[1].text), ["Trajectories", "Drop lines from the true loss"]);
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
  own.theme = { dark: false };
  bar.with("aria-label", "Light or dark").heard.click();
  assert.equal(own.state.theme, "dark", "it is light");
  const words = (/** @type {string} */ key) => bar.with("data-key", key).children.map((/** @type {any} */ each) => [each.attributes.value, each.text]);
  assert.deepEqual(words("height"), [["train/loss", "training loss"], ["train/convexity", "convexity"]]);
  assert.deepEqual(words("colour"), [["", "as height"], ...words("height")]);
  assert.deepEqual(bar.all.filter((/** @type {any} */ each) => each.attributes.class === "choice").map((/** @type {any} */ each) => each.children[0].text), ["Height", "Colour"]);
  assert.deepEqual(bar.all.filter((/** @type {any} */ each) => each.attributes["data-kind"]).map((/** @type {any} */ each) => [each.attributes["data-kind"], each.text]), [["auto", "Auto"], ["log", "Log"], ["linear", "Linear"], ["asinh", "Asinh"]]);
  assert.deepEqual(bar.all.filter((/** @type {any} */ each) => each.attributes["data-preset"]).map((/** @type {any} */ each) => [each.attributes["data-preset"], each.text]), [["paper", "Paper"], ["top", "Top"], ["side", "Side"], ["along", "Along PC 1"]]);
  assert.equal(bar.all.find((/** @type {any} */ each) => each.tag === "h1")?.text, "Page");
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

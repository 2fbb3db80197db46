/** What each control, key and move of the pointer changes, and what is taken along, is what it was: `LANDSCAPE_KEEP=1` writes it anew. */
import test from "node:test";
import { fly } from "../../plot/page/web/controls.js";
import { captionOf, composePicture } from "../../plot/page/web/exporting.js";
import { profiles } from "../../plot/page/web/section.js";
import { csvOf, pythonCall } from "../../plot/page/web/share.js";
import { SimilarityPanel } from "../../plot/page/web/similarity.js";
import { PRESETS } from "../../plot/page/web/view.js";
import { Element } from "./drawn.mjs";
import { card, chance, rich, standing } from "./rich.mjs";
import { assertKept, changes, drawings, outline, painted, told } from "./told.mjs";
import { browser, frames, media, ring, run } from "./whole.mjs";

const KEYS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "0", "+", "=", "-", "_", "Enter", " ", "Escape", "x"];
const HELD = [{}, { shiftKey: true }, { ctrlKey: true }, { metaKey: true }, { altKey: true }];
const TYPED = ["3", "0,5", "-1", "x", "", "1e9"];

let now = 1000;
performance.now = () => now;

/** Two panes with runs and frames, small, so that much can be tried. @param {any} [content] @param {any} [drawing] */
function ready(content = {}, drawing = card()) {
  browser();
  Object.assign(globalThis, { location: { href: "file:///page.html" }, WheelEvent: { DOM_DELTA_LINE: 1 }, getComputedStyle: (/** @type {any} */ element) => ({ touchAction: element.touch ?? "none" }) });
  const { app, all } = standing([[rich("a"), rich("a, 2", {}, {}, 3)], [rich("b", { paths: [run("sgd", [0, 0.5, 1], [0, 0.2, 0.4])] }, {}, 5)]], { start: { kind: "log", eyes: [{ azimuth: -52, elevation: 50, zoom: 1, panX: 0, panY: 0 }], ...content } }, drawing);
  for (const { map, mapTop } of app.allViews) for (const each of [map, mapTop]) [each.clientWidth, each.clientHeight] = [120, 100];
  frames();
  const spoken = new Element("spoken");
  spoken.append(app.live, ...app.views.map((/** @type {any} */ view) => view.readout.element));
  return { app, all, spoken };
}

/** What of a page's state is not as it was, where the cross-hair is, and which lines of the page changed. @param {any} app @param {any} all @param {() => any} act @param {string[]} [lines]  as they were */
function effect(app, all, act, lines = outline(all)) {
  const state = structuredClone(app.state), answer = act();
  const differs = () => Object.fromEntries(Object.keys(state).filter((key) => JSON.stringify(state[key]) !== JSON.stringify(app.state[key])).map((key) => [key, app.state[key]]));
  const asked = differs(), moving = app.moving;
  now += 200;
  frames(now, 1);
  const found = { ...asked, ...(app.cursor ? { cursor: app.cursor, of: app.source?.number } : {}), ...(moving ? { moving } : {}), ...(answer === true ? { answer } : {}), ...(app.player.running ? { runs: app.player.running.name } : {}) };
  const said = changes(lines, outline(all)).filter((line) => line.length < 300);
  return { ...found, ...(said.length ? { said: said.length > 12 ? told(said) : said } : {}) };
}

const nameOf = (/** @type {any} */ each) => [each.tag, each.attributes["data-key"] ?? each.attributes["aria-label"] ?? each.attributes["data-preset"] ?? "", each.tag === "button" ? each.text : ""].filter(Boolean).join(" ");

test("every control", () => {
  // Without the surfaces themselves, which take their time.
  const { app, all } = ready({}, null), start = structuredClone(app.state);
  app.store.set({ drawer: "curvature" });
  frames();
  const lines = outline(all);
  /** @type {Record<string, any>} */ const found = {};
  const tries = (/** @type {string} */ name, /** @type {() => any} */ act) => {
    found[name] = effect(app, all, act, lines);
    app.player.stop();
    now += 5000;
    frames(now);
    app.setMoving(false);
    app.point(app.views[0], null);
    app.store.set({ ...start, drawer: "curvature" });
    frames();
  };
  for (const each of all.all.filter((/** @type {any} */ one) => one.tag !== "canvas" && Object.keys(one.heard).length)) {
    const name = nameOf(each);
    for (const kind of Object.keys(each.heard)) {
      if (kind === "click" && !/Save PNG|Copy|Record/.test(name)) tries(`${name} click`, () => each.say("click"));
      if (kind === "change" && each.attributes.type === "checkbox") tries(`${name} other`, () => (each.checked = !each.checked, each.say("change")));
      else if (kind === "change") for (const value of each.tag === "select" ? each.children.map((/** @type {any} */ option) => option.attributes.value) : TYPED) tries(`${name} ${value}`, () => (each.value = value, each.say("change")));
      if (kind === "input") for (const value of [each.attributes.min ?? each.min, "7", "0.7", each.attributes.max ?? each.max]) tries(`${name} ${value}`, () => (each.value = value, each.say("input")));
      if (kind === "keydown") for (const key of each.tag === "details" ? ["x", "Escape"] : KEYS.filter((_, k) => k < 7 || k === 15)) tries(`${name} ${key}`, () => each.say("keydown", { key }));
    }
  }
  assertKept("controls", found);
});

test("every key on a surface and on a map", () => {
  const { app, spoken } = ready({ linked: false });
  /** @type {Record<string, any>} */ const found = {};
  for (const [name, top] of [["surface", app.views[1].sceneTop], ["map", app.views[0].mapTop]]) {
    for (const held of HELD) {
      for (const key of KEYS) {
        if (("metaKey" in held || "altKey" in held) && !["ArrowUp", "0", "Enter"].includes(key)) continue;
        app.point(app.views[0], { i: 5, j: 3 });
        app.store.set({ ...app.store.start, pins: [[0, 0]] });
        frames();
        found[[name, ...Object.keys(held), key].join(" ")] = effect(app, spoken, () => top.say("keydown", { key, ...held }));
      }
    }
  }
  assertKept("keys", found);
});

/** Moves of the pointer: what happens, where, and with which buttons. @type {Record<string, [string, number, number, any?][]>} */
const MOVES = {
  hover: [...[80, 110, 140, 170, 200, 230].flatMap((x) => [140, 180, 220, 250].map((y) => /** @type {[string, number, number]} */ (["pointermove", x, y]))), ["pointermove", 40, 60], ["pointermove", 90, 30], ["pointermove", 299, 319], ["pointerleave", 0, 0]],
  click: [["pointermove", 140, 220], ["pointerdown", 140, 220], ["pointerup", 141, 221], ["pointermove", 60, 50], ["pointerdown", 60, 50], ["pointerup", 60, 50]],
  "a click of the other button": [["pointerdown", 150, 190, { button: 2, buttons: 2 }], ["pointerup", 150, 190, { button: 2 }], ["contextmenu", 150, 190]],
  turn: [["pointerdown", 100, 100], ["pointermove", 102, 101], ["pointermove", 104, 101], ["pointermove", 130, 80], ["pointerup", 130, 80], ["pointermove", 140, 90]],
  move: [["pointerdown", 100, 100, { shiftKey: true }], ["pointermove", 130, 80, { shiftKey: true }], ["pointermove", 140, 90, { buttons: 2 }], ["pointerup", 130, 80], ["pointerleave", 1, 1]],
  wheel: [["wheel", 100, 50, { deltaY: 100, deltaMode: 0 }], ["wheel", 10, 250, { deltaY: -3, deltaMode: 1 }], ["wheel", 10, 250, { deltaY: -9999, deltaMode: 0 }], ["wheel", 10, 250, { deltaY: 9999, deltaMode: 0 }]],
  pinch: [["pointerdown", 100, 100, { pointerId: 1 }], ["pointerdown", 200, 140, { pointerId: 2 }], ["pointermove", 90, 90, { pointerId: 1 }], ["pointermove", 230, 170, { pointerId: 2 }], ["pointerup", 230, 170, { pointerId: 2 }], ["pointermove", 60, 90, { pointerId: 1 }], ["pointerup", 60, 90, { pointerId: 1 }]],
  "a touch to the side": [["pointerdown", 100, 100, { pointerType: "touch" }], ["pointermove", 103, 101, { pointerType: "touch" }], ["pointermove", 112, 103, { pointerType: "touch" }], ["pointermove", 130, 140, { pointerType: "touch" }], ["pointerup", 130, 140, { pointerType: "touch" }]],
  "a touch upwards": [["pointerdown", 100, 100, { pointerType: "touch" }], ["pointermove", 101, 90, { pointerType: "touch" }], ["pointermove", 140, 80, { pointerType: "touch" }], ["pointercancel", 140, 80, { pointerType: "touch" }]],
  "a double click": [["pointerdown", 100, 100], ["pointermove", 130, 80], ["pointerup", 130, 80], ["dblclick", 130, 80]],
  "a line, and its ends": [["pointerdown", 20, 20], ["pointermove", 23, 22], ["pointermove", 60, 60], ["pointermove", 90, 500], ["pointerup", 90, 70], ["pointerdown", 21, 21], ["pointermove", 50, 30], ["pointerup", 50, 30], ["pointerdown", 61, 61], ["pointercancel", 61, 61], ["pointermove", 30, 80]],
};

test("every move of the pointer", () => {
  /** @type {Record<string, any>} */ const found = {};
  const { app, spoken } = ready({ linked: false });
  const seen = app.views[1];
  for (const [name, moves] of Object.entries(MOVES)) {
    for (const [where, top] of [["surface", seen.sceneTop], ["map", seen.mapTop]]) {
      top.touch = /touch/.test(name) ? "pan-y" : "none";
      app.point(app.views[0], null);
      app.store.set(structuredClone(app.store.start));
      frames();
      moves.forEach(([kind, x, y, more = {}], k) => {
        found[`${name}, ${where}, ${k} ${kind}`] = effect(app, spoken, () => top.say(kind, { clientX: x, clientY: y, offsetX: x, offsetY: y, ...more }));
        if (kind === "wheel") ring();
      });
      if (app.moving) found[`${name}, ${where}`] = "still moving";
      app.setMoving(false);
    }
  }
  assertKept("pointer", found);
});

test("every flight and slider in its time", () => {
  const { app } = ready({ linked: false }, null);
  /** @type {Record<string, any>} */ const found = {};
  const film = (/** @type {string} */ name, /** @type {() => void} */ begin, step = 1700) => {
    begin();
    found[name] = [];
    for (let k = 0; k < 14; k++) {
      now += step;
      frames(now, 1);
      const { eyes, step: passed, frame } = app.state;
      found[name].push([...told(eyes), passed, frame, app.moving, app.player.element.all.map((/** @type {any} */ each) => each.attributes["aria-valuetext"] ?? "").join("")]);
    }
    app.player.stop();
    app.store.set(structuredClone(app.store.start));
    app.player.speed = 1;
    frames(now);
  };
  for (const [name] of app.player.flights) film(name, () => app.player.toggle(name));
  for (const name of ["step", "frame"]) {
    film(name, () => app.player.toggle(name), 800);
    film(`${name} twice as fast, from half way`, () => (app.store.set({ step: 0.5, frame: 1 }), app.player.speed = 2, app.player.toggle(name)), 400);
    film(`${name} stopped`, () => (app.player.toggle(name), app.player.toggle(name)));
  }
  for (const [name, preset] of Object.entries(PRESETS)) film(`to ${name}`, () => (app.store.set({ eyes: [{ azimuth: 150, elevation: 20, zoom: 2, panX: 0.1, panY: 0.2 }] }), fly(app, preset)), 60);
  media["(prefers-reduced-motion: reduce)"].matches = true;
  film("at once", () => fly(app, PRESETS.top));
  assertKept("flights", found);
});

test("what is taken along", () => {
  const { app } = ready();
  /** @type {Record<string, any>} */ const found = {};
  for (const change of /** @type {any[]} */ ([
    {}, { pins: [[0, 0.5], [1.5, -0.7], [8, 8]], height: "train/accuracy" }, { kind: "asinh", eps: 0.25, cap: 40, section: [-1, -0.75, 1.5, 1.1] }, { shared: false, frame: 1, smooth: true, section: [1, 1, -0.5, 0] },
    { difference: "0-1", pins: [[0.75, 0.25]], section: [0, 0, 0, 0] }, { height: "gap/loss", linked: false, eyes: [{ azimuth: 1, elevation: 2, zoom: 2, panX: 0, panY: 0 }, { azimuth: 91, elevation: 70, zoom: 1, panX: 0.1, panY: 0.1 }] }, { height: "train/convexity", colour: "train/loss", paths: false, headlight: true },
  ])) {
    app.store.set({ ...structuredClone(app.store.start), ...change });
    frames();
    const picture = /** @type {any} */ (composePicture(app, 2, false));
    found[Object.keys(change).join(", ") || "the start"] = {
      csv: csvOf(app), call: pythonCall(app), caption: captionOf(app), hash: app.store.hash, picture: [picture.width, picture.height, Object.entries(painted(picture.context.calls)).map(([kind, marks]) => [kind, marks.length, ...told(marks)])],
      profiles: profiles(app, app.state.section ?? [-1, -0.5, 1.5, 0.9]).map(({ title, dashed, color, values }) => [title, dashed, color, ...told(values)]),
    };
  }
  browser();
  const alone = standing([[rich("a")]], {}, card()).app;
  frames();
  found["one alone"] = Object.entries(painted(/** @type {any} */ (composePicture(alone, 1, true)).context.calls)).map(([kind, marks]) => [kind, marks.length, ...told(marks)]);
  assertKept("taken", found);
});

const network = (/** @type {string} */ name, /** @type {string[]} */ labels, /** @type {number} */ start, /** @type {any} */ block, /** @type {any} */ stages) => ({ name, labels, kinds: labels, stages, start, block });

test("maps of similarity", () => {
  browser();
  const next = chance(5), rows = 19, values = Float64Array.from({ length: rows * rows }, (_, k) => (k % 23 === 4 ? NaN : 2 * next() - 1)), share = Float32Array.from({ length: rows }, (_, k) => (k % 6 === 5 ? NaN : next()));
  const first = Array.from({ length: 12 }, (_, k) => `layer${k}`), second = ["layer0", "other", "layer3", "layer4", "layer5", "layer6", "layer11"];
  const record = {
    networks: [network("a", first, 0, [2, 5], [["stem", 0, 1], ["a stage of a very long name, cut", 1, 8], ["x", 8, 9], ["head", 9, 12]]), network("b", second, 12, null, [["stem", 0, 2], ["rest", 2, 7]])], caption: "Measured.", factor: 2.1, share: 2,
    values: [{ name: "cka", words: "CKA", range: [-0.5, 1], values: 0, errors: 1 }, { name: "pc_cosine", words: "cosine", range: [-1, 1], values: 1, errors: -1 }],
  };
  const panel = /** @type {any} */ (new SimilarityPanel(/** @type {any} */ (record), [values, values.map((value) => Math.abs(value) / 30), share], Uint8Array.from({ length: 768 }, (_, k) => (k * 7) % 256), () => /** @type {any} */ ({ missing: "#ddd", soft: "#222", line: "#444" })));
  const page = panel.element, seen = () => (frames(), { lines: outline(page), drawn: drawings(page) });
  panel.draw();
  /** @type {Record<string, any>} */ const found = { first: seen() };
  const tries = (/** @type {string} */ name, /** @type {() => any} */ act) => {
    const before = outline(page), answer = act(), { lines, drawn } = seen();
    found[name] = [answer === true, panel.cross, changes(before, lines), ...told(drawn)];
  };
  for (const map of [0, 1, 2]) {
    for (const key of KEYS) for (const held of HELD.slice(0, 3)) tries([map, ...Object.keys(held), key].join(" "), () => (panel.cross = { row: "layer5", column: "layer4" }, panel.maps[map].canvas.say("keydown", { key, ...held })));
    for (const [x, y] of [[60, 60], [150, 200], [230, 100], [20, 20], [299, 319]]) for (const kind of ["pointermove", "pointerdown"]) tries(`${map} ${kind} ${x} ${y}`, () => panel.maps[map].canvas.say(kind, { offsetX: x, offsetY: y }));
  }
  for (const select of page.all.filter((/** @type {any} */ each) => each.tag === "select")) for (const value of ["1", "0"]) tries(`${select.attributes["aria-label"]} ${value}`, () => (select.value = value, select.say("change")));
  tries("wide", () => { for (const map of panel.maps) [map.canvas.clientWidth, map.canvas.clientHeight] = [800, 500]; panel.draw(); });
  assertKept("similarity", found);
});

/** What a page holds and draws in each of its states is what it held and drew: `LANDSCAPE_KEEP=1 node --test` writes it anew. */
import test from "node:test";
import { card, rich, standing } from "./rich.mjs";
import { assertKept, changes, drawings, outline } from "./told.mjs";
import { browser, frames, named, ring, run } from "./whole.mjs";

const EYE = { azimuth: 60, elevation: 12, zoom: 1.5, panX: 0.1, panY: -0.2 };
/** What each state is: what is asked for, or what is done to the page. @type {Record<string, any>} */
const STATES = {
  "another height": { height: "test/loss" }, "a colour of its own": { colour: "train/accuracy" }, log: { kind: "log" }, linear: { kind: "linear" }, asinh: { kind: "asinh", eps: 0.5 },
  "a cap": { cap: 3 }, "a cap that is chosen": { cap: "auto" }, "a cap below all": { cap: -5 }, exaggerated: { exaggeration: 2 }, "scales of their own": { shared: false }, "no paths": { paths: false }, cividis: { colormap: "cividis" },
  smooth: { smooth: true }, "smooth with much on it": { smooth: true, colour: "train/convexity", pins: [[1, 0]], section: [0, 0, 1, 0.5] }, "no lines": { lines: false }, "no floor": { floor: false }, "no box": { box: false }, drops: { drops: true }, "a headlight": { headlight: true, eyes: [EYE] },
  "half of the run": { step: 0.5, drops: true }, "before the run": { step: 0 }, pins: { pins: [[1, 0], [1.5, 1], [9, 9]] }, section: { section: [0, 0, 1, 0.5] }, "a section upwards": { section: [0.75, 1, 0.75, -0.75] }, "next frame": { frame: 1 },
  "from the side": { eyes: [EYE] }, "from above": { eyes: [{ ...EYE, azimuth: -90, elevation: 90, zoom: 1 }] }, level: { eyes: [{ ...EYE, azimuth: 0, elevation: 0, zoom: 0.8 }] }, "each its eye": { linked: false, eyes: [EYE, { ...EYE, azimuth: 130 }] },
  accuracy: { height: "train/accuracy" }, gap: { height: "gap/loss" }, convexity: { colour: "train/convexity" }, difference: { difference: "0-1" }, "the other difference": { difference: "1-0", height: "train/accuracy" },
  adjust: { drawer: "adjust" }, trust: { drawer: "trust", cap: 3 }, curvature: { drawer: "curvature" }, dark: { theme: "dark", section: [0, 0, 1, 0] },
  "a cross-hair": (/** @type {any} */ app) => (app.point(app.views[0], { i: 1, j: 2 }), () => app.point(app.views[0], null)),
  "a cross-hair in a hole": (/** @type {any} */ app) => (app.point(app.views[0], { i: 3, j: 0 }), () => app.point(app.views[0], null)),
  "a small window": (/** @type {any} */ app) => {
    const sizes = app.allViews.flatMap(({ map, scene, mapTop, sceneTop }) => [[map, 120, 130], [mapTop, 120, 130], [scene, 260, 240], [sceneTop, 260, 240]]).map(([each, wide, tall]) => {
      const before = [each.clientWidth, each.clientHeight];
      [each.clientWidth, each.clientHeight] = [wide, tall];
      return () => ([each.clientWidth, each.clientHeight] = before);
    });
    return () => sizes.forEach((back) => back());
  },
  "a large window": (/** @type {any} */ app) => {
    for (const { scene } of app.allViews) [scene.clientWidth, scene.clientHeight] = [900, 600];
    app.bar.clientWidth = 60;
    Object.assign(globalThis, { devicePixelRatio: 2 });
    return () => {
      for (const { scene } of app.allViews) [scene.clientWidth, scene.clientHeight] = [300, 320];
      app.bar.clientWidth = 300;
      Object.assign(globalThis, { devicePixelRatio: 1 });
    };
  },
  "a lost card": (/** @type {any} */ app) => app.stage && (app.stage.lost = true, () => { app.stage.lost = false; }),
};

// What one of several panes, or a page whose frames differ, shows otherwise than one alone.
const SOME = /** @type {Record<string, string[]>} */ ({
  later: ["next frame", "adjust", "half of the run"],
  two: ["another height", "a cap", "scales of their own", "no paths", "smooth", "half of the run", "pins", "section", "next frame", "each its eye", "gap", "difference", "the other difference", "trust", "curvature", "dark", "a cross-hair", "a small window", "a large window"],
});

const grid = { x: Float64Array.of(-1, 0, 1, 9), y: Float64Array.of(0, 1, 2), paths: [run("only", [0, 0.5, 3], [0.2, 1, 1.8], { unordered: true, unit: "epoch" })] };

/** @type {Record<string, () => [any[][], any, any]>} */
const PAGES = {
  one: () => [[[named("a")]], {}, null],
  later: () => [[[named("a"), named("a2", { paths: [run("sgd", [-0.5, 0, 1], [0, 0.5, 1.5])] })]], {}, null],
  "one in 3D": () => [[[rich("a")]], {}, card()],
  two: () => [[[rich("a"), rich("a, later", {}, { unfinished: "40 of 88 points" }, 3)], [rich("b", { paths: [] }, { origin: {}, networks: [], curvature: [], centred: true }, 5)]], {}, card()],
  strip: () => [[[named("a", grid, { centred: false })], [named("b", { paths: [run("sgd", [-1, 0, 1], [0, 0.5, 1.5])] }), named("b2", { state: new Uint8Array(12) })], [named("c", { values: { "test/loss": named("c").values["test/loss"] } })]], { start: { kind: "log", colour: "train/accuracy" } }, card()],
};

/** What differs from what was there before. @param {any} before @param {any} after @returns {any} */
function differing(before, after) {
  if (JSON.stringify(before) === JSON.stringify(after)) return undefined;
  if (!before || !after || Array.isArray(after) || typeof after !== "object") return after ?? "not drawn";
  return Object.fromEntries([...new Set([...Object.keys(before), ...Object.keys(after)])].map((key) => [key, differing(before[key], after[key])]).filter(([, value]) => value !== undefined));
}

const numbered = (/** @type {any[]} */ list) => Object.fromEntries(list.map((each, k) => [k, each]));

for (const [name, make] of Object.entries(PAGES)) {
  test(`page ${name}`, () => {
    browser();
    const [panes, content, drawing] = make(), { app, all } = standing(panes, content, drawing);
    const seen = () => {
      frames();
      ring();
      return { lines: outline(all), drawn: numbered(drawings(all)), shots: numbered(drawing?.shots.splice(0) ?? []) };
    };
    frames();
    const before = { ...app.state };
    // What panels hold stays in them when they are closed.
    for (const change of [{ section: [0, 0, 1, 1] }, { drawer: "curvature" }, { drawer: "trust" }, before]) app.store.set(change), frames(), ring();
    for (const canvas of all.all) canvas.context.calls.splice(0);
    drawing?.shots.splice(0);
    app.redraw("figures");
    const base = seen();
    /** @type {Record<string, any>} */ const found = { ...base };
    for (const [state, change] of Object.entries(STATES).filter(([each]) => SOME[name]?.includes(each) ?? true)) {
      const back = typeof change === "function" ? change(app) : app.store.set(change);
      const { lines, drawn, shots } = seen();
      found[state] = { changed: changes(base.lines, lines), drawn: differing(base.drawn, drawn), shots: differing(base.shots, shots) };
      back?.();
      app.store.set(before);
      if (back) app.redraw("scenes", "maps", "tops");
      frames();
      for (const canvas of all.all) canvas.context.calls.splice(0);
      drawing?.shots.splice(0);
    }
    app.redraw("figures");
    found["as at first"] = differing(base, seen()) ?? "as it was";
    assertKept(name.replaceAll(" ", "-"), found);
  });
}

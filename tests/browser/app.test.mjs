/** The page as a whole: what is drawn again when, and what pointer, keys, frames and the window's shape do to it. */
import assert from "node:assert/strict";
import test from "node:test";
import { openingEye } from "../../plot/page/web/opening.js";
import { FIRST_EYE } from "../../plot/page/web/view.js";
import { callsOf } from "./drawn.mjs";
import { browser, frames, media, named, run, stage, whole } from "./whole.mjs";

const close = (/** @type {number} */ got, /** @type {number} */ wanted, tolerance = 1e-9) => assert.ok(Math.abs(got - wanted) <= tolerance, `${got} is not ${wanted}`);

test("what changes is drawn again, and nothing else", () => {
  browser();
  const app = whole([[named("a"), named("a2")], [named("b")]], {}, stage());
  for (const { map } of app.views) [map.clientWidth, map.clientHeight] = [60, 60];
  frames();
  const change = /** @type {Record<string, any>} */ ({
    figures: { height: "test/loss", colour: "train/accuracy", kind: "log", cap: 3, exaggeration: 2, shared: false, frame: 1, paths: false, colormap: "cividis" },
    scenes: { eyes: [{ ...FIRST_EYE, azimuth: 3 }], headlight: true, floor: false, box: false, lines: false, drops: true, step: 0.5, linked: false },
    maps: { lines: true, step: 1 }, none: { drawer: "trust" }, tops: { pins: [[1, 0]], section: [0, 0, 1, 1] },
  });
  for (const [kind, states] of Object.entries(change)) {
    for (const [key, value] of Object.entries(states)) {
      /** @type {Set<string>} */ const done = new Set();
      for (const view of app.allViews) {
        for (const name of ["setFigure", "drawScene", "drawMap", "drawTop"]) view[name] = (/** @type {any[]} */ ...args) => (done.add(name), Object.getPrototypeOf(view)[name].apply(view, args));
        view.readout.show = () => done.add("read");
      }
      app.store.set({ [key]: value });
      assert.equal(done.size, 0, "not before the next frame");
      frames();
      const wanted = {
        figures: ["setFigure", "drawScene", "drawMap", "drawTop", "read"],
        scenes: ["lines", "step"].includes(key) ? ["drawScene", "drawMap", "drawTop"] : ["eyes", "box", "linked"].includes(key) ? ["drawScene", "drawTop", "read"] : ["drawScene", "drawTop"],
        maps: ["drawScene", "drawMap", "drawTop"], none: [], tops: ["drawTop", "read"],
      }[kind] ?? [];
      assert.deepEqual([...done].sort(), wanted.sort(), key);
    }
  }
});

test("frames are those of the longest pane, and a shorter one stays at its last", () => {
  browser();
  const app = whole([[named("a")], [named("b"), named("c"), named("d", { values: { "train/loss": named("").values["train/loss"], "train/late": named("").values["train/loss"] } })]], { captions: { "train/loss": ["first", "second"] } });
  frames();
  assert.deepEqual([app.frames, app.caption.textContent, app.names.includes("train/late")], [3, "first", true]);
  app.store.set({ frame: 2 });
  frames();
  assert.deepEqual(app.views.map((/** @type {any} */ view) => [view.figure.surface.title, view.heading.textContent]), [["a", "a"], ["d", "d"]]);
  assert.equal(app.caption.textContent, "second");
  app.store.set({ frame: 9 });
  assert.equal(app.state.frame, 2);
});

test("a cross-hair that another frame's grid has no place for is not shown there", () => {
  browser();
  const coarse = named("b", { nx: 2, ny: 2, x: Float64Array.of(-1, 2), y: Float64Array.of(-1, 2), values: { "train/loss": Float64Array.of(5, 4, 3, 2) }, stderr: {}, paired: {}, counts: {}, state: Uint8Array.of(1, 1, 1, 1) });
  const app = whole([[named("a"), coarse]]), [view] = app.views;
  frames();
  for (const [cursor, there] of [[{ i: 1, j: 1 }, { i: 1, j: 1 }], [{ i: 2, j: 1 }, null], [{ i: 1, j: 2 }, null]]) {
    app.point(view, cursor);
    assert.deepEqual(app.cursorOf(view), cursor);
    app.store.set({ frame: 1 });
    frames();
    assert.deepEqual(app.cursorOf(view), there);
    app.store.set({ frame: 0 });
    frames();
  }
});

test("one scale holds for all panes and frames, or each pane has its own and says so with a bar", () => {
  browser();
  const steep = named("b"), values = steep.values["train/loss"];
  steep.values = { ...steep.values, "train/loss": values.map((/** @type {number} */ value) => 10 * value) };
  const app = whole([[named("a")], [named("c"), steep]], { start: { kind: "linear" } });
  frames();
  const highs = () => app.views.map((/** @type {any} */ view) => view.figure.scales.height.high);
  assert.deepEqual([highs(), app.main.classList.contains("barred"), app.views.map((/** @type {any} */ view) => view.ownBar)], [[400, 400], true, [false, false]]);
  assert.equal(app.bar.attributes["aria-label"], "Colours: training loss, 0.1 to 400");
  assert.ok(app.views[0].summary.textContent.startsWith("training loss on 4 by 3 points"));
  app.store.set({ colour: "train/accuracy" });
  frames();
  assert.equal(app.bar.attributes["aria-label"], "Colours: training accuracy (%), 0 % to 100 %");
  app.store.set({ shared: false, colour: "" });
  frames();
  assert.deepEqual([highs(), app.main.classList.contains("barred"), app.views.map((/** @type {any} */ view) => view.ownBar)], [[40, 400], false, [true, true]]);
  assert.ok(app.views.every((/** @type {any} */ view) => view.notes.textContent.includes("scale of its own")));
  assert.equal(app.room.bar, true);
});

test("a difference stands beside its parts, is the first less the second, and takes the errors the file knows", () => {
  browser();
  const twice = named("b"), loss = twice.values["train/loss"];
  twice.values = { ...twice.values, "train/loss": loss.map((/** @type {number} */ value) => 2 * value) };
  const app = whole([[named("a")], [twice], [named("c", { x: Float64Array.of(-1, 0, 1, 3) })]]);
  const known = { "train/loss": new Float32Array(12).fill(0.0625) };
  app.panes[1].errorsTo[0] = known;
  frames();
  assert.equal(app.shown.length, 3);
  app.store.set({ difference: "1-0" });
  frames();
  const { figure, heading, ownBar } = app.extra;
  assert.deepEqual([app.shown.length, app.grid.children.length, heading.textContent, ownBar], [4, 4, "b − a", true]);
  assert.deepEqual([figure.height.values[0], figure.height.stderr[0]], [5, 0.0625]);
  close(figure.scales.colour.normalized(0), 0.5);
  app.store.set({ difference: "0-2" });
  frames();
  assert.deepEqual([app.extra.figure, app.extra.heading.textContent], [null, "Difference: the grids differ"]);
  assert.match(app.extra.notes.textContent, /equal grids/);
  assert.equal(app.extra.summary.textContent, "No such values were measured here.");
  app.store.set({ difference: "" });
  frames();
  assert.equal(app.grid.children.length, 3);
});

test("panes stand beside each other as the window has room, with heads of one height", () => {
  browser();
  const app = whole([[named("a")], [named("b")]]);
  frames();
  const columns = (/** @type {number} */ count, /** @type {number} */ wide, /** @type {number} */ tall, narrow = false) => {
    Object.assign(globalThis, { innerWidth: wide, innerHeight: tall });
    Object.values(media).forEach((each) => { each.matches = narrow; });
    app.views = Array(count).fill(app.views[0]);
    return app.columns;
  };
  assert.deepEqual([1, 2, 3, 4, 5, 6].map((count) => columns(count, 1200, 800)), [1, 2, 3, 2, 3, 3]);
  assert.deepEqual([1, 2, 3, 4, 5, 6].map((count) => columns(count, 800, 800)), [1, 1, 1, 2, 2, 2]);
  assert.deepEqual([1, 2, 4].map((count) => columns(count, 1200, 800, true)), [1, 1, 1]);
  columns(1, 1200, 800);
  browser();
  const laid = whole([[named("a")], [named("b")]], {}, stage());
  frames();
  assert.deepEqual([laid.grid.style["--columns"], laid.views[0].view.width], ["2", 300], "whenever scenes are drawn");
  const pane = (/** @type {number} */ head, /** @type {number} */ wide, /** @type {number} */ tall, /** @type {number[]} */ half) =>
    ({ header: { offsetHeight: head }, scene: {}, map: { clientWidth: wide, clientHeight: tall }, figure: half && { frame: { half } }, ownBar: false });
  app.views = [pane(40, 500, 300, [1, 0.5]), pane(60, 480, 320, [0.75, 1])];
  app.layOut();
  assert.deepEqual([app.grid.style["--columns"], app.grid.style["--head"]], ["2", "60px"]);
  assert.deepEqual(app.room, { width: 480, height: 300, half: [1, 1], bar: false });
});

test("a page begins where most of its run is seen, unless it or its address says from where", () => {
  const behind = () => named("a", { paths: [run("r", [-1, 0, 1], [2, 0, 0])] }), wanted = (/** @type {any} */ app) => openingEye(app.views);
  browser();
  const app = whole([[behind()]]);
  frames();
  assert.deepEqual(app.state.eyes, [wanted(app)]);
  assert.equal(app.store.hash, "", "that is its start");
  for (const [content, hash, azimuth] of [[{ start: { eyes: [{ ...FIRST_EYE, azimuth: 7 }] } }, "", 7], [{}, "eyes=9,30,1,0,0", 9]]) {
    browser();
    const other = whole([[behind()]], content);
    if (hash) other.store.read(hash);
    frames();
    assert.equal(other.state.eyes[0].azimuth, azimuth);
  }
});

test("keys and a double click turn their pane's own camera, or all of them", () => {
  browser();
  const app = whole([[named("a")], [named("b")]], {}, stage());
  frames();
  app.store.set({ linked: false });
  const top = app.views[1].sceneTop, azimuths = () => [0, 1].map((k) => app.eyeOf(k).azimuth);
  assert.equal(top.say("keydown", { key: "ArrowRight" }), true);
  assert.deepEqual(azimuths(), [-52, -47]);
  assert.equal(top.say("keydown", { key: "x" }), false);
  for (const key of ["0", "Home"]) {
    top.say("keydown", { key: "ArrowRight" });
    top.say("keydown", { key });
    assert.deepEqual(azimuths(), [-52, -52], key);
  }
  top.say("keydown", { key: "ArrowRight" });
  top.say("dblclick");
  assert.deepEqual(azimuths(), [-52, -52]);
});

test("the pointer over a surface or a map shows a point in all panes, a click keeps it, and beside them there is none", () => {
  browser();
  const app = whole([[named("a")], [named("b")]], { start: { kind: "linear", cap: 30, eyes: [{ ...FIRST_EYE, elevation: 80 }] } }, stage());
  frames();
  const [first, second] = app.views, [x, low] = first.view.project(first.pointOf({ i: 1, j: 1 })), y = low + 3;
  // A little in front of it: behind it there is a hole.
  first.sceneTop.say("pointermove", { clientX: x, clientY: y });
  assert.deepEqual([app.cursor, app.cursorOf(second)], [{ i: 1, j: 1 }, { i: 1, j: 1 }]);
  frames();
  assert.match(second.readout.place.textContent, /^PC\u00a01\u00a00 /);
  first.sceneTop.say("pointerdown", { clientX: x, clientY: y });
  first.sceneTop.say("pointerup", { clientX: x, clientY: y });
  assert.deepEqual(app.state.pins, [[0, 0]]);
  first.sceneTop.say("pointerleave");
  assert.equal(app.cursor, null);
  const [px, py] = second.mapPlace().toPixel(second.figure.field.x[second.figure.field.factor * 3], second.figure.field.y[0]);
  second.mapTop.say("pointermove", { offsetX: px, offsetY: py });
  assert.deepEqual([app.cursor, app.source === second], [{ i: 3, j: 0 }, true]);
  for (const [dx, dy] of [[30, 0], [-290, 0], [0, 40], [0, -310]]) {
    second.mapTop.say("pointermove", { offsetX: px + dx, offsetY: py + dy });
    assert.equal(app.cursor, null, `${dx}, ${dy}`);
    second.mapTop.say("pointermove", { offsetX: px + Math.sign(dx), offsetY: py });
    assert.deepEqual(app.cursor, { i: 3, j: 0 });
  }
  second.mapTop.say("pointerleave");
  assert.equal(app.cursor, null);
  // What is pressed is held, wherever the pointer goes.
  for (const top of [first.sceneTop, first.mapTop]) {
    top.say("pointerdown", { clientX: x, clientY: y, offsetX: px, offsetY: py, pointerId: 7 });
    assert.equal(top.holds, 7);
    top.say("pointercancel", { pointerId: 7 });
  }
  const before = app.state.section;
  first.mapTop.say("pointermove", { offsetX: px - 99, offsetY: py - 99 });
  assert.equal(app.state.section, before, "a drag that was taken away draws no line");
});

test("arrow keys on a map go from point to point to its borders, speak, and Enter keeps one", () => {
  browser();
  const app = whole([[named("a")]], { start: { kind: "linear" } }), [view] = app.views;
  frames();
  const press = (/** @type {string} */ key, more = {}) => (view.mapTop.say("keydown", { key, ...more }), app.cursor);
  const middle = view.cursorAt(0, 0);
  assert.deepEqual(press("ArrowRight"), { i: middle.i + 1, j: middle.j });
  assert.deepEqual(press("ArrowLeft", { shiftKey: true }), { i: 0, j: middle.j });
  assert.deepEqual([press("ArrowUp"), press("ArrowUp"), press("ArrowDown", { shiftKey: true }), press("ArrowRight", { shiftKey: true })], [{ i: 0, j: 2 }, { i: 0, j: 2 }, { i: 0, j: 0 }, { i: 3, j: 0 }]);
  assert.match(app.live.textContent, /^PC 1 2, beta −1; /);
  for (const key of ["ctrlKey", "metaKey", "altKey"]) assert.deepEqual(press("ArrowLeft", { [key]: true }), { i: 3, j: 0 });
  for (const [key, kept] of [["Enter", [[2, -1]]], [" ", []]]) {
    assert.equal(view.mapTop.say("keydown", { key }), true);
    assert.deepEqual(app.state.pins, kept);
  }
  assert.equal(view.mapTop.say("keydown", { key: "Tab" }), false);
});

test("while a slow machine moves pictures are coarse, and fine as soon as it rests", () => {
  browser();
  const drawing = stage(), app = whole([[named("a")]], {}, drawing), real = performance.now.bind(performance);
  const coarse = () => drawing.shots.splice(0).map((/** @type {any} */ { look }) => look.coarse);
  frames();
  assert.deepEqual([coarse(), app.slow], [[false], false], "nothing says that it is slow");
  app.setMoving(true);
  let now = 5000;
  performance.now = () => now;
  const step = (/** @type {number} */ took) => {
    now += took;
    app.store.set({ eyes: [{ ...FIRST_EYE, azimuth: now % 90 }] });
    frames(now);
  };
  for (const took of [20, 20, 20, 1500, 20]) step(took);
  assert.equal(app.slow, false, "fast, or a pause");
  step(50);
  assert.equal(app.slow, true);
  coarse();
  step(50);
  assert.deepEqual(coarse(), [true]);
  app.setMoving(false);
  frames(now);
  assert.deepEqual(coarse(), [false]);
  performance.now = real;
  browser();
  const software = Object.assign(stage(), { isSoftware: true }), other = whole([[named("a")]], {}, software);
  frames();
  assert.deepEqual([software.shots.map((/** @type {any} */ { look }) => look.coarse), other.slow], [[true, false], true], "something to see at once");
});

test("a page is light or dark as asked, else as its surroundings are, and follows them", () => {
  const root = browser(), app = whole([[named("a")]]);
  frames();
  const themes = () => [root.dataset.theme, app.theme.dark];
  assert.deepEqual(themes(), ["light", false]);
  const scheme = media["(prefers-color-scheme: dark)"];
  scheme.matches = true;
  scheme.say();
  assert.deepEqual(themes(), ["dark", true]);
  const { context } = app.views[0].map, frame = () => callsOf(context, "set").filter(([name]) => name === "strokeStyle").some(([, value]) => value === app.theme.line);
  context.calls.length = 0;
  frames();
  assert.ok(frame(), "and drawn again");
  let told = 0;
  for (const view of app.allViews) view.setTheme = () => { told++; };
  app.store.set({ theme: "light" });
  assert.deepEqual([themes(), told], [["light", false], 2]);
  app.store.set({ theme: "dark" });
  scheme.matches = false;
  scheme.say();
  assert.deepEqual(themes(), ["dark", true]);
});

test("a legend names runs and networks with their marks, and what is not shown is not in it", () => {
  browser();
  const first = named("a", { paths: [run("sgd", [-1, 0], [0, 0], { drops: [1] }), run("adam", [1, 0], [0, 0])] });
  const app = whole([[first]]);
  frames();
  const [{ legend }] = app.views;
  assert.equal(legend.textContent, "sgdadam○ start● step★ end☆ checkpoint◇ learning rate fellpaler: earlier; dashed: behind the surface");
  const [sgd, adam] = legend.children.map((/** @type {any} */ each) => each.children[0].style?.borderColor);
  assert.ok(sgd && adam && sgd !== adam);
  app.store.set({ paths: false });
  frames();
  assert.equal(legend.textContent, "");
  browser();
  const other = whole([[named("b", {}, { networks: [{ name: "c.pt", short: "c", x: 1, y: 0 }] })]]);
  frames();
  assert.equal(other.views[0].legend.textContent, "☆ a.pt (checkpoint)◆ c.pt");
});

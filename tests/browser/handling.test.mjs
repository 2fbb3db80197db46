/** What pointer, keyboard, address and time do to what is seen. */
import assert from "node:assert/strict";
import test from "node:test";
import { App } from "../../plot/page/web/app.js";
import { captionOf, fileStem } from "../../plot/page/web/exporting.js";
import { Player } from "../../plot/page/web/player.js";
import { followPointer, keyTurn } from "../../plot/page/web/pointer.js";
import { wireMap } from "../../plot/page/web/sectionline.js";
import { Store } from "../../plot/page/web/state.js";
import { FIRST_EYE } from "../../plot/page/web/view.js";
import { LABELS, figure, surface } from "./drawn.mjs";

const EYE = { azimuth: 10, elevation: 30, zoom: 1, panX: 0, panY: 0 };
const close = (/** @type {number} */ got, /** @type {number} */ wanted) => assert.ok(Math.abs(got - wanted) < 1e-9, `${got} is not ${wanted}`);

test("an address brings back all that differs from the start, and what it leaves out is as at the start", () => {
  const start = /** @type {any} */ ({ height: "train/loss", cap: 3 });
  const store = new Store(start, {}, 5), other = new Store(start, {}, 5);
  assert.equal(store.hash, "");
  store.set({
    kind: "log", eps: 0.25, cap: "auto", exaggeration: 1.5, shared: false, lines: false, colour: "test/loss", step: 0.5, frame: 3,
    eyes: [{ azimuth: 12.34, elevation: 56, zoom: 2, panX: 0.5, panY: -0.25 }, { ...FIRST_EYE }], pins: [[0.5, -1], [0, 2]], section: [0, 1, 2, 3], theme: "dark", drawer: "trust",
  });
  other.set({ drops: true, box: false });
  other.read(`#${store.hash}`);
  assert.deepEqual(other.state, store.state);
  store.set({ cap: null, section: null });
  other.read(store.hash);
  assert.deepEqual([other.state.cap, other.state.section], [null, null]);
  // What a page begins with can be taken away, and that is in its address, too.
  const [own, again] = [0, 1].map(() => new Store(/** @type {any} */ ({ height: "a", cap: 3, eps: 0.5, section: [0, 0, 1, 1], pins: [[1, 1]], colour: "b" })));
  own.set({ cap: null, eps: null, section: null, pins: [], colour: "" });
  again.read(own.hash);
  assert.deepEqual(again.state, own.state);
});

test("nonsense in an address is left out, and numbers stay in their ranges", () => {
  const store = new Store(/** @type {any} */ ({ height: "a" }), { height: ["a", "b"] }, 4), { state } = store;
  for (const wrong of ["lines=2", "kind=cubic", "eps=x", "eyes=1,2", "pins=1", "section=1,2,3", "height=c", "nothing=1", "cap=", "theme=red"]) {
    store.read(wrong);
    assert.deepEqual(store.state, state, wrong);
  }
  store.read("exaggeration=9&step=7&frame=9&eps=-1&eyes=190,-10,99,9,-9;0,95,0.1,0,0");
  const [first, second] = store.state.eyes;
  assert.deepEqual([store.state.exaggeration, store.state.step, store.state.frame, store.state.eps], [4, 1, 3, null]);
  assert.deepEqual([first, second.elevation, second.zoom], [{ azimuth: -170, elevation: 0, zoom: 12, panX: 4, panY: -4 }, 90, 0.4]);
  store.set({ exaggeration: 0, step: -1, frame: -1, pins: Array.from({ length: 20 }, (_, k) => [k, k]) });
  assert.deepEqual([store.state.exaggeration, store.state.step, store.state.frame, store.state.pins.length], [0.1, 0, 0, 12]);
});

test("who listens hears which keys changed, and nothing where none did", () => {
  const store = new Store({}), /** @type {string[][]} */ heard = [];
  store.listen((changed) => heard.push([...changed].sort()));
  store.set({ lines: false, step: 1 });
  store.set({ lines: false });
  store.set({ step: 0.5, pins: [[1, 1]] });
  assert.deepEqual(heard, [["lines"], ["pins", "step"]]);
});

/** An element of 400 x 200 pixels that can be told of events. */
function element() {
  /** @type {Record<string, (event: any) => void>} */ const heard = {};
  return {
    addEventListener: (/** @type {string} */ name, /** @type {any} */ handler) => { heard[name] = handler; },
    setPointerCapture: () => {},
    getBoundingClientRect: () => ({ left: 10, top: 20, width: 400, height: 200 }),
    say: (/** @type {string} */ name, /** @type {any} */ event) => heard[name]({ type: name, pointerId: 1, pointerType: "mouse", button: 0, buttons: 1, preventDefault: () => {}, ...event }),
  };
}

/** A pane under a pointer, and what it did. */
function pointed(eye = EYE) {
  const target = element(), /** @type {any[]} */ done = [];
  const handlers = Object.fromEntries(["turn", "hover", "leave", "click", "moving"].map((name) => [name, (/** @type {any[]} */ ...args) => done.push([name, ...args])]));
  followPointer(/** @type {any} */ (target), /** @type {any} */ ({ ...handlers, eye: () => eye }));
  return { ...target, done, last: (/** @type {string} */ name) => done.filter(([each]) => each === name).at(-1)?.[1] };
}

test("a drag turns what is seen with the pointer, a press without one is a click", () => {
  const pane = pointed();
  pane.say("pointerdown", { clientX: 110, clientY: 120 });
  pane.say("pointermove", { clientX: 130, clientY: 130 });
  assert.deepEqual(pane.last("turn"), { azimuth: 10 - 6, elevation: 30 + 3 });
  pane.say("pointerup", { clientX: 130, clientY: 130 });
  assert.equal(pane.last("click"), undefined);
  pane.say("pointermove", { clientX: 90, clientY: 70 });
  assert.deepEqual(pane.done.at(-1), ["hover", 80, 50]);
  pane.say("pointerdown", { clientX: 60, clientY: 70 });
  pane.say("pointermove", { clientX: 61, clientY: 70 });
  pane.say("pointerup", { clientX: 61, clientY: 70 });
  assert.deepEqual(pane.done.filter(([name]) => name === "click"), [["click", 51, 50]]);
  pane.say("pointerdown", { clientX: 60, clientY: 70, button: 2 });
  pane.say("pointerup", { clientX: 60, clientY: 70, button: 2 });
  assert.equal(pane.done.filter(([name]) => name === "click").length, 1);
});

test("with shift or the right button a drag moves the picture with the pointer", () => {
  for (const how of [{ shiftKey: true }, { buttons: 2 }]) {
    const pane = pointed();
    pane.say("pointerdown", { clientX: 110, clientY: 120, ...how });
    pane.say("pointermove", { clientX: 150, clientY: 130, ...how });
    assert.deepEqual(pane.last("turn"), { panX: 0.1, panY: -0.05 });
  }
});

test("a wheel enlarges upwards about what is under the pointer, two fingers as they part", () => {
  /** @type {(() => void)[]} */ const rings = [];
  Object.assign(globalThis, { WheelEvent: { DOM_DELTA_LINE: 1 }, window: { setTimeout: (/** @type {() => void} */ each) => rings.push(each) } });
  for (const [deltaMode, zoom] of [[0, Math.exp(0.03)], [1, Math.exp(0.48)]]) {
    const pane = pointed();
    pane.say("wheel", { clientX: 0, clientY: 0, deltaY: -20, deltaMode });
    close(pane.last("turn").zoom, zoom);
  }
  rings.length = 0;
  const [x, y] = [310, 70], eye = { ...EYE, zoom: 2, panX: 0.1, panY: -0.2 };
  // Where in the picture, as shares from its middle, a thing lies that is seen at a place.
  const thing = (/** @type {any} */ { zoom, panX, panY }, /** @type {number} */ px, /** @type {number} */ py) => [(px / 400 - 0.5 - panX) / zoom, (0.5 - py / 200 - panY) / zoom];
  for (const [delta, grows] of /** @type {[number, boolean][]} */ ([[-200, true], [200, false]])) {
    const pane = pointed(eye);
    pane.say("wheel", { clientX: x + 10, clientY: y + 20, deltaY: delta, deltaMode: 0 });
    const now = pane.last("turn");
    assert.equal(now.zoom > 2, grows);
    assert.deepEqual(pane.done.filter(([name]) => name === "moving"), [["moving", true]]);
    rings.splice(0).forEach((each) => each());
    assert.deepEqual(pane.done.at(-1), ["moving", false], "a moment after the last turn of the wheel");
    thing(now, x, y).forEach((value, k) => close(value, thing(eye, x, y)[k]));
  }
  delete (/** @type {any} */ (globalThis).window);
  const pane = pointed();
  pane.say("pointerdown", { clientX: 110, clientY: 120, pointerId: 1 });
  pane.say("pointerdown", { clientX: 210, clientY: 120, pointerId: 2 });
  pane.say("pointermove", { clientX: 310, clientY: 120, pointerId: 2 });
  close(pane.last("turn").zoom, 2);
});

test("where the page scrolls a finger that goes up or down is the page's, and one to the side turns", () => {
  for (const [touchAction, pointerType, dx, dy, turns] of /** @type {[string, string, number, number, boolean][]} */ ([
    ["pan-y", "touch", 20, 3, true], ["pan-y", "touch", 3, 20, false], ["none", "touch", 3, 20, true], ["pan-y", "mouse", 3, 20, true],
  ])) {
    Object.assign(globalThis, { getComputedStyle: () => ({ touchAction }) });
    const pane = pointed(), say = (/** @type {string} */ name, /** @type {number} */ part) => pane.say(name, { pointerType, clientX: 100 + part * dx, clientY: 100 + part * dy });
    say("pointerdown", 0);
    // A finger that lands rolls a little, to any side.
    pane.say("pointermove", { pointerType, clientX: 100 + dy / 10, clientY: 100 + dx / 10 });
    if (pointerType === "touch" && touchAction === "pan-y") assert.equal(pane.last("turn"), undefined, "not yet decided");
    for (const part of [0.6, 1, 2]) say("pointermove", part);
    assert.equal(pane.last("turn") !== undefined, turns, `${pointerType} ${touchAction} ${dx}, ${dy}`);
    say("pointerup", 2);
    assert.equal(pane.last("click"), undefined);
    assert.equal(pane.last("moving"), false);
  }
  const slow = pointed(), to = (/** @type {number} */ x) => (slow.say("pointermove", { pointerType: "touch", clientX: x, clientY: 100 }), slow.last("turn"));
  slow.say("pointerdown", { pointerType: "touch", clientX: 100, clientY: 100 });
  assert.deepEqual([to(106), to(107)], [undefined, undefined], "it may still go up");
  assert.ok(to(109) && to(112));
  // Two fingers enlarge, whatever one of them does; a press that is taken away is no click.
  Object.assign(globalThis, { getComputedStyle: () => ({ touchAction: "pan-y" }) });
  const pane = pointed();
  pane.say("pointerdown", { pointerType: "touch", clientX: 100, clientY: 100, pointerId: 1 });
  pane.say("pointerdown", { pointerType: "touch", clientX: 100, clientY: 200, pointerId: 2 });
  pane.say("pointermove", { pointerType: "touch", clientX: 100, clientY: 300, pointerId: 2 });
  const turned = pane.last("turn");
  close(turned.zoom, 2);
  // In the middle between them, which went down by 50 pixels of 200, things stay where they were.
  close(turned.panX, (90 / 400 - 0.5) * (1 - 2));
  close(turned.panY, 0.5 - 180 / 200 + (-0.25 - (0.5 - 180 / 200)) * 2);
  pane.say("pointerup", { pointerType: "touch", clientX: 100, clientY: 300, pointerId: 2 });
  assert.equal(pane.last("moving"), true);
  pane.say("pointercancel", { pointerType: "touch", clientX: 100, clientY: 100, pointerId: 1 });
  assert.deepEqual([pane.last("moving"), pane.last("click")], [false, undefined]);
});

test("what the pointer leaves is left, unless it is held, and the browser's own menu stays away", () => {
  const pane = pointed(), left = () => pane.done.filter(([name]) => name === "leave").length;
  pane.say("pointerleave", {});
  assert.equal(left(), 1);
  pane.say("pointerdown", { clientX: 1, clientY: 1 });
  pane.say("pointerleave", {});
  assert.equal(left(), 1);
  let prevented = 0;
  for (const name of ["contextmenu", "wheel"]) {
    Object.assign(globalThis, { WheelEvent: { DOM_DELTA_LINE: 1 }, window: { setTimeout: () => 0 } });
    pane.say(name, { clientX: 1, clientY: 1, deltaY: 1, deltaMode: 0, preventDefault: () => prevented++ });
  }
  delete (/** @type {any} */ (globalThis).window);
  assert.equal(prevented, 2);
  // A little movement is still none, and turns nothing.
  const still = pointed();
  still.say("pointerdown", { clientX: 100, clientY: 100 });
  still.say("pointermove", { clientX: 102, clientY: 101 });
  assert.equal(still.last("turn"), undefined);
  still.say("pointermove", { clientX: 104, clientY: 101 });
  assert.deepEqual(still.last("turn"), { azimuth: 10 - 0.6, elevation: 30 });
});

test("keys turn, tilt and enlarge by their arrows, by less with shift, and leave the browser its own", () => {
  const turned = (/** @type {string} */ key, more = {}) => keyTurn(/** @type {any} */ ({ key, ...more }), EYE, FIRST_EYE);
  assert.deepEqual(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key) => turned(key)), [{ azimuth: 5 }, { azimuth: 15 }, { elevation: 35 }, { elevation: 25 }]);
  assert.deepEqual(turned("ArrowUp", { shiftKey: true }), { elevation: 31 });
  assert.deepEqual([turned("+")?.zoom, turned("=")?.zoom, turned("-")?.zoom], [1.15, 1.15, 1 / 1.15]);
  assert.deepEqual([turned("x"), turned("ArrowUp", { ctrlKey: true }), turned("ArrowUp", { metaKey: true })], [null, null, null]);
  assert.deepEqual([turned("0"), turned("Home")], [FIRST_EYE, FIRST_EYE]);
  for (const key of ["0", "Home"]) assert.deepEqual([turned(key, { ctrlKey: true }), turned(key, { metaKey: true })], [null, null], "the browser's own size");
});

test("a drag on a map is the section from its beginning to its end, within the map; one at an end moves that end", () => {
  const mapTop = element(), made = figure(), store = new Store(/** @type {any} */ ({ height: "train/loss" })), /** @type {any[]} */ pinned = [];
  const place = { left: 0, top: 0, width: 300, height: 300, toScene: (/** @type {number} */ x, /** @type {number} */ y) => [x / 150 - 1, 1 - y / 150], toPixel: (/** @type {number} */ x, /** @type {number} */ y) => [150 * (x + 1), 150 * (1 - y)] };
  const view = { mapTop, figure: made, mapPlace: () => place, pickMap: (/** @type {number} */ x, /** @type {number} */ y) => [x, y] };
  const app = { store, get state() { return store.state; }, point: () => {}, pin: (/** @type {any} */ _, /** @type {any} */ at) => pinned.push(at) };
  wireMap(/** @type {any} */ (app), /** @type {any} */ (view));
  // From (-1, -1) to (2, 2) in the scene's box from -1 to 1.
  const spot = (/** @type {number} */ x, /** @type {number} */ y) => ({ offsetX: 100 * (x + 1), offsetY: 300 - 100 * (y + 1) });
  const drag = (/** @type {any} */ from, /** @type {any} */ to) => {
    mapTop.say("pointerdown", from);
    mapTop.say("pointermove", to);
    mapTop.say("pointerup", to);
  };
  drag(spot(0, 1), spot(1.5, -0.5));
  assert.deepEqual(store.state.section, [0, 1, 1.5, -0.5]);
  drag(spot(1.5, -0.5), spot(9, 2));
  assert.deepEqual(store.state.section, [0, 1, 2, 2]);
  drag(spot(0, 1), spot(-9, 0));
  assert.deepEqual(store.state.section, [2, 2, -1, 0]);
  assert.deepEqual(pinned, []);
  drag(spot(0.5, 0.5), { ...spot(0.5, 0.5), offsetX: 152 });
  assert.deepEqual(pinned, [[152, 150]]);
  assert.deepEqual(store.state.section, [2, 2, -1, 0]);
});

/** As much of a page as its methods need. @param {any} more @param {any} state */
function app(more, state = {}) {
  const found = Object.create(App.prototype);
  const store = { state: { linked: true, shared: true, difference: "", frame: 0, pins: [], eyes: [EYE], height: "train/loss", ...state }, start: { eyes: [EYE] }, set: (/** @type {any} */ change) => Object.assign(store.state, change) };
  return Object.assign(found, { store, names: ["train/loss"], ...more });
}

test("each pane shows its own frame, the last where it has fewer, with its caption", () => {
  const panes = [{ frames: ["a", "b", "c"] }, { frames: ["d", "e"] }], captions = { "train/loss": ["one", "two"], "test/loss": ["other"] };
  const found = (/** @type {any} */ state) => {
    const page = app({ panes, content: { captions } }, state);
    return [page.surfaceOf(0), page.surfaceOf(1), page.captionText, page.frames];
  };
  assert.deepEqual(found({ frame: 0 }), ["a", "d", "one", 3]);
  assert.deepEqual(found({ frame: 2 }), ["c", "e", "two", 3]);
  assert.deepEqual(found({ frame: 1, height: "test/loss" })[2], "other");
  assert.deepEqual(found({ height: "gap/loss" })[2], "one");
});

test("linked panes turn together, others by themselves", () => {
  const page = app({ views: [0, 1], extra: 2 });
  page.turn(1, { azimuth: 40 });
  assert.deepEqual(page.store.state.eyes, [{ ...EYE, azimuth: 40 }]);
  page.store.state.linked = false;
  page.turn(1, { azimuth: 50 });
  assert.deepEqual([0, 1, 2].map((k) => page.eyeOf(k).azimuth), [40, 50, 40]);
  page.store.state.linked = true;
  assert.equal(page.eyeOf(1).azimuth, 40);
});

test("a cursor stands at the same place of another grid, and nowhere beyond it", () => {
  const own = surface(), wide = /** @type {any} */ ({ nx: 3, ny: 5, x: Float64Array.of(-2, 0.1, 2), y: Float64Array.of(-1, -0.5, 0.1, 1, 2) });
  const far = /** @type {any} */ ({ nx: 2, ny: 2, x: Float64Array.of(5, 6), y: Float64Array.of(-1, 2) });
  const [a, b, c] = [own, wide, far].map((each) => ({ figure: { surface: each } }));
  const page = app({ cursor: { i: 3, j: 1 }, source: a });
  assert.deepEqual([page.cursorOf(a), page.cursorOf(b), page.cursorOf(c)], [{ i: 3, j: 1 }, { i: 2, j: 2 }, null]);
  page.cursor = null;
  assert.equal(page.cursorOf(b), null);
});

test("a point is kept at its place in the plane, and let go where it is kept already", () => {
  const page = app({}), view = { figure: { surface: surface() } };
  page.pin(view, { i: 2, j: 0 });
  page.pin(view, { i: 0, j: 2 });
  assert.deepEqual(page.store.state.pins, [[1, -1], [-1, 2]]);
  page.pin(view, { i: 2, j: 0 });
  page.pin(view, null);
  assert.deepEqual(page.store.state.pins, [[-1, 2]]);
  page.pin(view, { i: 0, j: 0 });
  page.pin(view, { i: 2, j: 2 });
  assert.deepEqual(page.store.state.pins, [[-1, 2], [-1, -1], [1, 2]], "others of its row and column stay");
});

test("time runs from the first frame to the last and along the paths, and a flight starts from the view there is", () => {
  const /** @type {any[]} */ set = [], player = Object.create(Player.prototype);
  player.app = { frames: 4, state: { eyes: [EYE, { ...EYE, zoom: 3 }] }, store: { set: (/** @type {any} */ change) => set.push(change) } };
  const shown = (/** @type {string} */ name, /** @type {number} */ part) => (player.show(name, part, { azimuth: 100, elevation: 20 }), set.at(-1));
  assert.deepEqual([0, 0.3, 0.99, 1].map((part) => shown("frame", part).frame), [0, 1, 3, 3]);
  assert.deepEqual(shown("step", 0.25), { step: 0.25 });
  const orbit = shown("orbit", 0.25);
  assert.deepEqual(orbit, { eyes: [{ ...EYE, azimuth: 190, elevation: 20 }, { ...EYE, zoom: 3, azimuth: 190, elevation: 20 }] });
  assert.equal(shown("path", 0.45).step, 0.5);
  assert.deepEqual([shown("epochs", 0.3).frame, "step" in shown("epochs", 0.3)], [1, false]);
});

test("a player says which step and which frame of how many it shows, and what is counted", () => {
  const player = Object.create(Player.prototype), paths = [{ step: [0, 10, 40], unit: "epoch" }];
  const frames = [{ title: "Run, epoch 1", paths }, { title: "Run, epoch 2", paths }];
  player.app = { frames: 2, panes: [{ title: "Run", frames }], state: { step: 0.5, frame: 1 }, surfaceOf: () => frames[1] };
  assert.deepEqual([player.stepText(), player.frameText(), player.unit()], ["10 of 40", "epoch 2 (2 of 2)", "Epoch"]);
  player.app.surfaceOf = () => ({ ...frames[1], paths: [...paths, { step: [0, 1], unit: "step" }] });
  assert.equal(player.unit(), "Step");
});

test("a file is called after its page, and its caption has what was kept and what the picture does not show", () => {
  const named = (/** @type {string} */ name) => fileStem(/** @type {any} */ ({ content: { name } }));
  assert.deepEqual(["Two nets, α & β!", "...", "x".repeat(99), ""].map(named), ["Two-nets-α-β", "landscape", "x".repeat(60), "landscape"]);
  const made = figure(), view = { said: ["loss 1", "smoothed"], heading: { textContent: "net" }, figure: made };
  const page = { shown: [view], state: { pins: [[1, 0]] }, content: { labels: LABELS }, scales: [made.scales], captionText: "Measured." };
  const said = captionOf(/** @type {any} */ (page));
  assert.ok(said.startsWith("Measured. "), said);
  assert.match(said, /net: loss 1, smoothed, \(1\) PC\u00a01\u00a01/);
  const formula = made.scales.height.formula();
  assert.equal(said.includes("Drawn as "), Boolean(formula));
});

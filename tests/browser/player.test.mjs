/** Time on the page: its sliders, what playing shows when, and what is said of the runs meanwhile. */
import assert from "node:assert/strict";
import test from "node:test";
import { browser, frames, named, run, whole } from "./whole.mjs";

const real = performance.now.bind(performance);
test.afterEach(() => { performance.now = real; });

/** A page of one pane with three frames, whose runs were recorded at steps 0, 10, 40, 90. @param {any} [content] */
function playing(content = {}) {
  browser();
  const paths = () => [run("sgd", [-1, 0, 1, 2], [0, 0, 0, 0], { step: [0, 10, 40, 90] }), run("adam", [-1, 0], [-1, -1], { step: [0, 10], own: {} })];
  const app = whole([["one", "two", "three"].map((title) => named(`pane 0, ${title}`, { paths: paths() }))], { start: { kind: "linear", eyes: [{ azimuth: 10, elevation: 30, zoom: 2, panX: 0, panY: 0 }] }, ...content });
  performance.now = () => 1000;
  frames(1000);
  const { player } = app, slider = (/** @type {string} */ key) => player.element.with("data-key", key);
  const shown = (/** @type {string} */ key) => player.element.children.find((/** @type {any} */ each) => each.all.includes(slider(key))).children[3].textContent;
  const press = (/** @type {string} */ key, /** @type {string} */ name) => slider(key).say("keydown", { key: name });
  return { app, player, slider, shown, press, play: (/** @type {string} */ label) => player.element.with("aria-label", `Play ${label}`) };
}

test("a press of an arrow is one recorded step or one frame, a page is ten, and it ends where they end", () => {
  const { app, slider, shown, press } = playing();
  assert.deepEqual([slider("step").min, slider("step").max, slider("step").value, shown("step")], ["0", "90", "90", "90 of 90"]);
  assert.equal(press("step", "ArrowLeft"), true);
  assert.deepEqual([app.state.step, slider("step").value, shown("step")], [0.6667, "40", "40 of 90"]);
  assert.ok(slider("step").attributes["aria-valuetext"].startsWith("Step 40 of 90"));
  for (const [key, step] of [["ArrowDown", "10"], ["ArrowUp", "40"], ["ArrowRight", "90"], ["ArrowRight", "90"], ["PageDown", "0"], ["ArrowLeft", "0"], ["PageUp", "90"]]) {
    press("step", key);
    assert.equal(slider("step").value, step, key);
  }
  assert.equal(press("step", "Tab"), false);
  assert.deepEqual([slider("frame").min, slider("frame").max, slider("frame").value, shown("frame")], ["0", "2", "0", "one (1 of 3)"]);
  press("frame", "ArrowRight");
  assert.deepEqual([app.state.frame, shown("frame")], [1, "two (2 of 3)"]);
  press("frame", "PageUp");
  assert.equal(app.state.frame, 2);
});

test("a slider that is dragged stands at the nearest recorded step", () => {
  const { app, slider } = playing(), drag = (/** @type {string} */ key, /** @type {string} */ value) => {
    slider(key).value = value;
    slider(key).say("input");
    return slider(key).value;
  };
  assert.deepEqual(["24", "26", "66", "3"].map((value) => drag("step", value)), ["10", "40", "90", "0"]);
  drag("frame", "2");
  assert.equal(app.state.frame, 2);
});

test("playing takes its seconds, at the speed that is chosen, from where it stands or else from the beginning, and ends", () => {
  const { app, player, play, slider } = playing(), button = play("Step");
  const at = (/** @type {number} */ seconds) => (frames(1000 + 1000 * seconds, 1), app.state.step);
  assert.equal(button.attributes["aria-pressed"], "false");
  button.say("click");
  assert.equal(app.moving, true);
  assert.deepEqual([at(0), at(2), at(4)], [0, 0.25, 0.5]);
  assert.equal(button.attributes["aria-pressed"], "true");
  const speed = player.element.with("aria-label", "Speed");
  assert.equal(speed.value, "1");
  speed.value = "2";
  speed.say("change");
  assert.equal(at(5), 0.75);
  button.say("click");
  assert.deepEqual([app.moving, at(6), button.attributes["aria-pressed"]], [false, 0.75, "false"]);
  performance.now = () => 7000;
  button.say("click");
  assert.deepEqual([at(6), at(6.5)], [0.75, 0.875]);
  // Who takes hold of a slider stops it.
  slider("frame").say("keydown", { key: "ArrowRight" });
  assert.deepEqual([player.running, at(6.75)], [null, 0.875]);
  performance.now = () => 7000;
  button.say("click");
  assert.deepEqual([at(9), player.running, app.moving], [1, null, false]);
});

test("frames are played from the one that is shown, and from the first where it is the last", () => {
  const { app, play } = playing(), at = (/** @type {number} */ seconds) => (frames(1000 + 1000 * seconds, 1), app.state.frame);
  app.store.set({ frame: 1 });
  play("Epoch").say("click");
  assert.deepEqual([at(0), at(1.9), at(2.1), at(9)], [1, 1, 2, 2]);
  assert.equal(app.player.running, null);
  frames(10000);
  performance.now = () => 10000;
  play("Epoch").say("click");
  assert.deepEqual([at(9), at(11.1)], [0, 1]);
});

test("a flight begins at the view there is, and takes its time", () => {
  const { app, player } = playing(), at = (/** @type {number} */ seconds) => (frames(1000 + 1000 * seconds, 1), app.eyeOf(0));
  for (const [name, seconds, azimuth] of /** @type {[string, number, number][]} */ ([["orbit", 3.5, 100], ["path", 6, 10], ["epochs", 5, 10]])) {
    player.toggle(name);
    assert.equal(at(seconds).azimuth, azimuth, name);
    assert.deepEqual([at(seconds).elevation, at(seconds).zoom], [30, 2]);
    player.toggle(name);
    app.store.set({ eyes: [{ ...app.eyeOf(0), azimuth: 10 }] });
  }
  player.toggle("tour");
  at(10);
  assert.ok(player.running.part === 0.5);
  // Another one takes its place.
  player.toggle("orbit");
  assert.equal(player.running.name, "orbit");
});

test("the runs' own losses and the plane's below them are read at each step, of an accuracy in percent", () => {
  const { app, player, press, slider } = playing();
  assert.equal(player.losses.textContent, "training loss of sgd: its own 3, the plane's 7; adam: the plane's 4");
  press("step", "ArrowLeft");
  frames();
  const text = "training loss of sgd: its own 4, the plane's 0.5; adam: the plane's 4";
  assert.deepEqual([player.losses.textContent, slider("step").attributes["aria-valuetext"]], [text, `Step 40 of 90; ${text}`]);
  press("step", "PageDown");
  frames();
  assert.equal(player.losses.textContent, "training loss of sgd: its own 6, the plane's 2; adam: the plane's 5");
  app.store.set({ height: "train/accuracy" });
  frames();
  assert.ok(player.losses.textContent.startsWith("training accuracy of sgd: the plane's 33.333 %"), player.losses.textContent);
});

test("of several panes each run is named with its pane", () => {
  browser();
  const app = whole([[named("a", { paths: [run("r", [0], [0])] })], [named("b", { paths: [run("r", [1], [0], { step: [5] })] })]]);
  frames();
  assert.equal(app.player.losses.textContent, "training loss of a, r: its own 6, the plane's 1; b, r: its own 6, the plane's 0.5");
  assert.deepEqual([app.player.steps(), app.moments, app.views.map((view) => view.moments)], [[0, 5], [0, 5], [[0, 5], [0, 5]]]);
  app.panes[1].frames[0].paths[0].unit = "epoch";
  app.panes[1].frames[0].paths[0].step = [5, 6, 7];
  assert.deepEqual(app.player.steps(), [5, 6, 7], "where they count different things, those of the longest");
});

test("there are sliders and flights for what there is", () => {
  browser();
  const still = whole([[named("a")]]).player;
  assert.deepEqual([still.element.hidden, still.flights.map(([name]) => name)], [true, ["orbit", "tour"]]);
  const frame = whole([[named("a"), named("b")]]).player;
  assert.deepEqual([frame.element.hidden, frame.flights.map(([name]) => name)], [false, ["orbit", "tour", "epochs"]]);
  const path = whole([[named("a")], [named("b", { paths: [run("r", [0], [0])] })]]).player;
  assert.deepEqual(path.flights.map(([name]) => name), ["orbit", "tour", "path"]);
  assert.ok(path.element.with("data-key", "step") && !path.element.all.some((each) => each.attributes["data-key"] === "frame"));
});

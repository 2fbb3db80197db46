/** What is taken along: links, tables, a call in Python, pictures and films. */
import assert from "node:assert/strict";
import test from "node:test";
import { composePicture, exportPicture } from "../../plot/page/web/exporting.js";
import { csvOf, pythonCall, shareMenu } from "../../plot/page/web/share.js";
import { Element, callsOf } from "./drawn.mjs";
import { browser, frames, named, ring, run, stage, timers, whole } from "./whole.mjs";

/** A page that is drawn, its menu, and what was copied and offered. @param {any[][]} [panes] @param {any} [content] @param {any} [drawing] */
function sharing(panes = [[named("a")], [named("b")]], content = {}, drawing = stage()) {
  browser();
  const app = whole(panes, { start: { kind: "linear" }, ...content }, drawing), /** @type {string[]} */ copied = [], /** @type {any[]} */ offered = [];
  // Small, since each of their pixels takes its time.
  if (drawing) for (const { map } of app.views) [map.clientWidth, map.clientHeight] = [60, 60];
  frames();
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { clipboard: { writeText: async (/** @type {string} */ text) => { copied.push(text); } } } });
  Object.assign(globalThis, { location: { href: "file:///page.html#cap=3" } });
  Object.assign(URL, { createObjectURL: (/** @type {any} */ blob) => (offered.push(blob), `blob:${offered.length}`), revokeObjectURL: (/** @type {string} */ address) => offered.push(address) });
  Object.assign(Element.prototype, {
    toBlob(/** @type {any} */ done, /** @type {string} */ type) { done({ type, canvas: this }); },
    click() { /** @type {any} */ (this).heard.click?.({}); if (/** @type {any} */ (this).tag === "a") offered.push({ .../** @type {any} */ (this).attributes }); },
  });
  const menu = /** @type {any} */ (shareMenu(app)), [details, said] = menu.children;
  const press = async (/** @type {string} */ label) => {
    menu.all.find((/** @type {any} */ each) => each.tag === "button" && each.text === label).say("click");
    for (let k = 0; k < 8; k++) await null;
    return said.textContent;
  };
  return { app, menu, details, press, copied, offered, said };
}

test("a press copies the link, the points or the call, and says so for a moment", async () => {
  const { app, press, copied, said } = sharing();
  assert.equal(await press("Copy points as CSV"), "Click a point first");
  assert.deepEqual(copied, []);
  assert.equal(await press("Copy link"), "Copy link: copied");
  ring();
  assert.equal(said.textContent, "");
  app.store.set({ pins: [[1, 0]] });
  await press("Copy points as CSV");
  await press("Copy Python call");
  assert.deepEqual(copied, ["file:///page.html#cap=3", csvOf(app), pythonCall(app)]);
});

test("where there is no clipboard the old way is tried, and a failure is said", async () => {
  for (const works of [true, false]) {
    const { press } = sharing(), /** @type {any[]} */ done = [];
    Object.defineProperty(globalThis, "navigator", { configurable: true, value: {} });
    Object.assign(globalThis.document, { execCommand: (/** @type {string} */ what) => (done.push(what), works) });
    Object.assign(Element.prototype, { select() { done.push(/** @type {any} */ (this).value); }, remove() { done.push("gone"); } });
    assert.equal(await press("Copy link"), works ? "Copy link: copied" : "Could not copy");
    assert.deepEqual(done, ["file:///page.html#cap=3", "copy", "gone"]);
  }
});

test("a menu is closed by Escape and by a press beside it, not by one in it", () => {
  const heard = /** @type {Record<string, any>} */ ({});
  const { details } = (() => {
    const made = sharing();
    Object.assign(globalThis.document, { addEventListener: (/** @type {string} */ name, /** @type {any} */ each) => { heard[name] = each; } });
    return { details: /** @type {any} */ (shareMenu(made.app)).children[0] };
  })();
  details.open = true;
  details.say("keydown", { key: "a" });
  heard.pointerdown({ target: details.children[1].children[0] });
  assert.equal(details.open, true);
  details.say("keydown", { key: "Escape" });
  assert.deepEqual([details.open, globalThis.document.activeElement === details.children[0]], [false, true]);
  details.open = true;
  heard.pointerdown({ target: new Element("main") });
  assert.equal(details.open, false);
});

test("the table has the kept points of all panes with every digit, else the point under the cross-hair", () => {
  const { app } = sharing([[named("=a", { x: Float64Array.of(-1, 0, 1 / 3, 2) })], [named('b,"c"', { stderr: {} })]]);
  const head = "surface,PC 1,beta,train/loss,train/loss_stderr,test/loss,test/loss_stderr,train/accuracy,train/accuracy_stderr";
  assert.equal(csvOf(app), `${head}\n`);
  app.store.set({ pins: [[1 / 3, 0], [-1, 2], [9, 9]] });
  const [first, low, third, fourth] = csvOf(app).split("\n").slice(1, 5), error = [0.3, 0.4, 0.012].map((each) => String(Math.fround(each)));
  assert.equal(first, ["'=a", String(1 / 3), "0", "0.5", error[0], "1", error[1], String(1 / 1.5), error[2]].join());
  assert.ok(low.startsWith("'=a,-1,2,0.1,"), low);
  // The other grid's nearest point.
  assert.equal(third, `"b,""c""",0,0,1,,2,,0.5,`);
  assert.ok(fourth.startsWith('"b,""c""",-1,2,0.1,,'));
  assert.equal(csvOf(app).split("\n").length, 6);
  app.store.set({ pins: [] });
  app.point(app.views[0], { i: 3, j: 1 });
  assert.deepEqual(csvOf(app).split("\n").slice(1).map((row) => row.split(",").slice(0, 4)), [["'=a", "2", "0", "7"], ['"b', '""c"""', "2", "0"], [""]]);
});

test("the call in Python has what is on the screen, and says what is the page's own", () => {
  const { app } = sharing();
  const call = () => pythonCall(app);
  assert.equal(call(), `import landscape

surfaces = [landscape.read_surface("a.h5"), landscape.read_surface("b.h5")]
landscape.plot.save(
    surfaces, "Two-nets.png", kind="surface", name="train/loss", columns=2,
    scale="linear", colormap="viridis", independent=False,
    titles=["a", "b"],
    camera=landscape.plot.Camera(azimuth=-52, elevation=34),
    interpolate=False, light="scene",
)
`);
  app.store.set({ kind: "log", eps: 0.5, cap: "auto", shared: false, smooth: true, headlight: true, eyes: [{ azimuth: 3, elevation: 80, zoom: 1, panX: 0, panY: 0 }] });
  for (const each of ['scale="log", eps=0.5, cap="auto", colormap="viridis", independent=True,', "Camera(azimuth=3, elevation=80)", 'interpolate=True, light="camera",']) assert.ok(call().includes(each), call());
  app.store.set({ cap: 4 });
  assert.ok(call().includes(" cap=4,"));
  const own = (/** @type {any} */ change) => {
    const before = app.state;
    app.store.set(change);
    const said = /^# Of the page alone, not in a still: (.*)\.$/m.exec(call())?.[1];
    app.store.set(before);
    return said;
  };
  const eye = app.eyeOf(0);
  for (const [change, words] of /** @type {[any, string | undefined][]} */ ([
    [{}, undefined], [{ height: "gap/loss" }, "a gap between data sets"], [{ difference: "0-1" }, "the difference"], [{ colour: "test/loss" }, "a colour other than the height"],
    [{ colour: "train/loss" }, undefined], [{ exaggeration: 2 }, "exaggerated heights"], [{ pins: [[0, 0]] }, "kept points"], [{ section: [0, 0, 1, 1] }, "the section"],
    [{ eyes: [{ ...eye, zoom: 2 }] }, "the enlarged part"], [{ eyes: [{ ...eye, panX: 0.5 }] }, "the enlarged part"], [{ eyes: [{ ...eye, panY: 0.5 }] }, "the enlarged part"], [{ linked: false, eyes: [eye, eye] }, "a camera for each pane"], [{ linked: false }, undefined],
    [{ lines: false }, "what is switched off"], [{ floor: false }, "what is switched off"], [{ box: false }, "what is switched off"], [{ paths: false }, undefined],
  ])) assert.equal(own(change), words, JSON.stringify(change));
  app.store.set({ height: "gap/loss" });
  assert.ok(call().includes('name="test/loss"'));
});

test("the call reads the frame that is shown, from one file or from several, with one scale for all", () => {
  const many = (/** @type {any} */ record) => sharing([["p", "q", "r"].map((title) => named(title, { paths: [run("r", [0], [0])] }, record)), [named("s"), named("t")]]).app;
  const app = many({});
  app.store.set({ frame: 2 });
  frames();
  for (const each of [
    'planes = [[landscape.read_surface("p.h5"), landscape.read_surface("q.h5"), landscape.read_surface("r.h5")], [landscape.read_surface("s.h5"), landscape.read_surface("t.h5")]]',
    "surfaces = [frames[k] for frames, k in zip(planes, [2,1])]", 'scale=landscape.plot.Scale.of([frame for frames in planes for frame in frames], "train/loss", kind="linear", colormap="viridis"),', 'titles=["r", "t"]',
  ]) assert.ok(pythonCall(app).includes(each), pythonCall(app));
  app.store.set({ paths: false });
  assert.ok(pythonCall(app).includes("what is switched off"));
  const one = pythonCall(many({ file: "all α.h5" }));
  assert.ok(one.includes('from landscape.plot.page.records import frames_of\n') && one.includes('planes = [frames_of(landscape.read_surface("all \\u03b1.h5"))[0], [landscape'), one);
  assert.ok(pythonCall(sharing([[named("x", {}, { file: "" })]]).app).includes('read_surface("x.h5")'), "without a file the title's");
});

test("a picture has the panes in their rows, their titles, legends, colours and the caption, as large as asked", () => {
  const names = ["one", "two", "three", "four", "five"], drawing = stage();
  const { app } = sharing(names.map((name) => [named(name, { paths: name === "one" ? [run("sgd", [-1, 0], [0, 0])] : [] })]), { captions: { "train/loss": ["Where it is from."] } }, drawing);
  app.store.set({ pins: [[1, 0]] });
  drawing.shots.length = 0;
  for (const factor of [1, 3]) {
    const canvas = /** @type {any} */ (composePicture(app, factor, false)), { context } = canvas;
    // Three beside each other, scenes of 300 x 320 and the bar; heads of two lines' height, and what the caption needs.
    assert.equal(canvas.width, factor * (3 * 300 + 96));
    assert.deepEqual(callsOf(context, "setTransform").at(-1), [factor, 0, 0, factor, 0, 0]);
    const ground = callsOf(context, "fillRect")[0];
    assert.deepEqual(ground, [0, 0, canvas.width, canvas.height]);
    const before = context.calls.findIndex(([kind]) => kind === "fillRect");
    assert.equal(context.calls.slice(0, before).findLast(([kind, name]) => kind === "set" && name === "fillStyle")?.[2], app.theme.ground);
    const texts = callsOf(context, "fillText");
    for (const name of names) assert.ok(texts.some(([text, x, y]) => text === name && x === 18 && y === 24), name);
    for (const each of ["sgd", "○ start", "★ end"]) assert.ok(texts.some(([text]) => text === each), each);
    // Legends go on in a new row where there is no more room.
    const legend = texts.filter(([text, , y]) => /^(sgd|[○●★☆] |paler)/.test(text) && y > 24);
    legend.slice(1).forEach(([text, x, y], k) => {
      const [before, from, above] = legend[k];
      assert.ok(y === above ? Math.abs(x - from - 6 * before.length - 14) < 1e-9 : y === above + 17 && x === 18, `${text} at ${x}, ${y}`);
      assert.ok(x + 6 * text.length <= 300 - 18 || x === 18, text);
    });
    assert.ok(new Set(legend.map(([, , y]) => y)).size > 1);
    assert.equal(legend[0][1], 18 + 26, "beside its colour");
    assert.ok(callsOf(context, "fillRect").some(([x, y, wide, tall]) => x === 18 && y === legend[0][2] - 5 && wide === 20 && tall === 3));
    assert.ok(texts.some(([text]) => String(text).startsWith("Where it is from.")));
    assert.ok(texts.some(([text]) => text === "training loss"), "of the colours");
    assert.ok(texts.some(([text]) => text === "1"), "the kept point");
    assert.deepEqual(drawing.shots.splice(0).map((/** @type {any} */ { ratio }) => ratio), Array(5).fill(factor));
    const moved = callsOf(context, "translate"), head = moved.find(([x, y]) => x === 0 && y > 0)?.[1];
    for (const wanted of [[0, 0], [300, 0], [600, 0], [0, head + 320], [300, head + 320]]) assert.ok(moved.some((each) => String(each) === String(wanted)), `${wanted} in ${moved}`);
    assert.ok(canvas.height > factor * 2 * (head + 320) && canvas.height < factor * (2 * (head + 320) + 200));
  }
  const clear = /** @type {any} */ (composePicture(app, 1, true)).context;
  assert.ok(!callsOf(clear, "fillRect").some(([x, y, wide, tall]) => x === 0 && y === 0 && wide > 900 && tall > 600));
  app.store.set({ shared: false });
  frames();
  assert.equal(composePicture(app, 1, false).width, 900, "each has a bar of its own");
});

test("without WebGL a picture has the maps; long titles and captions are wrapped, and a word that is too long is cut", () => {
  const long = "w".repeat(70), { app } = sharing([[named(`${long} and two words more than fit beside each other`)]], {}, null);
  const { context } = /** @type {any} */ (composePicture(app, 1, false));
  assert.deepEqual(callsOf(context, "drawImage"), [[app.views[0].map, 0, 0, 300, 320]]);
  const title = callsOf(context, "fillText").filter(([, x, y]) => x === 18 && (y - 24) % 20 === 0), width = 300 - 36;
  assert.ok(title.length === 3 && title.every(([text]) => 6 * text.length <= width), JSON.stringify(title));
  assert.equal(title.map(([text]) => text).join("").replaceAll(" ", ""), `${long} and two words more than fit beside each other`.replaceAll(" ", ""));
  assert.deepEqual(title.map(([, , y]) => y), title.map((_, k) => 24 + 20 * k));
  for (const [k, [text]] of title.entries()) {
    const next = title[k + 1]?.[0];
    if (next && !next.startsWith("w")) assert.ok(6 * `${text} ${next.split(" ")[0]}`.length > width, "as many words as fit");
  }
});

test("a saved picture has its name, size and ground, and its address is given back", async () => {
  const { app, menu, press, offered } = sharing();
  menu.with("aria-label", "Size of the picture").value = "3";
  const clear = menu.all.find((/** @type {any} */ each) => each.attributes.type === "checkbox");
  assert.ok(!clear.checked && clear.attributes.checked === undefined, "a picture has a ground unless it is asked for without");
  clear.checked = true;
  assert.equal(await press("Save PNG"), "Two-nets.png saved");
  const [blob, link] = offered;
  assert.deepEqual([blob.type, blob.canvas.width], ["image/png", 3 * (2 * 300 + 96)]);
  assert.equal(callsOf(blob.canvas.context, "fillRect").some(([x, y, wide]) => !x && !y && wide > 2000), false, "clear");
  assert.deepEqual(link, { href: "blob:1", download: "Two-nets.png" });
  assert.ok(timers.size > 0);
  ring();
  assert.equal(offered.at(-1), "blob:1");
  assert.equal(await exportPicture(app, 1, false), "Two-nets.png");
});

test("a film has a picture for each that is drawn until its flight ends, and even sides", async () => {
  browser();
  assert.ok(!(/** @type {any} */ (shareMenu(whole([[named("a")]]))).text.includes("Record WebM")), "where the browser cannot");
  /** @type {any[]} */ const recorders = [];
  class MediaRecorder {
    static isTypeSupported() { return true; }
    /** @param {any} stream @param {any} options */
    constructor(stream, options) {
      Object.assign(this, { stream, options, heard: {}, state: "new" });
      recorders.push(this);
    }
    /** @param {string} name @param {any} each */
    addEventListener(name, each) { /** @type {any} */ (this).heard[name] = each; }
    start() { Object.assign(this, { state: "on" }); }
    stop() {
      const { heard } = /** @type {any} */ (this);
      heard.dataavailable({ data: "film" });
      heard.stop();
      Object.assign(this, { state: "off" });
    }
  }
  Object.assign(globalThis, { MediaRecorder });
  Object.assign(Element.prototype, { captureStream(/** @type {number} */ rate) { return { rate, canvas: this }; } });
  const { app, details, press, offered } = sharing(), before = app.afterDraw.length;
  details.open = true;
  await press("Record WebM");
  const [{ stream, options, state }] = recorders, copies = () => callsOf(stream.canvas.context, "drawImage").filter(([image]) => image.tag === "canvas" && image !== app.views[0].map && image !== app.views[1].map).length;
  assert.deepEqual([state, stream.rate, options.mimeType, details.open, app.player.running?.name], ["on", 30, "video/webm", false, "orbit"]);
  assert.deepEqual([stream.canvas.width % 2, stream.canvas.height % 2], [0, 0]);
  assert.equal(app.afterDraw.length, before + 1);
  const begun = copies();
  frames(performance.now() + 1000, 2);
  assert.ok(copies() > begun);
  assert.deepEqual(callsOf(stream.canvas.context, "drawImage").at(-1)?.slice(1), [0, 0]);
  const copied = callsOf(stream.canvas.context, "drawImage").at(-1)?.[0];
  assert.ok(Math.abs(copied.width - stream.canvas.width) <= 1 && Math.abs(copied.height - stream.canvas.height) <= 1);
  frames(performance.now() + 99000);
  for (let k = 0; k < 12; k++) await null;
  assert.deepEqual([recorders[0].state, app.afterDraw.length, offered.at(-1)], ["off", before, { href: "blob:1", download: "Two-nets.webm" }]);
  assert.equal(offered[0].type, "video/webm");
  delete (/** @type {any} */ (globalThis).MediaRecorder);
});

test("a flight is played from the menu, which closes", async () => {
  const { app, menu, details, press } = sharing();
  details.open = true;
  menu.with("aria-label", "Flight").value = "tour";
  await press("Play the flight");
  assert.deepEqual([details.open, app.player.running.name], [false, "tour"]);
  await press("Play the flight");
  assert.equal(app.player.running, null);
});

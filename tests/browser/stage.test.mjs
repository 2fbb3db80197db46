/** The camera and the pictures of the graphics card, what its programs are given, and colours of themes. */
import assert from "node:assert/strict";
import test from "node:test";
import { CustomBlending, OneFactor, OneMinusSrcAlphaFactor, Vector3 } from "three";
import { LEVEL_TABLE } from "../../plot/page/web/levels.js";
import { PaneView } from "../../plot/page/web/pane.js";
import { Ribbons } from "../../plot/page/web/ribbons.js";
import { SHADERS } from "../../plot/page/web/shaders.js";
import { Model, Stage } from "../../plot/page/web/stage.js";
import { css, mixed, themeOf } from "../../plot/page/web/theme.js";
import { View } from "../../plot/page/web/view.js";
import { Element, STATE, callsOf, figure, page, surface } from "./drawn.mjs";
import { named, run, stage } from "./whole.mjs";

page();
const close = (/** @type {number} */ got, /** @type {number} */ wanted, tolerance = 1e-9) => assert.ok(Math.abs(got - wanted) <= tolerance, `${got} is not ${wanted}`);
const viewOf = (/** @type {number} */ azimuth, /** @type {number} */ elevation, wide = 600, tall = 400) =>
  new View({ azimuth, elevation, zoom: 1.5, panX: 0.1, panY: -0.05 }, wide, tall, { half: [1, 0.8], top: 1.1, margin: { left: 48, right: 22, top: 10, bottom: 38 } });

/** A stage whose renderer notes what it is told. */
function staged() {
  const /** @type {any[][]} */ told = [], canvas = new Element("canvas");
  Object.assign(canvas, { width: 0, height: 0 });
  const note = (/** @type {string} */ name) => (/** @type {any[]} */ ...args) => {
    told.push([name, ...args]);
    if (name === "setSize") [/** @type {any} */ (canvas).width, /** @type {any} */ (canvas).height] = args;
  };
  const renderer = Object.assign(Object.fromEntries(["setSize", "setViewport", "setScissor", "setScissorTest", "clear", "render"].map((name) => [name, note(name)])), { domElement: canvas, info: { render: { triangles: 7 } } });
  return { stage: new Stage(/** @type {any} */ (renderer)), told, of: (/** @type {string} */ name) => told.filter(([each]) => each === name).map((each) => each.slice(1)) };
}

test("the graphics card's camera sees every place where the axes and the pointer see it", () => {
  const { stage: own } = staged();
  for (const [azimuth, elevation] of [[-52, 34], [140, 3], [10, 70], [-90, 90], [0, 0]]) {
    const view = viewOf(azimuth, elevation);
    own.aim(view);
    own.camera.updateMatrixWorld();
    for (const place of [[0, 0, 0], [1, 0.8, -0.45], [-1, 0.8, 1.1], [0.3, -0.8, 0.5]]) {
      const at = new Vector3(...place).project(own.camera), [x, y] = view.project(place);
      close(((at.x + 1) / 2) * 600, x, 1e-6);
      close(((1 - at.y) / 2) * 400, y, 1e-6);
      assert.ok(at.z > -1 && at.z < 1, `${place} is cut away at ${azimuth}, ${elevation}`);
    }
  }
});

test("a picture lies in the lower left corner of a canvas that only grows, drawn by what was prepared for it", () => {
  const { stage: own, of, told } = staged(), model = new Model(), look = { headlight: false, lineWidth: 1, coarse: false };
  /** @type {any[]} */ const prepared = [];
  model.prepare = (/** @type {any[]} */ ...args) => { prepared.push(args); };
  Object.assign(globalThis, { devicePixelRatio: 2 });
  assert.deepEqual(own.draw(model, viewOf(-52, 34), 0.7, look), { width: 420, height: 280 });
  assert.deepEqual(of("setSize"), [[1200, 800, false]], "at once as large as a fine picture needs");
  own.draw(model, viewOf(-52, 34), 2, look);
  assert.equal(of("setSize").length, 1);
  own.draw(model, viewOf(-52, 34, 700, 300), 2, look);
  assert.deepEqual(of("setSize")[1], [1400, 800, false]);
  Object.assign(globalThis, { devicePixelRatio: 1 });
  assert.deepEqual(of("setViewport"), [[0, 0, 420, 280], [0, 0, 1200, 800], [0, 0, 1400, 600]]);
  assert.deepEqual(of("setScissor"), of("setViewport"));
  assert.deepEqual(prepared.map(([, width, height, ratio]) => [width, height, ratio]), [[420, 280, 0.7], [1200, 800, 2], [1400, 600, 2]]);
  assert.deepEqual(told.slice(-2).map(([name, scene]) => [name, scene === model.scene]), [["clear", false], ["render", true]]);
  assert.deepEqual([own.triangles, own.lost], [7, false]);
});

test("a lost context stops the drawing until it is back, and then all is drawn", () => {
  const own = (/** @type {string} */ driver) => Object.assign(Object.create(Stage.prototype), { renderer: { getContext: () => ({ getExtension: () => ({ UNMASKED_RENDERER_WEBGL: 1 }), getParameter: () => driver }) } });
  for (const name of ["ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device))", "llvmpipe (LLVM 15)", "Microsoft Basic Render Driver", "Software Rasterizer"]) assert.equal(own(name).isSoftware, true, name);
  assert.equal(own("NVIDIA GeForce RTX 4090/PCIe/SSE2").isSoftware, false);
  assert.equal(Stage.start(() => {}), null, "no WebGL");
  // As much of WebGL as three.js asks for when it starts.
  const answers = /** @type {Record<string, any>} */ ({
    getContextAttributes: () => ({}), getExtension: () => null, getShaderPrecisionFormat: () => ({ precision: 23 }), getParameter: (/** @type {string} */ name) => (name === "VERSION" ? "WebGL 2.0" : [0, 0, 0, 0]),
  });
  const gl = new Proxy(answers, { get: (known, name) => known[String(name)] ?? (/^[A-Z0-9_]+$/.test(String(name)) ? name : () => ({})) });
  const canvas = new Element("canvas"), { document } = globalThis, { log, warn } = console;
  let asked = 0;
  Object.assign(canvas, { getContext: (/** @type {string} */ kind) => (kind === "webgl2" ? gl : null), removeEventListener() {} });
  Object.assign(globalThis, { document: { createElement: () => canvas, createElementNS: () => canvas }, self: globalThis });
  Object.assign(console, { log() {}, warn() {} });
  const started = Stage.start(() => asked++);
  assert.deepEqual([started?.lost, started?.canvas === /** @type {any} */ (canvas)], [false, true]);
  canvas.say("webglcontextlost");
  assert.deepEqual([started?.lost, asked], [true, 0]);
  canvas.say("webglcontextrestored");
  assert.deepEqual([started?.lost, asked], [false, 1]);
  Object.assign(console, { log, warn });
  Object.assign(globalThis, { document });
});

test("colours, levels and lines reach the programs as they were given", () => {
  const model = new Model(), { uniforms } = model.material, colors = Uint8Array.from({ length: 1024 }, (_, k) => k % 251);
  model.setColors(colors);
  assert.deepEqual([uniforms.lut.value.image.data, uniforms.lut.value.image.width, uniforms.lut.value.image.height, uniforms.lut.value.version], [colors, 256, 1, 1]);
  model.setLevels([0.1, 0.4, 0.9], 0.7);
  const { data, width } = uniforms.levels.value.image, [low, high] = uniforms.levelRange.value.toArray();
  assert.equal(width, LEVEL_TABLE);
  const entry = (/** @type {number} */ height) => Math.floor(((height - low) / (high - low)) * LEVEL_TABLE);
  close(data[2 * entry(0.42)], 0.4, 1e-6);
  const before = uniforms.levels.value;
  model.setLevels([0.1, 0.4, 0.9], 0.5);
  assert.ok(uniforms.levels.value === before, "the same levels need no new table");
  model.setLevels([0.2, 0.4], 0.5);
  assert.ok(uniforms.levels.value !== before);
  close(uniforms.levels.value.image.data[2 * LEVEL_TABLE - 2], 0.4, 1e-6);
  assert.equal(model.lines("path 0"), model.lines("path 0"), "made once");
  const order = ["grid", "border", "floor", "shadow 0", "drops", "casing 0", "path 0", "hidden 0"].map((name) => model.lines(name).mesh.renderOrder);
  order.slice(1).forEach((value, k) => assert.ok(value > order[k], "drawn one after the other"));
  assert.ok(model.scene.children.includes(model.lines("path 0").mesh) && model.scene.children.includes(model.surface));
});

test("lines are as wide as asked in pixels of the page, however fine the picture is, and a wide one does not sink into a slope", () => {
  const model = new Model(), lines = model.lines("path 0"), look = { headlight: false, lineWidth: 1, coarse: false };
  lines.style({ width: 3, lies: true });
  const lean = (/** @type {number} */ elevation) => {
    const view = viewOf(-52, elevation);
    model.prepare(view, 1200, 800, 2, look);
    assert.deepEqual(lines.material.uniforms.size.value.toArray(), [600, 400]);
    view.eye.forEach((value, k) => close(model.material.uniforms.eye.value.toArray()[k], value));
    // By how much a floor comes nearer, in depth of the picture, over half the line's width.
    const [fx, fy] = [Math.cos((-52 * Math.PI) / 180), Math.sin((-52 * Math.PI) / 180)], { stage: own } = staged();
    own.aim(view);
    own.camera.updateMatrixWorld();
    const at = [0, 0.001].map((part) => new Vector3(part * fx, part * fy, 0).project(own.camera)), rise = (Math.abs(at[1].y - at[0].y) / 2) * 400;
    return [lines.material.uniforms.lean.value, (1.5 * Math.abs(at[1].z - at[0].z)) / rise];
  };
  for (const elevation of [20, 34, 60]) {
    const [got, needed] = lean(elevation);
    assert.ok(got > needed && got < 5 * needed, `${elevation}: ${got} for ${needed}`);
  }
  assert.ok(lean(2)[0] < 5 * lean(15)[0], "not without end where it is seen from the side");
});

test("lines are styled as asked: width, lift, colour of their own or one for all, veil, opacity", () => {
  const lines = new Ribbons(3), { uniforms } = lines.material, now = () => ["width", "lift", "opacity", "useTint"].map((name) => uniforms[name].value);
  lines.style({ width: 4, lift: 0.5, opacity: 0.25, tint: [1, 0.5, 0.25], veil: [0.1, 0.2, 0.3, 0.4] });
  assert.deepEqual([now(), uniforms.tint.value.toArray(), uniforms.veil.value.toArray()], [[4, 0.5, 0.25, 1], [1, 0.5, 0.25], [0.1, 0.2, 0.3, 0.4]]);
  lines.style({ width: 2, tint: null });
  assert.deepEqual(now(), [2, 0.5, 0.25, 0]);
  // What is half seen is mixed by colours that were multiplied by their opacity.
  const { blending, blendSrc, blendDst, transparent } = lines.material;
  assert.deepEqual([blending, blendSrc, blendDst, transparent], [CustomBlending, OneFactor, OneMinusSrcAlphaFactor, true]);
  assert.match(SHADERS.line.fragmentShader, / \* opacity, opacity\);/);
  assert.deepEqual([lines.mesh.renderOrder, lines.material.depthWrite, lines.mesh.frustumCulled], [3, false, false]);
  lines.set([0, 0, 0, 1, 1, 1]);
  const corners = lines.mesh.geometry.getAttribute("position"), index = lines.mesh.geometry.index;
  assert.deepEqual(Array.from(index?.array ?? [], (k) => [corners.getX(k), corners.getY(k)]), [[0, -1], [1, -1], [1, 1], [0, -1], [1, 1], [0, 1]]);
});

test("programs and pictures call what they share by the same names", () => {
  const declared = (/** @type {string} */ text, /** @type {string} */ kind) => [...text.matchAll(new RegExp(`^${kind} (?:highp )?\\w+ (\\w+);$`, "gm"))].map(([, name]) => name);
  const built = /** @type {any} */ ({ viewMatrix: 1, projectionMatrix: 1 });
  const model = new Model(), lines = new Ribbons(0);
  lines.set([0, 0, 0, 1, 1, 1]);
  model.setMesh(/** @type {any} */ ({ position: new Float32Array(9), normal: new Float32Array(9), paint: new Float32Array(12), index: new Uint32Array(3), coarse: new Uint32Array(3) }));
  for (const [{ vertexShader, fragmentShader }, material, geometry] of /** @type {any[]} */ ([[SHADERS.surface, model.material, model.surface.geometry], [SHADERS.line, lines.material, lines.mesh.geometry]])) {
    const uniforms = [...declared(vertexShader, "uniform"), ...declared(fragmentShader, "uniform")].filter((name) => !(name in built));
    assert.deepEqual(uniforms.sort(), Object.keys(material.uniforms).sort());
    assert.deepEqual(declared(vertexShader, "in").sort(), Object.keys(geometry.attributes).sort());
    assert.deepEqual(declared(fragmentShader, "in").sort(), declared(vertexShader, "out").sort());
    // Each is used where it is declared, beside the declaration.
    for (const [text, names] of [[vertexShader, [...declared(vertexShader, "uniform"), ...declared(vertexShader, "in")]], [fragmentShader, [...declared(fragmentShader, "uniform"), ...declared(fragmentShader, "in")]]]) {
      for (const name of names) assert.ok((text.match(new RegExp(`\\b${name}\\b`, "g")) ?? []).length > 1, name);
    }
  }
});

test("a theme is as asked, else as its surroundings are; dark ink on light, light ink on dark", () => {
  for (const dark of [false, true]) {
    Object.assign(globalThis, { matchMedia: (/** @type {string} */ query) => ({ matches: dark && query === "(prefers-color-scheme: dark)" }) });
    assert.deepEqual(["auto", "light", "dark"].map((wanted) => themeOf(/** @type {any} */ (wanted)).dark), [dark, false, true]);
  }
  const bright = (/** @type {string} */ color) => [1, 3, 5].reduce((sum, k) => sum + parseInt(color.slice(k, k + 2), 16), 0) / 765;
  for (const name of /** @type {("light" | "dark")[]} */ (["light", "dark"])) {
    const { ground, ink, soft, line, missing, strange, gridTint, frameTint, dark } = themeOf(name);
    for (const [color, least] of /** @type {[string, number][]} */ ([[ink, 0.7], [soft, 0.4], [line, 0.4]])) assert.ok(Math.abs(bright(color) - bright(ground)) > least && bright(color) > bright(ground) === dark, color);
    assert.ok(Math.abs(bright(missing) - bright(strange)) > 0.1 && Math.abs(bright(strange) - bright(ground)) > 0.3, "two kinds of holes, apart");
    const sum = (/** @type {number[]} */ tint) => tint.reduce((all, each) => all + each, 0) / 3;
    assert.ok(Math.abs(sum(frameTint) - bright(ground)) > Math.abs(sum(gridTint) - bright(ground)), "a border is stronger than the grid");
  }
  assert.equal(css([1, 0.5, 0.2]), "rgb(255 128 51)");
  assert.deepEqual(mixed([0, 1], [1, 0], 0.25), [0.25, 0.75]);
});

/** A pane that shows a figure on a stage. @param {any} [given] @param {any} [state] */
function pane(given = named("a", { paths: [run("r", [-1, 0, 1, 2], [-1, -1, -1, -1], { step: [0, 1, 2, 3] })] }), state = STATE) {
  const drawing = stage(), view = new PaneView("net", 3, drawing), made = figure(state, given);
  view.setFigure(made, themeOf("light"));
  return { view: /** @type {any} */ (view), made, drawing, model: /** @type {any} */ (view.model) };
}
const ALL = /** @type {any} */ ({ ...STATE, box: true, floor: true, lines: true, paths: true, drops: true, headlight: true, step: 1, pins: [], section: null });
const ROOM = /** @type {any} */ ({ width: 300, height: 320, half: [1, 1], bar: false });
const EYE = { azimuth: -52, elevation: 34, zoom: 1, panX: 0, panY: 0 };

test("a run is drawn four times: on the floor, with an edge, in its colours, and dashed behind what hides it", () => {
  const { model, made } = pane(), uniforms = (/** @type {string} */ name) => model.lines(name).material.uniforms;
  const heights = (/** @type {string} */ name) => Array.from(model.lines(name).mesh.geometry.getAttribute("start").data.array).filter((_, k) => k % 3 === 2);
  assert.ok(heights("shadow 0").every((z) => Math.abs(Number(z) + 0.45) < 1e-6) && heights("path 0").every((z) => Number(z) >= 0));
  for (const name of ["casing 0", "path 0", "hidden 0"]) assert.deepEqual(heights(name), heights("path 0"));
  const hues = (/** @type {string} */ name) => Array.from(model.lines(name).mesh.geometry.getAttribute("startColor").data.array);
  for (const name of ["shadow 0", "hidden 0"]) assert.deepEqual(hues(name), hues("path 0"), name);
  assert.ok(new Set(hues("path 0")).size > 3);
  assert.ok(uniforms("casing 0").width.value > uniforms("path 0").width.value && uniforms("path 0").width.value >= 2);
  assert.ok(0 < uniforms("casing 0").lift.value && uniforms("casing 0").lift.value < uniforms("path 0").lift.value && uniforms("path 0").lift.value < uniforms("hidden 0").lift.value);
  assert.deepEqual([uniforms("casing 0").tint.value.toArray(), uniforms("casing 0").useTint.value, uniforms("path 0").useTint.value], [[1, 1, 1], 1, 0]);
  assert.deepEqual(["casing 0", "path 0", "hidden 0", "shadow 0"].map((name) => model.lines(name).lies), [true, true, true, false]);
  assert.deepEqual(["path 0", "hidden 0"].map((name) => uniforms(name).dash.value > 0), [false, true]);
  assert.deepEqual(["grid", "border"].map((name) => uniforms(name).tint.value.toArray()), [themeOf("light").gridTint, themeOf("light").frameTint]);
  for (const name of ["shadow 0", "casing 0", "path 0", "hidden 0", "drops", "grid", "border", "floor"]) assert.ok(uniforms(name).opacity.value >= 0.8 && uniforms(name).width.value >= 1 && uniforms(name).width.value < 6, name);
  assert.ok(uniforms("shadow 0").veil.value.toArray()[3] > 0 && uniforms("casing 0").veil.value.toArray()[3] === 0, "on the ground its colours would be lost");
  assert.ok(model.lines("grid").count > 0 && model.lines("border").count === 4 && model.lines("floor").count > 0);
  assert.equal(model.surface.geometry.getAttribute("position").count, made.field.nx * made.field.ny);
  assert.equal(model.surface.visible, true);
});

test("what stands above what: pictures below what follows the pointer, the scene before the map", () => {
  const { view } = pane(), order = view.element.all.filter((/** @type {any} */ each) => each.tag === "canvas");
  assert.ok([view.scene, view.sceneTop, view.map, view.mapTop].every((each, k) => order[k] === each));
  assert.deepEqual(["sceneTop", "mapTop"].map((name) => [view[name].attributes.class, view[name].attributes.tabindex, view[name].attributes["aria-describedby"]]), Array(2).fill(["picture top", "0", "summary-3"]));
  assert.equal(view.element.with("id", "summary-3"), view.summary);
  assert.match(view.sceneTop.attributes["aria-label"], /^net: surface/);
  assert.match(view.mapTop.attributes["aria-label"], /^net: map/);
  assert.ok(view.header.all.includes(view.heading) && view.header.all.includes(view.notes) && view.header.all.includes(view.legend) && view.element.all.includes(view.readout.element));
  const flat = /** @type {any} */ (new PaneView("net", 0, null));
  assert.deepEqual([flat.element.children[0].attributes.class, flat.element.all.includes(flat.scene), flat.element.all.includes(flat.map), flat.model], ["pane flat", false, true, null]);
});

test("a pane without a figure shows none, and a theme dresses its lines", () => {
  const { view, model } = pane();
  view.setTheme(themeOf("dark"));
  assert.deepEqual(model.lines("grid").material.uniforms.tint.value.toArray(), themeOf("dark").gridTint);
  assert.deepEqual(model.lines("floor").material.uniforms.veil.value.toArray(), themeOf("dark").floorVeil);
  assert.ok(model.lines("drops").material.uniforms.tint.value.toArray().every((/** @type {number} */ each) => each > 0.5));
  view.setFigure(null, themeOf("light"));
  assert.deepEqual([model.surface.visible, view.paths, view.element.classList.contains("empty"), view.sees([0, 0, 0])], [false, [], true, false]);
  assert.deepEqual([view.pick(10, 10), view.pickMap(10, 10)], [null, null]);
});

test("a scene is drawn with its axes, marks and bar, as fine as its screen, coarser while a slow machine moves", () => {
  const { view, drawing } = pane(), { context } = view.scene;
  view.drawScene(ALL, EYE, themeOf("light"), ROOM, false);
  const [shot] = drawing.shots;
  assert.deepEqual([shot.model === view.model, shot.view === view.view, shot.ratio, shot.look], [true, true, 1, { headlight: true, lineWidth: 1.1, coarse: false }]);
  assert.deepEqual(callsOf(context, "drawImage"), [[drawing.canvas, 0, 900 - 320, 300, 320, 0, 0, 300, 320]]);
  const texts = () => callsOf(context, "fillText").map(([text]) => text);
  assert.ok(texts().includes("training loss") && callsOf(context, "arc").length > 0);
  assert.deepEqual(texts().filter((text) => text === "training loss").length, 1);
  context.calls.length = 0;
  view.ownBar = true;
  view.drawScene({ ...ALL, box: false, paths: false }, EYE, themeOf("light"), ROOM, true);
  assert.deepEqual([drawing.shots[1].ratio, drawing.shots[1].look.coarse], [0.7, true]);
  assert.deepEqual([texts().filter((text) => text === "training loss").length, callsOf(context, "arc").length], [1, 0], "the bar's, and no run's marks");
  context.calls.length = 0;
  drawing.lost = true;
  view.drawScene(ALL, EYE, themeOf("light"), ROOM, false);
  assert.deepEqual([callsOf(context, "drawImage"), drawing.shots.length], [[], 2], "the last picture stays");
});

test("room is kept for the texts around a scene and for a bar, and for less of them where it is small", () => {
  const { view, made } = pane(), left = (/** @type {any} */ room) => {
    const seen = view.viewFor(EYE, { ...ROOM, ...room }), xs = [], ys = [];
    for (let turn = 0; turn < 360; turn += 5) {
      const turned = view.viewFor({ ...EYE, azimuth: turn }, { ...ROOM, ...room });
      for (const z of [-0.45, made.frame.top]) for (const [x, y] of [[-1, -1], [1, 1], [1, -1], [-1, 1]]) {
        const [px, py] = turned.project([x, y, z]);
        xs.push(px);
        ys.push(py);
      }
    }
    return [Math.min(...xs), seen.width - Math.max(...xs), Math.min(...ys), seen.height - Math.max(...ys)].map(Math.floor);
  };
  for (const [room, margin] of /** @type {[any, number[]][]} */ ([[{}, [34, 14, 16, 26]], [{ width: 500, height: 460 }, [48, 22, 10, 38]], [{ width: 500, height: 460, bar: true }, [48, 92, 10, 38]], [{ bar: true }, [34, 84, 16, 26]]])) {
    const kept = left(room);
    kept.forEach((each, k) => assert.ok(each >= margin[k] - 1, `${kept} is less than ${margin}`));
    assert.ok(kept[0] < margin[0] + 3 && kept[1] < margin[1] + 3 || kept[2] < margin[2] + 3 && kept[3] < margin[3] + 3, `${kept} for ${margin}`);
  }
});

test("the star of a scene stands at the checkpoint, on the surface, unless that lies elsewhere or in a hole", () => {
  const stars = (/** @type {any} */ given, /** @type {any} */ state = ALL) => {
    const { view } = pane(given);
    view.drawScene(state, { ...EYE, azimuth: -90, elevation: 80 }, themeOf("light"), ROOM, false);
    const points = callsOf(view.scene.context, "lineTo");
    return { view, found: callsOf(view.scene.context, "set").filter(([name, value]) => name === "fillStyle" && value === "#fff").length, points };
  };
  const whole = surface();
  whole.values["train/loss"][9] = 3;
  const { view, found, points } = stars(whole, { ...ALL, box: false, paths: false });
  assert.equal(found, 1);
  const { field } = view.figure, [x, y] = view.view.project([field.x[1], field.y[1], field.z[5]]);
  close(points[0][0], x);
  close(points[0][1], y - 6);
  assert.equal(stars({ ...whole, record: { ...whole.record, centred: false } }, { ...ALL, box: false, paths: false }).found, 0);
  assert.equal(stars({ ...whole, x: Float64Array.of(1, 2, 3, 4) }, { ...ALL, box: false, paths: false }).found, 0);
});

test("marks that the surface hides are dashed, those before it are whole", () => {
  const given = surface(), wall = [1, 1, 1, 1, 9, 9, 9, 9, 1, 1, 1, 1], place = (/** @type {number} */ y) => run("r", [0.5, 1], [y, y], { step: [0, 1] });
  for (const [y, hidden] of /** @type {[number, number][]} */ ([[-0.8, 0], [1.8, 3]])) {
    const { view } = pane({ ...given, values: { "train/loss": Float64Array.from(wall) }, state: new Uint8Array(12).fill(1), paths: [place(y)], record: { ...given.record, centred: false, networks: [{ name: "b.pt", short: "b", x: 1.5, y }] } }, { ...STATE, cap: null });
    view.drawScene({ ...ALL, box: false, drops: false }, { ...EYE, azimuth: -90, elevation: 10 }, themeOf("light"), ROOM, false);
    assert.equal(callsOf(view.scene.context, "setLineDash").length, hidden, `${y}: its start, its end and another network`);
  }
});

test("a map has its surface, its runs, its marks, and above them what follows the pointer", () => {
  const { view } = pane(), { context } = view.map;
  view.drawMap({ ...ALL, paths: true }, themeOf("light"));
  assert.ok(callsOf(context, "drawImage").length === 1 && callsOf(context, "arc").length > 1);
  context.calls.length = 0;
  view.drawMap({ ...ALL, paths: false }, themeOf("light"));
  assert.equal(callsOf(context, "arc").length, 2, "the best point's ring, in two colours");
  view.drawScene(ALL, EYE, themeOf("light"), ROOM, false);
  view.drawTop({ ...ALL, pins: [[1, 0]] }, null, themeOf("light"));
  for (const top of [view.sceneTop, view.mapTop]) assert.deepEqual(callsOf(top.context, "fillText").map(([text]) => text), ["1"]);
});

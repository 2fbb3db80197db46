/** The panel at the side: finer settings, how far the picture can be trusted, or curvature in all directions. */
import { chooser } from "./controls.js";
import { makeCurvature } from "./curvature.js";
import { difference } from "./data.js";
import { make } from "./dom.js";
import { numberText } from "./levels.js";

/** @param {App} app */
export function makeDrawer(app) {
  const adjust = adjustPanel(app);
  const trust = make("div", { class: "trust" }), curvature = makeCurvature(app), heading = make("h2", { class: "heading" });
  const close = make("button", { type: "button", class: "quiet", "aria-label": "Close the panel", click: () => closeDrawer(app) }, "×");
  const element = make("aside", { id: "drawer", "aria-label": "Settings" }, make("header", {}, heading, close), adjust, trust, curvature);
  app.store.follow(() => {
    const { drawer } = app.state;
    element.hidden = !drawer;
    adjust.hidden = drawer !== "adjust";
    trust.hidden = drawer !== "trust";
    curvature.hidden = drawer !== "curvature";
    heading.textContent = drawer === "trust" ? "How far this can be trusted" : drawer === "curvature" ? "Curvature in all directions" : "Adjust";
    element.setAttribute("aria-label", drawer === "trust" ? "Trust" : drawer === "curvature" ? "Curvature" : "Adjust");
    if (drawer === "trust") trust.replaceChildren(...trustTables(app));
  });
  return element;
}

/** Close it; the keyboard goes back to the button that opened it. @param {App} app */
export function closeDrawer(app) {
  const opener = document.querySelector('[aria-controls="drawer"][aria-expanded="true"]');
  app.store.set({ drawer: "" });
  if (opener instanceof HTMLElement) opener.focus();
}

/** @param {App} app */
function adjustPanel(app) {
  const maps = ["viridis", "cividis", "magma", "inferno", "coolwarm"];
  const own = String(app.content.start.colormap ?? "viridis");
  if (!maps.includes(own)) maps.unshift(own);
  const pairs = app.panes.flatMap((_, a) => app.panes.map((_, b) => [a, b])).filter(([a, b]) =>
    a !== b && difference(app.panes[a].frames[0], app.panes[b].frames[0], ""));
  const name = (/** @type {number} */ k) => app.panes[k].title || `pane ${k + 1}`;
  const many = app.panes.length > 1;
  return make("div", { class: "adjust" },
    make("h2", {}, "Scale"),
    number(app, "ε in log(L + ε)", "eps", "automatic"),
    number(app, "Cap", "cap", "none"),
    exaggeration(app),
    chooser(app, "Colour map", "colormap", maps.map((each) => [each, each === "coolwarm" ? "coolwarm (classic)" : each])),
    ...(many ? [
      flag(app, "One scale for all", "shared"),
      flag(app, "Turn together", "linked"),
      chooser(app, "Difference", "difference", [["", pairs.length ? "none" : "none: the grids differ"], ...pairs.map(([a, b]) =>
        /** @type {[string, string]} */ ([`${a}-${b}`, `${name(a)} − ${name(b)}`]))]),
    ] : []),
    make("h2", {}, "Show"),
    flag(app, "Iso-lines", "lines"),
    flag(app, "Contours on the floor", "floor"),
    flag(app, "Axes", "box"),
    flag(app, "Smooth coarse grids", "smooth"),
    flag(app, "Light moves with the eye", "headlight"),
    ...(app.panes.some((pane) => pane.frames.some((frame) => frame.paths.length)) ? [
      flag(app, "Trajectories", "paths"),
      flag(app, "Drop lines from the true loss", "drops"),
    ] : []),
    make("h2", {}, "Section"),
    make("div", { class: "row" },
      ...app.surfaceOf(0).record.axes.map(({ name }, k) =>
        make("button", { type: "button", "aria-label": `Section along ${name}`, click: () => section(app, k === 0) }, `Along ${name}`)),
      make("button", { type: "button", "aria-label": "No section", click: () => app.store.set({ section: null }) }, "None")),
    make("p", { class: "hint" }, "Or drag a line on a map. Click a surface or a map to keep a point."),
    make("button", { type: "button", class: "wide", click: () => app.store.set(structuredClone({ ...app.store.start, drawer: app.state.drawer })) }, "Reset everything"));
}

/**
 * A section through the kept point, or else through the checkpoint.
 * @param {App} app @param {boolean} alongX
 */
function section(app, alongX) {
  const { x, y } = app.surfaceOf(0), [px, py] = app.state.pins[app.state.pins.length - 1] ?? [0, 0];
  const inside = (/** @type {number} */ value, /** @type {Float64Array} */ axis) =>
    Math.min(axis[axis.length - 1], Math.max(axis[0], value));
  const [a, b] = [inside(px, x), inside(py, y)];
  app.store.set({ section: alongX ? [x[0], b, x[x.length - 1], b] : [a, y[0], a, y[y.length - 1]] });
}

/** @param {App} app @param {string} label @param {Flag} key */
function flag(app, label, key) {
  const box = make("input", { type: "checkbox", "data-key": key, change: () => app.store.set({ [key]: box.checked }) });
  app.store.follow(() => (box.checked = app.state[key]));
  return make("label", { class: "flag" }, box, make("span", {}, label));
}

/** @param {App} app */
function exaggeration(app) {
  const value = make("output");
  const slider = make("input", {
    type: "range", min: 0.2, max: 3, step: 0.05, "data-key": "exaggeration",
    input: () => app.store.set({ exaggeration: Number(slider.value) }),
  });
  app.store.follow(() => {
    slider.value = String(app.state.exaggeration);
    value.textContent = `× ${numberText(app.state.exaggeration)}`;
  });
  return make("label", { class: "range" }, make("span", {}, "Exaggerate"), slider, value);
}

/**
 * @param {App} app @param {string} label @param {"eps" | "cap"} key
 * @param {string} none  what an empty field means
 */
function number(app, label, key, none) {
  const field = make("input", { type: "text", inputmode: "decimal", placeholder: none, "data-key": key, spellcheck: "false" });
  field.addEventListener("change", () => {
    const value = Number(field.value.replace(",", "."));
    const given = field.value.trim();
    if (given === "" || (Number.isFinite(value) && (key !== "eps" || value > 0))) {
      app.store.set({ [key]: given === "" ? null : value });
    }
    follow();
  });
  const follow = () => {
    const value = app.state[key];
    if (document.activeElement !== field || value === null) field.value = value === null ? "" : String(value);
  };
  app.store.follow(follow);
  return make("label", { class: "number" }, make("span", {}, label), field);
}

/** @param {App} app */
function trustTables(app) {
  const tables = app.views.map((view, k) => {
    const surface = app.surfaceOf(k);
    const rows = [...surface.record.trust];
    const capped = view.figure?.counts.capped;
    const cap = view.figure?.scales.height.cap;
    if (capped && cap !== null && cap !== undefined) rows.splice(1, 0, ["above the cap", `${capped} of ${view.figure?.counts.points}, cap ${numberText(cap)}`]);
    for (const path of view.paths) {
      if (path.gap !== null) rows.push([`${path.path.name}: true loss`, `${numberText(path.gap, 3)} away from the plane's (median)`]);
      if (path.outside) rows.push([`${path.path.name}: not drawn`, `${path.outside} of ${path.stops.length} iterates lie outside or over holes`]);
      if (path.path.note) rows.push([path.path.name, path.path.note]);
    }
    return make("section", {},
      make("h2", {}, surface.title),
      make("p", { class: "hint" }, surface.record.caption),
      make("table", {}, make("tbody", {}, ...rows.map(([label, text]) =>
        make("tr", {}, make("th", { scope: "row" }, label), make("td", {}, text))))));
  });
  const slice = "A plane is a thin slice: two directions out of as many as the network has weights. Other directions may look different; " +
    "several seeds (--repeats) show by how much.";
  return [make("p", { class: "hint" }, slice), ...tables];
}

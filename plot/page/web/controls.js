/** The bar above the panes: what is drawn, on what scale, from where. */
import { hasCurvature } from "./curvature.js";
import { choice, icon, make } from "./dom.js";
import { smooth } from "./flights.js";
import { quantityLabel } from "./quantity.js";
import { shareMenu } from "./share.js";
import { FIRST_EYE, PRESETS } from "./view.js";

const ICONS = {
  adjust: "M2 4h6M12 4h2M10 2v4M2 12h2M8 12h6M6 10v4M2 8h9M14 8h0M12.5 6v4",
  trust: "M8 1.5l5.5 2v4c0 3.5-2.4 6-5.5 7-3.1-1-5.5-3.5-5.5-7v-4zM5.5 8l2 2 3.5-4",
  curvature: "M1.5 3c2 14 11 14 13 0M3 14h10M8 11.5v2.5",
  theme: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
};

/** @param {App} app */
export function makeToolbar(app) {
  const { store } = app;
  const names = app.names.map((name) => /** @type {[string, string]} */ ([name, quantityLabel(name, app.content.labels)]));
  const parts = [
    make("h1", { title: app.content.name }, app.content.name),
    group("what",
      chooser(app, "Height", "height", names),
      chooser(app, "Colour", "colour", [["", "as height"], ...names])),
    segments(app, "Scale", "kind", [["auto", "Auto"], ["log", "Log"], ["linear", "Linear"], ["asinh", "Asinh"]]),
    group("views", ...Object.entries(PRESETS).map(([name, preset]) =>
      make("button", { type: "button", class: "quiet", "data-preset": name, click: () => fly(app, preset) },
      name === "along" ? `Along ${app.surfaceOf(0).record.axes[0].name}` : preset.label))),
    shareMenu(app),
    drawerButton(app, "adjust", "Adjust"),
    drawerButton(app, "trust", "Trust"),
    ...(hasCurvature(app) ? [drawerButton(app, "curvature", "Curvature")] : []),
    make("button", {
      type: "button", class: "quiet icon", "aria-label": "Light or dark", title: "Light or dark",
      click: () => store.set({ theme: app.theme.dark ? "light" : "dark" }),
    }, icon(ICONS.theme)),
  ];
  return make("header", { class: "toolbar" }, ...parts);
}

/** @param {string} name @param {...Node} children */
function group(name, ...children) {
  return make("div", { class: `group ${name}` }, ...children);
}

/**
 * A choice that writes one key of the state and follows it.
 * @param {App} app @param {string} label @param {"height" | "colour" | "colormap" | "difference"} key
 * @param {[string, string][]} options
 */
export function chooser(app, label, key, options) {
  const select = choice({ "data-key": key, change: () => app.store.set({ [key]: select.value }) }, options);
  app.store.follow(() => (select.value = app.state[key]));
  return make("label", { class: "choice" }, make("span", {}, label), select);
}

/** @param {App} app @param {string} label @param {"kind"} key @param {[string, string][]} options */
function segments(app, label, key, options) {
  const buttons = options.map(([value, text]) =>
    make("button", { type: "button", "data-kind": value, click: () => app.store.set({ [key]: /** @type {any} */ (value) }) }, text));
  app.store.follow(() => buttons.forEach((button, k) => button.setAttribute("aria-pressed", String(options[k][0] === app.state[key]))));
  return make("div", { class: "segments", role: "group", "aria-label": label }, ...buttons);
}

/** @param {App} app @param {"adjust" | "trust" | "curvature"} name @param {string} label */
function drawerButton(app, name, label) {
  const button = make("button", {
    type: "button", class: "quiet", "aria-controls": "drawer", "aria-label": label, title: label,
    click: () => app.store.set({ drawer: app.state.drawer === name ? "" : name }),
  }, icon(ICONS[name]), make("span", {}, label));
  app.store.follow(() => button.setAttribute("aria-expanded", String(app.state.drawer === name)));
  return button;
}

/**
 * Go to a view; at once where somebody asked for less motion.
 * @param {App} app @param {{azimuth: number, elevation: number}} to
 */
export function fly(app, { azimuth, elevation }) {
  const target = { ...FIRST_EYE, azimuth, elevation };
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    app.store.set({ eyes: [target] });
    return;
  }
  const from = { ...app.eyeOf(0) }, started = performance.now();
  const turn = ((((azimuth - from.azimuth + 180) % 360) + 360) % 360) - 180;
  app.setMoving(true);
  const step = (/** @type {number} */ now) => {
    const part = Math.min(1, Math.max(0, (now - started) / 420)), s = smooth(part);
    const mix = (/** @type {number} */ a, /** @type {number} */ b) => a + (b - a) * s;
    app.store.set({
      eyes: [part === 1 ? target : {
        azimuth: from.azimuth + turn * s, elevation: mix(from.elevation, elevation),
        zoom: mix(from.zoom, 1), panX: mix(from.panX, 0), panY: mix(from.panY, 0),
      }],
    });
    if (part < 1) requestAnimationFrame(step);
    else app.setMoving(false);
  };
  requestAnimationFrame(step);
}

/**
 * What can be taken along: link, numbers, a call in Python, pictures, a film.
 *
 * @typedef {import("./app.js").App} App
 */
import { make } from "./dom.js";
import { canRecord, exportPicture, recordFilm } from "./exporting.js";
import { quantityOf } from "./quantity.js";

/** @param {App} app */
export function shareMenu(app) {
  const said = make("span", { class: "said", role: "status" });
  const menu = make("details", { class: "menu" });
  const copy = (/** @type {string} */ label, /** @type {() => string} */ text, obstacle = () => "") =>
    make("button", {
      type: "button",
      click: async () => say(obstacle() || (await toClipboard(text()) ? `${label}: copied` : "Could not copy")),
    }, label);
  const say = (/** @type {string} */ text) => {
    said.textContent = text;
    setTimeout(() => (said.textContent = ""), 2500);
  };
  const size = make("select", { "aria-label": "Size of the picture" }, ...[1, 2, 3, 4].map((k) => make("option", { value: k, ...(k === 2 ? { selected: true } : {}) }, `${k}×`)));
  const clear = make("input", { type: "checkbox" });
  const film = make("div", { class: "row" });
  menu.append(
    make("summary", {}, "Share"),
    make("div", { class: "popover" },
      copy("Copy link", () => location.href),
      copy("Copy points as CSV", () => csvOf(app), () => app.state.pins.length || app.cursor ? "" : "Click a point first"),
      copy("Copy Python call", () => pythonCall(app)),
      make("hr"),
      make("div", { class: "row" },
        make("button", { type: "button", class: "png", click: () => exportPicture(app, Number(size.value), clear.checked).then((name) => say(`${name} saved`)) }, "Save PNG"), size),
      make("label", { class: "flag" }, clear, make("span", {}, "Transparent ground")),
      make("hr"), film, said));
  const player = app.player;
  const flights = make("select", { "aria-label": "Flight" }, ...player.flights.map(([name, label]) => make("option", { value: name }, label)));
  const chosen = () => /** @type {import("./flights.js").FlightName} */ (flights.value);
  film.append(flights, make("button", { type: "button", click: () => player.toggle(chosen()) }, "Play"));
  if (canRecord()) {
    film.append(make("button", {
      type: "button", class: "film",
      click: () => recordFilm(app, chosen()).then((name) => say(`${name} saved`), (error) => say(`No film: ${error.message}`)),
    }, "Record WebM"));
  }
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
    event.stopPropagation();
  });
  document.addEventListener("pointerdown", (event) => {
    if (menu.open && event.target instanceof Node && !menu.contains(event.target)) menu.open = false;
  });
  return menu;
}

/** @param {string} text */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page from disk, or in a frame, may not have the clipboard; the old way works from a press of a button.
    const field = make("textarea", { class: "hidden" });
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/**
 * The kept points, or else the one under the cross-hair, of all panes: every digit as stored.
 *
 * @param {App} app
 */
export function csvOf(app) {
  const names = app.names.filter((name) => !name.startsWith("gap/"));
  const rows = [["surface", "alpha", "beta", ...names.flatMap((name) => [name, `${name}_stderr`])]];
  for (const view of app.views) {
    const surface = view.figure?.surface;
    if (!surface) continue;
    const pins = app.state.pins.map(([x, y]) => view.gridPoint(x, y));
    const cursor = app.cursorOf(view);
    for (const point of pins.length ? pins : cursor ? [cursor] : []) {
      if (!point) continue;
      const k = point.j * surface.nx + point.i;
      rows.push([surface.title, String(surface.x[point.i]), String(surface.y[point.j]), ...names.flatMap((name) => {
        const quantity = quantityOf(surface, name);
        return [quantity ? String(quantity.values[k]) : "", quantity?.stderr ? String(quantity.stderr[k]) : ""];
      })]);
    }
  }
  // A cell that starts like a formula is run by some spreadsheets.
  const cell = (/** @type {string} */ text, /** @type {number} */ column) => {
    const safe = column === 0 && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}

/**
 * What draws this view as a still.
 *
 * @param {App} app
 */
export function pythonCall(app) {
  const { state } = app, eye = app.eyeOf(0);
  const text = (/** @type {string} */ word) => JSON.stringify(word).replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  // A gap between data sets is the page's own: a still draws what was measured.
  const name = state.height.replace("gap/", "test/");
  const files = app.panes.map((_, k) => text(app.surfaceOf(k).record.file || `${app.surfaceOf(k).title}.h5`));
  const scale = [`kind=${text(state.kind)}`];
  if (state.eps !== null) scale.push(`eps=${state.eps}`);
  if (state.cap !== null) scale.push(`cap=${typeof state.cap === "number" ? state.cap : text(state.cap)}`);
  scale.push(`colormap=${text(state.colormap)}`);
  const list = `[${files.join(", ")}]`;
  // Seeds and slices are planes of one file.
  const counts = app.panes.map((pane) => new Set(pane.frames.map((frame) => frame.record.file)).size < pane.frames.length);
  const numbers = app.panes.map((pane, k) => (counts[k] ? Math.min(state.frame, pane.frames.length - 1) : 0));
  const several = counts.some(Boolean);
  return [
    "import landscape",
    "from landscape.plot.camera import Camera",
    ...(several ? ["from landscape.plot.records import frames_of"] : []),
    "from landscape.plot.scale import Scale",
    "",
    several ? `surfaces = [frames_of(landscape.read_surface(path))[0][k] for path, k in zip(${list}, ${JSON.stringify(numbers)})]`
      : `surfaces = [landscape.read_surface(path) for path in ${list}]`,
    `scale = Scale.of(surfaces, ${text(name)}, ${scale.join(", ")})`,
    `camera = Camera(azimuth=${eye.azimuth}, elevation=${eye.elevation})`,
    "for surface in surfaces:",
    `    landscape.plot.surface(surface, ${text(name)}, scale=scale, camera=camera)`,
    "",
  ].join("\n");
}

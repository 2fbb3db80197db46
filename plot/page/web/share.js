/** What can be taken along: link, numbers, a call in Python, pictures, a film. */
import { choice, make } from "./dom.js";
import { canRecord, exportPicture, fileStem, recordFilm } from "./exporting.js";
import { quantityOf } from "./quantity.js";
import { spokenName } from "./readout.js";

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
  const size = choice({ "aria-label": "Size of the picture" }, [1, 2, 3, 4].map((k) => [k, `${k}×`]), 2);
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
      make("hr"), film));
  const player = app.player;
  const flights = choice({ "aria-label": "Flight" }, player.flights);
  const chosen = () => /** @type {FlightName} */ (flights.value);
  film.append(flights, make("button", {
    type: "button", click: () => {
      menu.open = false;
      player.toggle(chosen());
    },
  }, "Play the flight"));
  if (canRecord()) {
    film.append(make("button", {
      type: "button", class: "film",
      click: () => (menu.open = false, recordFilm(app, chosen())).then((name) => say(`${name} saved`), (error) => say(`No film: ${error.message}`)),
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
  return make("div", { class: "share" }, menu, said);
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
 * @param {App} app
 */
export function csvOf(app) {
  const names = app.names.filter((name) => !name.startsWith("gap/"));
  const axes = app.surfaceOf(0).record.axes.map(spokenName);
  const rows = [["surface", ...axes, ...names.flatMap((name) => [name, `${name}_stderr`])]];
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
 * What draws and saves what is on the screen as stills: the same panes with their titles, side by side.
 * @param {App} app
 */
export function pythonCall(app) {
  const { state, panes } = app, eye = app.eyeOf(0);
  const text = (/** @type {string} */ word) => JSON.stringify(word).replace(/[^ -~]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const list = (/** @type {string[]} */ words) => `[${words.join(", ")}]`;
  const fileOf = (/** @type {Surface} */ surface) => text(surface.record.file || `${surface.title}.h5`);
  // A gap between data sets is the page's own, as a difference of panes is: a still draws what was measured.
  const own = [state.height.startsWith("gap/") ? "a gap between data sets" : "", state.difference ? "the difference" : "",
    state.colour && state.colour !== state.height ? "a colour other than the height" : "", state.exaggeration === 1 ? "" : "exaggerated heights",
    state.pins.length ? "kept points" : "", state.section ? "the section" : "", eye.zoom !== 1 || eye.panX || eye.panY ? "the enlarged part" : "",
    state.linked || state.eyes.length < 2 ? "" : "a camera for each pane",
    state.lines && state.floor && state.box && (state.paths || !app.views.some((view) => view.paths.length)) ? "" : "what is switched off"].filter(Boolean);
  const scale = [...(state.eps === null ? [] : [`eps=${state.eps}`]), ...(state.cap === null ? [] : [`cap=${typeof state.cap === "number" ? state.cap : text(state.cap)}`]),
    `colormap=${text(state.colormap)}`];
  const name = text(state.height.replace("gap/", "test/")), many = app.frames > 1;
  // Seeds and slices are planes of one file, checkpoints have one each.
  const read = panes.map(({ frames }) => (frames.length > 1 && new Set(frames.map((frame) => frame.record.file)).size < frames.length
    ? `frames_of(landscape.read_surface(${fileOf(frames[0])}))[0]`
    : list(frames.map((frame) => `landscape.read_surface(${fileOf(frame)})`))));
  const numbers = panes.map(({ frames }) => Math.min(state.frame, frames.length - 1));
  return [
    "import landscape",
    ...(read.some((each) => each.startsWith("frames_of")) ? ["from landscape.plot.page.records import frames_of"] : []),
    "",
    ...(own.length ? [`# Of the page alone, not in a still: ${own.join(", ")}.`] : []),
    ...(many ? [`planes = ${list(read)}`, `surfaces = [frames[k] for frames, k in zip(planes, ${JSON.stringify(numbers)})]`]
      : [`surfaces = ${list(read.map((each) => each.slice(1, -1)))}`]),
    "landscape.plot.save(",
    `    surfaces, ${text(`${fileStem(app)}.png`)}, kind="surface", name=${name}, columns=${app.columns},`,
    // One scale for all frames, as the slider goes through them.
    many && state.shared
      ? `    scale=landscape.plot.Scale.of([frame for frames in planes for frame in frames], ${name}, kind=${text(state.kind)}, ${scale.join(", ")}),`
      : `    scale=${text(state.kind)}, ${scale.join(", ")}, independent=${state.shared ? "False" : "True"},`,
    `    titles=${list(app.views.map((view) => text(view.heading.textContent ?? "")))},`,
    `    camera=landscape.plot.Camera(azimuth=${eye.azimuth}, elevation=${eye.elevation}),`,
    `    interpolate=${state.smooth ? "True" : "False"}, light=${text(state.headlight ? "camera" : "scene")},`,
    ")",
    "",
  ].join("\n");
}

/**
 * Pictures and films of what is on the screen.
 *
 * @typedef {import("./app.js").App} App
 */
import { drawBar } from "./colorbar.js";
import { make } from "./dom.js";
import { FONT, css, runColor } from "./theme.js";

/**
 * Draw the panes' scenes with their titles, the colours and the caption, and offer the file.
 *
 * @param {App} app
 * @param {number} factor  pixels for one of the page
 * @param {boolean} transparent
 * @returns {Promise<string>}  the file's name
 */
export async function exportPicture(app, factor, transparent) {
  const canvas = composePicture(app, factor, transparent);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const name = fileName(app, "png");
  offer(/** @type {Blob} */ (blob), name);
  return name;
}

/**
 * @param {App} app
 * @param {number} factor
 * @param {boolean} transparent
 */
export function composePicture(app, factor, transparent) {
  const cells = placed(app);
  const barred = app.main.classList.contains("barred");
  const right = Math.max(...cells.map((cell) => cell.left + cell.width)), width = right + (barred ? 96 : 0);
  const bottom = Math.max(...cells.map((cell) => cell.top + cell.height)) + 12;
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const lines = wrapped(context, captionOf(app), width - 40);
  canvas.width = Math.round(width * factor);
  canvas.height = Math.round((bottom + 17 * lines.length + 14) * factor);
  context.setTransform(factor, 0, 0, factor, 0, 0);
  if (!transparent) {
    context.fillStyle = app.theme.ground;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  for (const { view, left, top, width: wide, height: tall } of cells) {
    context.save();
    context.translate(left, top);
    if (app.stage && view.view && view.eye) {
      view.arrange(app.state);
      view.paint(context, view.viewFor(wide, tall, view.eye), app.state, app.theme, factor);
    } else context.drawImage(view.map, 0, 0, wide, tall);
    context.restore();
    context.font = `600 15px ${FONT}`;
    context.fillStyle = app.theme.ink;
    context.textBaseline = "alphabetic";
    context.textAlign = "left";
    context.fillText(view.heading.textContent ?? "", left + 18, top - 12, wide - 20);
    drawLegend(context, app, view, left + 18, top + 10);
  }
  const scales = app.state.shared ? app.scales[0] : null;
  if (barred && scales) drawBar(context, scales, { left: right, top: 0, width: 92, height: bottom }, app.theme);
  context.font = `12px ${FONT}`;
  context.fillStyle = app.theme.soft;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  lines.forEach((line, k) => context.fillText(line, 20, bottom + 14 + 17 * k));
  return canvas;
}

// Above a scene its title; beside it nothing: maps and read-outs are left out.
const HEAD = 36;

/**
 * Where the panes' scenes lie in the picture: as on the page, without the room between them.
 *
 * @param {App} app
 */
function placed(app) {
  const found = app.shown.map((view) => {
    const box = (app.stage ? view.scene : view.map).getBoundingClientRect();
    return { view, left: box.left, top: box.top, width: box.width, height: box.height };
  });
  const starts = (/** @type {"left" | "top"} */ side, /** @type {"width" | "height"} */ size, /** @type {number} */ room) => {
    let at = 0;
    const places = [...new Set(found.map((cell) => Math.round(cell[side])))].sort((a, b) => a - b);
    return new Map(places.map((place) => {
      const here = at + room;
      at = here + Math.max(...found.filter((cell) => Math.round(cell[side]) === place).map((cell) => cell[size]));
      return [place, here];
    }));
  };
  const columns = starts("left", "width", 0), rows = starts("top", "height", HEAD);
  return found.map((cell) => ({
    ...cell, left: columns.get(Math.round(cell.left)) ?? 0, top: rows.get(Math.round(cell.top)) ?? 0,
  }));
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {App} app
 * @param {import("./pane.js").PaneView} view
 * @param {number} left
 * @param {number} y
 */
function drawLegend(context, app, view, left, y) {
  if (!app.state.paths || view.paths.length < 2) return;
  context.font = `12px ${FONT}`;
  let x = left;
  view.paths.forEach(({ path }, run) => {
    context.fillStyle = css(runColor(run));
    context.fillRect(x, y - 5, 20, 3);
    context.fillStyle = app.theme.soft;
    context.fillText(path.name, x + 25, y);
    x += 42 + context.measureText(path.name).width;
  });
}

/** @param {App} app */
export function captionOf(app) {
  const notes = app.shown.map((view) => {
    const said = [...view.notes.children].map((each) => each.textContent ?? "");
    return said.length ? `${view.heading.textContent}: ${said.join(", ")}.` : "";
  });
  const formula = app.scales[0]?.height.formula();
  return [app.captionText, formula ? `Drawn as ${formula}.` : "", ...notes].filter(Boolean).join(" ");
}

/** Whether this browser writes films of the kind that is offered. */
export function canRecord() {
  return "MediaRecorder" in window && MediaRecorder.isTypeSupported("video/webm");
}

/**
 * Record the panes along a flight; the browser writes the film.
 *
 * @param {App} app
 * @param {import("./flights.js").FlightName} flight
 * @returns {Promise<string>}
 */
export async function recordFilm(app, flight) {
  const canvas = composePicture(app, 1, false);
  // Even sizes, or some players refuse the film.
  canvas.width += canvas.width % 2;
  canvas.height += canvas.height % 2;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const copy = () => context.drawImage(composePicture(app, 1, false), 0, 0);
  copy();
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm", videoBitsPerSecond: 12e6 });
  /** @type {Blob[]} */
  const parts = [];
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  const done = new Promise((resolve) => recorder.addEventListener("stop", resolve));
  recorder.start();
  app.afterDraw.push(copy);
  app.player.start(flight);
  await new Promise((resolve) => {
    const wait = () => (app.player.running ? requestAnimationFrame(wait) : resolve(null));
    wait();
  });
  app.afterDraw.splice(app.afterDraw.indexOf(copy), 1);
  recorder.stop();
  await done;
  const name = fileName(app, "webm");
  offer(new Blob(parts, { type: "video/webm" }), name);
  return name;
}

/**
 * @param {App} app
 * @param {string} suffix
 */
function fileName(app, suffix) {
  const stem = app.content.name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60);
  return `${stem || "landscape"}.${suffix}`;
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function offer(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} width
 */
function wrapped(context, text, width) {
  context.font = `12px ${FONT}`;
  /** @type {string[]} */
  const lines = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line ? `${line} ${word}` : word;
    if (line && context.measureText(longer).width > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return line ? [...lines, line] : lines;
}

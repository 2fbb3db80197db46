/** Pictures and films of what is on the screen. */
import { drawBar } from "./colorbar.js";
import { drawCursor } from "./cursor.js";
import { make } from "./dom.js";
import { pinTexts } from "./readout.js";
import { FONT } from "./theme.js";

/**
 * Draw the panes' scenes with their titles, the colours and the caption, and offer the file.
 * @param {App} app
 * @param {number} factor  pixels for one of the page
 * @param {boolean} transparent
 * @returns {Promise<string>}  the file's name
 */
export async function exportPicture(app, factor, transparent) {
  const canvas = composePicture(app, factor, transparent);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  const name = `${fileStem(app)}.png`;
  offer(/** @type {Blob} */ (blob), name);
  return name;
}

/**
 * The picture of all panes, laid out as the page lays them out: rows and columns of scenes of one size under their titles,
 * whatever the screen made of it. Maps and read-outs are left out.
 * @param {App} app @param {number} factor @param {boolean} transparent
 */
export function composePicture(app, factor, transparent) {
  const { room, columns, shown, theme, state } = app, rows = Math.ceil(shown.length / columns);
  const barred = app.main.classList.contains("barred"), right = columns * room.width, width = right + (barred ? 96 : 0);
  const canvas = document.createElement("canvas");
  const context = /** @type {Context} */ (canvas.getContext("2d"));
  const titles = shown.map((view) => wrapped(context, view.heading.textContent ?? "", room.width - 36, TITLE));
  const legends = shown.map((view) => placedLegend(context, view.legendItems(state), room.width - 36));
  const under = 14 + 20 * Math.max(...titles.map((lines) => lines.length));
  const head = under + Math.max(0, ...legends.flat().map(({ y }) => y + 17));
  const bottom = rows * (head + room.height) + 12;
  const lines = wrapped(context, captionOf(app), width - 40, TEXT);
  canvas.width = Math.round(width * factor);
  canvas.height = Math.round((bottom + 17 * lines.length + 14) * factor);
  context.setTransform(factor, 0, 0, factor, 0, 0);
  if (!transparent) {
    context.fillStyle = theme.ground;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  shown.forEach((view, k) => {
    context.save();
    context.translate((k % columns) * room.width, Math.floor(k / columns) * (head + room.height));
    writeLines(context, titles[k], 18, 24, 20, TITLE, theme.ink);
    for (const { item, x, y } of legends[k]) drawLegendItem(context, item, 18 + x, under + y + 9, theme);
    context.translate(0, head);
    if (app.stage) {
      const seen = view.viewFor(app.eyeOf(k), room);
      view.arrange(state);
      view.paint(context, seen, state, theme, factor);
      if (view.figure) drawCursor(context, view, seen, state, null, theme);
    } else context.drawImage(view.map, 0, 0, room.width, room.height);
    context.restore();
  });
  const scales = state.shared ? app.scales[0] : null;
  if (barred && scales) drawBar(context, scales, { left: right, top: 0, width: 92, height: bottom }, theme);
  writeLines(context, lines, 20, bottom + 14, 17, TEXT, theme.soft);
  return canvas;
}

const TITLE = `600 15px ${FONT}`, TEXT = `12px ${FONT}`;

/** @param {Context} context @param {string[]} lines @param {number} x @param {number} y @param {number} step @param {string} font @param {string} color */
function writeLines(context, lines, x, y, step, font, color) {
  context.font = font;
  context.fillStyle = color;
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  lines.forEach((line, k) => context.fillText(line, x, y + step * k));
}

/** @param {Context} context @param {LegendItem} item */
function widthOf(context, { color, mark, text }) {
  context.font = TEXT;
  return (color ? 26 : 0) + context.measureText(mark ? `${mark} ${text}` : text).width;
}

/**
 * The items of a pane's legend, in as many rows as they need.
 * @param {Context} context @param {LegendItem[]} items @param {number} width
 */
function placedLegend(context, items, width) {
  let x = 0, y = 0;
  return items.map((item) => {
    const wide = widthOf(context, item);
    if (x && x + wide > width) [x, y] = [0, y + 17];
    const placed = { item, x, y };
    x += wide + 14;
    return placed;
  });
}

/** @param {Context} context @param {LegendItem} item @param {number} x @param {number} y @param {Theme} theme */
function drawLegendItem(context, { color, mark, text }, x, y, theme) {
  if (color) {
    context.fillStyle = color;
    context.fillRect(x, y - 5, 20, 3);
  }
  writeLines(context, [mark ? `${mark} ${text}` : text], x + (color ? 26 : 0), y, 0, TEXT, theme.soft);
}

/** @param {App} app */
export function captionOf(app) {
  const notes = app.shown.map((view) => {
    const pins = view.figure ? pinTexts(view.figure, app.state.pins, app.content.labels) : [];
    const said = [...view.said, ...pins];
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
 * @param {App} app @param {FlightName} flight @returns {Promise<string>}
 */
export async function recordFilm(app, flight) {
  const canvas = composePicture(app, 1, false);
  // Even sizes, or some players refuse the film.
  canvas.width += canvas.width % 2;
  canvas.height += canvas.height % 2;
  const context = /** @type {Context} */ (canvas.getContext("2d"));
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
  const name = `${fileStem(app)}.webm`;
  offer(new Blob(parts, { type: "video/webm" }), name);
  return name;
}

/** What a file of this page is called, without its suffix. @param {App} app */
export function fileStem(app) {
  return app.content.name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "").slice(0, 60) || "landscape";
}

/** @param {Blob} blob @param {string} name */
function offer(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/**
 * Lines of words, none wider than asked; a word that is, is cut.
 * @param {Context} context @param {string} text @param {number} width @param {string} font
 */
function wrapped(context, text, width, font) {
  context.font = font;
  /** @type {string[]} */
  const lines = [];
  let line = "";
  const fits = (/** @type {string} */ longer) => context.measureText(longer).width <= width;
  for (let word of text.split(" ")) {
    if (fits(line ? `${line} ${word}` : word)) {
      line = line ? `${line} ${word}` : word;
      continue;
    }
    if (line) lines.push(line);
    for (line = word; !fits(line) && line.length > 1; line = word) {
      let size = line.length - 1;
      while (size > 1 && !fits(word.slice(0, size))) size--;
      lines.push(word.slice(0, size));
      word = word.slice(size);
    }
  }
  return line ? [...lines, line] : lines;
}

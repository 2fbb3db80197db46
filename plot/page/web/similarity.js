/**
 * How alike layers of two networks are: each with itself, and one with the other. A cross-hair on one map stands in
 * all of them, at the layers of the same names; its values and their errors are read beside.
 */
import { choice, make, prepare } from "./dom.js";
import { FONT, themeOf } from "./theme.js";

const BARS = 26, RIGHT = 10, SHORTEST = 11;
const BLOCK = "#00c8c8";

/** @implements {Panel} */
export class SimilarityPanel {
  /**
   * @param {SimilarityRecord} record @param {Numbers[]} arrays
   * @param {Uint8Array} colours  256 times RGB
   * @param {() => Theme} theme
   */
  constructor(record, arrays, colours, theme) {
    this.record = record;
    this.arrays = arrays;
    this.colours = colours;
    this.theme = theme;
    this.name = "Similarity";
    this.rows = record.networks.reduce((sum, network) => sum + network.labels.length, 0);
    this.shown = 0;
    this.first = 0;
    this.second = record.networks.length - 1;
    /** @type {Crosshair | null} */ this.cross = null;
    /** @type {SimilarityMap[]} */ this.maps = [];
    this.frameAsked = 0;
    this.moving = false;
    this.grid = make("div", { class: "maps" });
    this.told = make("div", { class: "told", role: "status" });
    this.scale = make("canvas", { class: "scale", role: "img" });
    this.ends = [make("span"), make("span")];
    const networks = record.networks.map((network, k) => /** @type {[number, string]} */ ([k, network.name]));
    const several = record.networks.length > 1;
    this.element = make("section", { class: "panel similarity", "aria-label": "Similarity of layers" },
      make("header", {},
        pick("Show", record.values.map((each, k) => [k, each.words]), 0, (k) => this.set({ shown: k })),
        ...(several ? [
          pick("Rows", networks, this.first, (k) => this.set({ first: k })),
          pick("Columns", networks, this.second, (k) => this.set({ second: k })),
        ] : []),
        make("div", { class: "ends" }, this.ends[0], this.scale, this.ends[1])),
      make("div", { class: "side" }, this.grid, this.told),
      make("p", { class: "hint" }, record.caption));
    this.arrange();
    new ResizeObserver(() => this.draw()).observe(this.grid);
  }

  get value() {
    return this.record.values[this.shown];
  }

  /** @param {{shown?: number, first?: number, second?: number}} change */
  set(change) {
    Object.assign(this, change);
    this.arrange();
    this.draw();
  }

  arrange() {
    const { first, second } = this;
    const pairs = first === second ? [[first, first]] : [[first, second], [first, first], [second, second]];
    this.maps = pairs.map(([a, b]) => new SimilarityMap(this, a, b));
    this.grid.replaceChildren(...this.maps.map((map) => map.element));
    this.grid.classList.toggle("several", this.maps.length > 1);
  }

  /**
   * The cross-hair stands at a layer of one network and a layer of another.
   * @param {string} row @param {string} column
   */
  point(row, column) {
    if (this.cross && this.cross.row === row && this.cross.column === column) return;
    this.cross = { row, column };
    this.draw();
  }

  draw() {
    if (!this.frameAsked) this.frameAsked = requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    this.frameAsked = 0;
    if (!this.element.clientWidth) return;
    const theme = this.theme();
    for (const map of this.maps) map.draw(theme);
    this.drawScale();
    this.tell();
  }

  drawScale() {
    const { context, width, height } = prepare(this.scale);
    for (let x = 0; x < width; x++) {
      context.fillStyle = colourOf(this.colours, x / (width - 1));
      context.fillRect(x, 0, 1.5, height);
    }
    this.ends.forEach((end, k) => (end.textContent = String(Number(this.value.range[k].toFixed(2)) || 0)));
    this.scale.setAttribute("aria-label", `Colours of ${this.value.words}: ${this.value.range.map(text).join(" to ")}`);
  }

  /** What stands at the cross-hair, in each map. */
  tell() {
    const { cross } = this;
    if (!cross) {
      this.told.replaceChildren(make("p", { class: "hint" }, "Point at a map, or go over it with the arrow keys: the layers of the same names are marked in all maps."));
      return;
    }
    const rows = this.maps.map((map) => map.said(cross));
    const share = /** @type {Float32Array} */ (this.arrays[this.record.share]);
    const shares = [...new Set([this.first, this.second])].flatMap((k) => [...new Set([cross.row, cross.column])].flatMap((label) => {
      const network = this.record.networks[k], place = network.labels.indexOf(label);
      const part = place < 0 ? NaN : share[network.start + place];
      return Number.isFinite(part) ? [make("tr", { class: "extra" }, make("th", { scope: "row" }, `PC 1 of ${label}, ${network.name}`), make("td", {}, `${(100 * part).toFixed(0)} %`), make("td"))] : [];
    }));
    this.told.replaceChildren(
      make("p", { class: "place" }, make("b", {}, cross.row), " × ", make("b", {}, cross.column)),
      make("table", {}, make("tbody", {}, ...rows, ...shares)),
      make("p", { class: "hint extra" }, this.value.errors < 0 ? "No error is stated for these values." : this.record.factor ? `± standard error; an interval of 95 % reaches ${text(this.record.factor)} of them to either side.` : "The error is not known: there was one batch."));
  }
}

/** One map: rows are layers of one network, columns of another, the input at the lower left. */
class SimilarityMap {
  /** @param {SimilarityPanel} panel @param {number} a  network of the rows @param {number} b  of the columns */
  constructor(panel, a, b) {
    this.panel = panel;
    this.same = a === b;
    this.row = panel.record.networks[a];
    this.column = panel.record.networks[b];
    this.title = this.same ? this.row.name : `${this.row.name} × ${this.column.name}`;
    this.box = { left: 0, top: 0, width: 1, height: 1 };
    this.canvas = make("canvas", { tabindex: 0, role: "img", "aria-label": `${panel.value.words}: ${this.title}; arrow keys move the cross-hair` });
    this.element = make("figure", {}, make("figcaption", {}, this.title), this.canvas);
    this.image = this.paint();
    const point = (/** @type {PointerEvent} */ event) => {
      const { left, top, width, height } = this.box;
      const x = (event.offsetX - left) / width, y = (event.offsetY - top) / height;
      if (x < 0 || x >= 1 || y < 0 || y >= 1) return;
      const rows = this.row.labels, columns = this.column.labels;
      panel.point(rows[rows.length - 1 - Math.floor(y * rows.length)], columns[Math.floor(x * columns.length)]);
    };
    this.canvas.addEventListener("pointermove", point);
    this.canvas.addEventListener("pointerdown", point);
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {number} i @param {number} j @param {number} array */
  at(i, j, array) {
    return Number(this.panel.arrays[array][(this.row.start + i) * this.panel.rows + this.column.start + j]);
  }

  /** The values in colours, a pixel each; what is missing stays clear. */
  paint() {
    const width = this.column.labels.length, height = this.row.labels.length;
    const { values, range: [low, high] } = this.panel.value;
    const canvas = make("canvas", { width, height }), context = /** @type {Context} */ (canvas.getContext("2d"));
    const pixels = context.createImageData(width, height);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const value = this.at(i, j, values), at = 4 * ((height - 1 - i) * width + j);
        if (!Number.isFinite(value)) continue;
        const place = 3 * Math.round(255 * Math.min(1, Math.max(0, (value - low) / (high - low))));
        for (let k = 0; k < 3; k++) pixels.data[at + k] = this.panel.colours[place + k];
        pixels.data[at + 3] = 255;
      }
    }
    context.putImageData(pixels, 0, 0);
    return canvas;
  }

  /** @param {Theme} theme */
  draw(theme) {
    const { context, width } = prepare(this.canvas);
    context.font = `11px ${FONT}`;
    const longest = (/** @type {LayersRecord} */ network) => Math.min(96, Math.max(...network.stages.map(([name]) => context.measureText(name).width)));
    const left = longest(this.row) + 10, below = longest(this.column) + 10;
    const share = /** @type {Float32Array} */ (this.panel.arrays[this.panel.record.share]).subarray(this.column.start, this.column.start + this.column.labels.length);
    const top = share.some(Number.isFinite) ? BARS + 4 : 2;
    const side = Math.max(40, Math.min(width - left - RIGHT, this.canvas.clientHeight - top - below));
    this.box = { left, top, width: side, height: side };
    context.imageSmoothingEnabled = false;
    context.fillStyle = theme.missing;
    context.fillRect(left, top, side, side);
    context.drawImage(this.image, left, top, side, side);
    this.drawBars(context, share, theme);
    this.drawNames(context, theme);
    this.drawBlock(context);
    this.drawCross(context);
  }

  /** @param {Context} context @param {Float32Array} share @param {Theme} theme */
  drawBars(context, share, theme) {
    const { left, top, width } = this.box, each = width / share.length;
    context.fillStyle = theme.dark ? "#4a9be8" : "#0072b2";
    share.forEach((part, k) => {
      if (Number.isFinite(part)) context.fillRect(left + k * each, top - 3 - part * BARS, Math.max(each, 0.5), part * BARS);
    });
  }

  /** @param {Context} context @param {Theme} theme */
  drawNames(context, theme) {
    const { left, top, width, height } = this.box;
    context.fillStyle = theme.soft;
    context.strokeStyle = theme.line;
    context.lineWidth = 1;
    context.strokeRect(left, top, width, height);
    for (const [network, down] of /** @type {[LayersRecord, boolean][]} */ ([[this.row, false], [this.column, true]])) {
      const count = network.labels.length, length = down ? width : height;
      /** @type {number[]} */ const taken = [];
      for (const [name, first, end] of [...network.stages].sort((one, other) => other[2] - other[1] - (one[2] - one[1]))) {
        const place = ((first + end) / 2 / count) * length;
        if (taken.some((other) => Math.abs(other - place) < SHORTEST)) continue;
        taken.push(place);
        context.save();
        context.translate(down ? left + place : left - 6, down ? top + height + 6 : top + height - place);
        if (down) context.rotate(-Math.PI / 2);
        context.textAlign = "right";
        context.textBaseline = "middle";
        context.fillText(fitted(context, name, 96), 0, 0);
        context.restore();
      }
    }
  }

  /** @param {Context} context */
  drawBlock(context) {
    const { block, labels } = this.row;
    if (!this.same || !block || this.panel.value.name !== "cka") return;
    const { left, top, width, height } = this.box, each = width / labels.length, side = (block[1] - block[0] + 1) * each;
    context.strokeStyle = BLOCK;
    context.lineWidth = 2;
    context.strokeRect(left + block[0] * each, top + height - block[0] * each - side, side, side);
  }

  /** @param {Context} context */
  drawCross(context) {
    const { cross } = this.panel;
    if (!cross) return;
    const { left, top, width, height } = this.box, [i, j] = this.places(cross);
    const x = left + ((j + 0.5) / this.column.labels.length) * width, y = top + height - ((i + 0.5) / this.row.labels.length) * height;
    for (const [colour, wide] of /** @type {[string, number][]} */ ([["rgb(0 0 0 / .75)", 3], ["#ffffff", 1]])) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.beginPath();
      if (j >= 0) context.moveTo(x, top), context.lineTo(x, top + height);
      if (i >= 0) context.moveTo(left, y), context.lineTo(left + width, y);
      context.stroke();
    }
  }

  /** Where the cross-hair's layers are here; -1 for one that is not. @param {Crosshair} cross @returns {[number, number]} */
  places(cross) {
    return [this.row.labels.indexOf(cross.row), this.column.labels.indexOf(cross.column)];
  }

  /** A line of the table. @param {Crosshair} cross */
  said(cross) {
    const [i, j] = this.places(cross), { values, errors } = this.panel.value;
    const value = i < 0 || j < 0 ? NaN : this.at(i, j, values);
    const error = i < 0 || j < 0 || errors < 0 ? NaN : this.at(i, j, errors);
    return make("tr", { class: "strong" }, make("th", { scope: "row" }, this.title),
      make("td", {}, Number.isFinite(value) ? value.toFixed(3) : i < 0 || j < 0 ? "no such layer" : "none"),
      make("td", { class: "error" }, Number.isFinite(error) ? `± ${text(error)}` : ""));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const moves = /** @type {Record<string, [number, number]>} */ ({ ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] });
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? 10 : 1, [i, j] = this.panel.cross ? this.places(this.panel.cross) : [0, 0];
    const within = (/** @type {number} */ place, /** @type {string[]} */ labels) => labels[Math.min(labels.length - 1, Math.max(0, place))];
    this.panel.point(within(Math.max(i, 0) + step * move[0], this.row.labels), within(Math.max(j, 0) + step * move[1], this.column.labels));
    event.preventDefault();
  }
}

/** @param {number} value */
function text(value) {
  return String(Number(value.toPrecision(2)));
}

/** @param {Uint8Array} colours @param {number} part */
function colourOf(colours, part) {
  const at = 3 * Math.round(255 * Math.min(1, Math.max(0, part)));
  return `rgb(${colours[at]} ${colours[at + 1]} ${colours[at + 2]})`;
}

/** @param {Context} context @param {string} name @param {number} room */
function fitted(context, name, room) {
  let shown = name;
  while (shown.length > 3 && context.measureText(shown).width > room) shown = shown.slice(0, -1);
  return shown === name ? name : `${shown.slice(0, -1)}…`;
}

/** @param {string} label @param {[number, string][]} options @param {number} chosen @param {(chosen: number) => void} change */
function pick(label, options, chosen, change) {
  const select = choice({ "aria-label": label, change: () => change(Number(select.value)) }, options, chosen);
  return make("label", { class: "choice" }, make("span", {}, label), select);
}

/** @param {string} packed  base64 of 256 times RGB */
export function coloursOf(packed) {
  return Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
}

/**
 * The panels of a page, one a file of similarity.
 * @param {Content} content @param {Numbers[]} arrays @param {() => Theme} theme
 */
export function similarityPanels(content, arrays, theme) {
  const found = (content.similarities ?? []).map((record) => new SimilarityPanel(record, arrays, coloursOf(content.colormaps.magma), theme));
  if (found.length > 1) found.forEach((panel, k) => (panel.name = `Similarity ${k + 1}`));
  return found;
}

/**
 * A page of similarity alone: a heading, and the panels one below the other.
 * @param {HTMLElement} root @param {Content} content @param {Numbers[]} arrays
 */
export function startAlone(root, content, arrays) {
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const panels = similarityPanels(content, arrays, () => themeOf("auto"));
  const dress = () => {
    document.documentElement.dataset.theme = scheme.matches ? "dark" : "light";
    for (const panel of panels) panel.draw();
  };
  root.classList.add("elsewhere", "alone");
  root.append(make("header", { class: "toolbar" }, make("h1", {}, content.name)), ...panels.map((panel) => panel.element));
  document.documentElement.classList.add("running", "solid");
  scheme.addEventListener("change", dress);
  dress();
  return panels[0];
}

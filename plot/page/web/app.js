/** The page as a whole: panes, what they share, and when what is drawn again. */
import { drawBar } from "./colorbar.js";
import { difference } from "./data.js";
import { legendItem, make, prepare } from "./dom.js";
import { makeFigure, makeScales } from "./figure.js";
import { openingEye } from "./opening.js";
import { PaneView } from "./pane.js";
import { momentsOf } from "./paths.js";
import { Player } from "./player.js";
import { followPointer, keyTurn } from "./pointer.js";
import { nearest, quantityNames, valueText } from "./quantity.js";
import { spoken } from "./readout.js";
import { wireMap } from "./sectionline.js";
import { Stage } from "./stage.js";
import { Store } from "./state.js";
import { describe, notesOf } from "./summary.js";
import { themeOf } from "./theme.js";

/** @type {Record<string, Stale[]>} what has to be drawn again when a key of the state changes */
const NEEDS = {
  eyes: ["scenes", "tops"], linked: ["scenes", "tops"], headlight: ["scenes"], floor: ["scenes"], box: ["scenes", "tops"],
  lines: ["scenes", "maps"], drops: ["scenes"], step: ["scenes", "maps"],
  pins: ["tops"], section: ["tops"], drawer: [], theme: ["scenes", "maps", "tops"],
};

// Here panes stand below each other and the page scrolls; the same in style.css.
export const NARROW = "(max-width: 760px)";

export class App {
  /** @param {Content} content @param {Pane[]} panes */
  constructor(content, panes) {
    this.content = content;
    this.panes = panes;
    this.names = quantityNames(panes.flatMap((pane) => pane.frames));
    const pairs = panes.flatMap((_, a) => panes.map((_, b) => `${a}-${b}`));
    this.store = new Store({ height: this.names[0], ...content.start }, {
      height: this.names, colour: ["", ...this.names], colormap: Object.keys(content.colormaps), difference: ["", ...pairs],
    }, Math.max(...panes.map((pane) => pane.frames.length)));
    this.stage = Stage.start(() => this.redraw("scenes"));
    this.theme = themeOf(this.store.state.theme);
    this.views = panes.map((pane, number) => new PaneView(pane.title, number, this.stage));
    this.extra = new PaneView("difference", panes.length, this.stage);
    /** @type {Cursor | null} */ this.cursor = null;
    /** @type {Set<Stale>} */ this.stale = new Set();
    this.frameAsked = 0;
    this.moving = false;
    this.slow = this.stage?.isSoftware ?? false;
    this.lastMoved = 0;
    this.drawn = 0;
    /** @type {(() => void)[]} */ this.afterDraw = [];
    /** @type {(Scales | null)[]} */ this.scales = [];
    /** @type {number[] | null} */ this.moments = null;
    this.bar = make("canvas", { class: "bar", role: "img" });
    this.grid = make("div", { class: "panes" });
    this.main = make("main", {}, this.grid, this.bar);
    this.caption = make("p");
    this.live = make("p", { class: "hidden", role: "status" });
    this.player = new Player(this);
    for (const view of this.allViews) this.wire(view);
    this.store.listen((changed) => this.changed(changed));
    this.arrange();
    new ResizeObserver(() => this.redraw("scenes", "maps", "tops")).observe(this.grid);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.retheme());
    this.redraw("figures");
  }

  get state() {
    return this.store.state;
  }

  get allViews() {
    return [...this.views, this.extra];
  }

  /** The panes that are seen: the difference only when asked for. */
  get shown() {
    return this.state.difference ? this.allViews : this.views;
  }

  /** How many frames the longest pane has. */
  get frames() {
    return Math.max(...this.panes.map((pane) => pane.frames.length));
  }

  /** @param {number} number @returns {Surface} */
  surfaceOf(number) {
    const { frames } = this.panes[number];
    return frames[Math.min(this.state.frame, frames.length - 1)];
  }

  /** @param {Set<keyof State>} changed */
  changed(changed) {
    if (changed.has("theme")) this.retheme();
    if (changed.has("difference")) this.arrange();
    for (const key of changed) this.redraw(...(NEEDS[key] ?? ["figures"]));
  }

  retheme() {
    this.theme = themeOf(this.state.theme);
    document.documentElement.dataset.theme = this.theme.dark ? "dark" : "light";
    for (const view of this.allViews) view.setTheme(this.theme);
    this.redraw("scenes", "maps", "tops");
  }

  arrange() {
    document.documentElement.dataset.theme = this.theme.dark ? "dark" : "light";
    this.grid.replaceChildren(...this.shown.map((view) => view.element));
  }

  /** How many panes stand beside each other. */
  get columns() {
    const count = this.shown.length, upright = innerHeight >= innerWidth;
    if (matchMedia(NARROW).matches || count === 1) return 1;
    if (count <= 3) return upright ? 1 : count;
    return count === 4 || upright ? 2 : 3;
  }

  /** Give all panes heads of one height, so that their scenes are of one size and, in a row, at one height. */
  layOut() {
    this.grid.style.setProperty("--columns", String(this.columns));
    const heads = this.shown.map((view) => view.header.offsetHeight);
    this.grid.style.setProperty("--head", `${Math.max(...heads)}px`);
  }

  /** @returns {Room} */
  get room() {
    const scenes = this.shown.map((view) => (this.stage ? view.scene : view.map));
    const halves = this.shown.flatMap((view) => (view.figure ? [view.figure.frame.half] : []));
    return {
      width: Math.min(...scenes.map((scene) => scene.clientWidth)),
      height: Math.min(...scenes.map((scene) => scene.clientHeight)),
      half: [Math.max(0, ...halves.map(([x]) => x)) || 1, Math.max(0, ...halves.map(([, y]) => y)) || 1],
      bar: this.shown.some((view) => view.ownBar),
    };
  }

  /** @param {...Stale} parts */
  redraw(...parts) {
    for (const part of parts) this.stale.add(part);
    if (!this.frameAsked) this.frameAsked = requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.frameAsked = 0;
    const stale = this.stale;
    this.stale = new Set();
    if (stale.has("figures")) {
      this.makeFigures();
      if (!this.drawn) this.open();
      for (const part of /** @type {Stale[]} */ (["scenes", "maps", "tops"])) stale.add(part);
    }
    if (stale.has("scenes")) {
      this.watch();
      this.layOut();
    }
    const { room } = this;
    // Something to see at once: the first picture is coarse as well where fine ones take long.
    const coarse = this.slow && (this.moving || !this.drawn);
    this.shown.forEach((view, k) => {
      if (stale.has("scenes")) view.drawScene(this.state, this.eyeOf(k), this.theme, room, coarse);
      if (stale.has("maps")) view.drawMap(this.state, this.theme);
      if (stale.size) view.drawTop(this.state, this.cursorOf(view), this.theme);
      if (stale.has("tops") || stale.has("figures")) view.readout.show(view.figure, this.cursorOf(view), this.content.labels);
    });
    if (stale.has("figures") || stale.has("scenes")) this.drawBar();
    if (stale.size) this.drawn++;
    if (coarse && !this.moving) this.redraw("scenes");
    for (const each of this.afterDraw) each();
  }

  /** Find out while something moves whether the machine follows: pictures less than 22 times a second are too few. */
  watch() {
    const now = performance.now(), took = now - this.lastMoved;
    if (this.moving && took > 45 && took < 1000) this.slow = true;
    this.lastMoved = now;
  }

  /** @param {boolean} moving */
  setMoving(moving) {
    if (this.moving === moving) return;
    this.moving = moving;
    if (!moving && this.slow) this.redraw("scenes");
  }

  /** Begin where most of the runs is seen, unless the page or its address says from where. */
  open() {
    if (this.content.start.eyes) return;
    const { start, state } = this.store, eyes = [openingEye(this.views)];
    const asked = JSON.stringify(state.eyes) !== JSON.stringify(start.eyes);
    start.eyes = eyes;
    if (!asked) this.store.set({ eyes: structuredClone(eyes) });
  }

  makeFigures() {
    const { state, content } = this;
    const surfaces = this.panes.map((_, k) => this.surfaceOf(k));
    // One scale for all frames as well: a film whose scale changes shows nothing.
    const all = this.panes.flatMap((pane) => pane.frames);
    const common = state.shared ? makeScales(all, state, content, false) : null;
    this.scales = this.panes.map((pane) => common ?? makeScales(pane.frames, state, content, false));
    this.views.forEach((view, k) => view.setFigure(makeFigure(surfaces[k], this.scales[k], state), this.theme));
    if (state.difference) this.makeDifference();
    this.moments = momentsOf(surfaces.flatMap((surface) => surface.paths));
    this.caption.textContent = this.captionText;
    this.views.forEach((view, k) => (view.heading.textContent = surfaces[k].title));
    this.shown.forEach((view) => {
      view.moments = this.moments;
      view.legend.replaceChildren(...view.legendItems(state).map(legendItem));
      view.ownBar = view === this.extra || !state.shared;
      view.said = notesOf(view.figure, view.ownBar, view === this.extra);
      view.notes.replaceChildren(...view.said.map((text) => make("span", {}, text)));
      view.summary.textContent = view.figure ? describe(view.figure, content.labels) : "No such values were measured here.";
    });
  }

  /** Where what is shown came from. */
  get captionText() {
    const { captions } = this.content, { height, frame } = this.state;
    const texts = captions[height] ?? captions[this.names[0]] ?? [""];
    return texts[Math.min(frame, texts.length - 1)];
  }

  makeDifference() {
    const [a, b] = this.state.difference.split("-").map(Number);
    const [first, second] = [this.panes[a], this.panes[b]].map((pane, k) => pane && this.surfaceOf(k ? b : a));
    const errors = this.panes[a]?.errorsTo[b];
    const surface = first && second ? difference(first, second, `${first.title} − ${second.title}`, errors) : null;
    const scales = surface ? makeScales([surface], this.state, this.content, true) : null;
    this.extra.heading.textContent = surface?.title ?? "Difference: the grids differ";
    this.extra.setFigure(surface && makeFigure(surface, scales, this.state), this.theme);
  }

  drawBar() {
    const scales = this.state.shared ? this.scales[0] : null;
    this.main.classList.toggle("barred", scales !== null);
    if (!scales) return;
    const { context, width, height } = prepare(this.bar);
    drawBar(context, scales, { left: 0, top: 0, width, height }, this.theme);
    this.bar.setAttribute("aria-label", `Colours: ${scales.colour.axisLabel()}, ${[scales.colour.low, scales.colour.high].map((value) => valueText(value, scales.colour.percent, 4)).join(" to ")}`);
  }

  /** @param {number} number @returns {Eye} */
  eyeOf(number) {
    const { eyes, linked } = this.state;
    return eyes[linked ? 0 : Math.min(number, eyes.length - 1)];
  }

  /**
   * @param {number} number  of the pane; all panes turn where cameras are linked
   * @param {Partial<Eye>} change
   */
  turn(number, change) {
    const { eyes, linked } = this.state;
    const next = linked ? [{ ...eyes[0], ...change }] : this.allViews.map((_, k) =>
      k === number ? { ...this.eyeOf(k), ...change } : this.eyeOf(k));
    this.store.set({ eyes: next });
  }

  /**
   * Where the cursor stands in a pane; panes of other grids show the nearest of their own points.
   * @param {PaneView} view @returns {Cursor | null}
   */
  cursorOf(view) {
    const from = this.source?.figure?.surface, to = view.figure?.surface;
    if (!this.cursor || !from || !to) return null;
    // Another frame may have another grid: an unfinished run is coarser.
    if (from === to && this.cursor.i < to.nx && this.cursor.j < to.ny) return this.cursor;
    if (this.cursor.i >= from.nx || this.cursor.j >= from.ny) return null;
    const x = from.x[this.cursor.i], y = from.y[this.cursor.j];
    const reach = (to.x[to.nx - 1] - to.x[0]) / to.nx;
    if (x < to.x[0] - reach || x > to.x[to.nx - 1] + reach || y < to.y[0] - reach || y > to.y[to.ny - 1] + reach) return null;
    return { i: nearest(to.x, x), j: nearest(to.y, y) };
  }

  /** @param {PaneView} view @param {Cursor | null} cursor */
  point(view, cursor) {
    if (JSON.stringify(cursor) === JSON.stringify(this.cursor) && this.source === view) return;
    this.cursor = cursor;
    this.source = view;
    this.redraw("tops");
  }

  /**
   * Keep a point, or let it go again.
   * @param {PaneView} view @param {Cursor | null} cursor
   */
  pin(view, cursor) {
    const surface = view.figure?.surface;
    if (!cursor || !surface) return;
    const x = surface.x[cursor.i], y = surface.y[cursor.j];
    const others = this.state.pins.filter(([px, py]) => px !== x || py !== y);
    this.store.set({ pins: others.length < this.state.pins.length ? others : [...others, [x, y]] });
  }

  /** @param {PaneView} view */
  wire(view) {
    const number = this.allViews.indexOf(view);
    followPointer(view.sceneTop, {
      eye: () => this.eyeOf(number),
      turn: (change) => this.turn(number, change),
      hover: (x, y) => this.point(view, view.pick(x, y)),
      leave: () => this.point(view, null),
      click: (x, y) => this.pin(view, view.pick(x, y)),
      moving: (moving) => this.setMoving(moving),
    });
    view.sceneTop.addEventListener("dblclick", () => this.turn(number, { ...this.store.start.eyes[0] }));
    view.sceneTop.addEventListener("keydown", (event) => {
      const change = keyTurn(event, this.eyeOf(number), this.store.start.eyes[0]);
      if (!change) return;
      event.preventDefault();
      this.turn(number, change);
    });
    wireMap(this, view);
    view.mapTop.addEventListener("keydown", (event) => this.mapKey(view, event));
  }

  /** @param {PaneView} view @param {KeyboardEvent} event */
  mapKey(view, event) {
    const surface = view.figure?.surface;
    if (!surface || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = this.cursorOf(view) ?? view.cursorAt(0, 0), step = event.shiftKey ? 10 : 1;
    const moves = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step],
    });
    const move = moves[event.key];
    if (move) {
      const within = (/** @type {number} */ value, /** @type {number} */ count) => Math.min(count - 1, Math.max(0, value));
      this.point(view, { i: within(now.i + move[0], surface.nx), j: within(now.j + move[1], surface.ny) });
      this.live.textContent = spoken(view.figure, this.cursor, this.content.labels);
    } else if (event.key === "Enter" || event.key === " ") this.pin(view, now);
    else return;
    event.preventDefault();
  }
}

/**
 * One pane: title, scene, map, read-out. Draws a figure; knows nothing of the other panes.
 *
 * The scene is two canvases: the picture, and above it what follows the pointer and must not wait for the surface.
 */
import { drawAxes, floorSegments } from "./axes.js";
import { drawBar } from "./colorbar.js";
import { simplified } from "./contours.js";
import { drawCursor, drawMapCursor } from "./cursor.js";
import { make, prepare } from "./dom.js";
import { covers, heightAt, hit, isVisible, toPlane, toScene } from "./field.js";
import { drawMap, drawMarks, placeMap } from "./map.js";
import { runMarks, seenThrough, star } from "./marks.js";
import { makeMesh } from "./mesh.js";
import { drawMapPaths, pathEnds } from "./mappaths.js";
import { drawNetworks, networksOf } from "./networks.js";
import { drapePaths, dropSegments, passedOf } from "./paths.js";
import { nearest } from "./quantity.js";
import { Readout } from "./readout.js";
import { Model } from "./stage.js";
import { css, runColor } from "./theme.js";
import { GAP, View } from "./view.js";

// Of a run: on the floor, on the surface with an edge that is seen on every colour, and behind what hides it.
const PARTS = ["shadow", "casing", "path", "hidden"];

export class PaneView {
  /** @param {string} title @param {number} number @param {Stage | null} stage */
  constructor(title, number, stage) {
    this.number = number;
    this.stage = stage;
    this.model = stage ? new Model() : null;
    /** @type {Figure | null} */ this.figure = null;
    /** @type {Draped[]} */ this.paths = [];
    this.view = /** @type {View | null} */ (null);
    /** @type {number[] | null} steps of all panes' runs */ this.moments = null;
    // Whether the scale is this pane's alone, so that its colours need a bar of their own.
    this.ownBar = false;
    /** @type {string[]} what has to be said under the title */ this.said = [];
    this.scene = make("canvas", { class: "picture" });
    this.sceneTop = make("canvas", {
      class: "picture top", tabindex: 0, role: "img", "aria-describedby": `summary-${number}`,
      "aria-label": `${title}: surface. Arrow keys turn it, plus and minus enlarge it.`,
    });
    this.map = make("canvas", { class: "picture" });
    this.mapTop = make("canvas", {
      class: "picture top", tabindex: 0, role: "img", "aria-describedby": `summary-${number}`,
      "aria-label": `${title}: map from above. Arrow keys move the cross-hair, Enter keeps a point.`,
    });
    this.readout = new Readout();
    this.heading = make("h2", {}, title);
    this.notes = make("p", { class: "notes" });
    this.legend = make("p", { class: "runs" });
    this.summary = make("p", { class: "hidden", id: `summary-${number}` });
    const scene = make("div", { class: "scene" }, this.scene, this.sceneTop);
    const strip = make("div", { class: "strip" },
      make("div", { class: "map" }, this.map, this.mapTop), this.readout.element);
    this.header = make("header", {}, this.heading, this.notes, this.legend);
    const pane = make("section", { class: "pane" + (stage ? "" : " flat"), "aria-label": title },
      this.header, ...(stage ? [scene] : []), strip, this.summary);
    // A box whose shape decides how the pane inside is laid out.
    this.element = make("div", { class: "cell" }, pane);
  }

  /** @param {Figure | null} figure @param {Theme} theme */
  setFigure(figure, theme) {
    this.figure = figure;
    this.element.classList.toggle("empty", !figure);
    this.paths = figure ? drapePaths(figure) : [];
    const { model } = this;
    if (!model) return;
    model.surface.visible = false;
    if (!figure) return;
    model.setMesh(makeMesh(figure.field, figure.open));
    model.setColors(figure.scales.colors);
    const { grid, border } = floorSegments(figure.frame);
    model.lines("grid").set(grid);
    model.lines("border").set(border);
    this.floorLines(figure);
    this.paths.forEach(({ points, colors }, k) => {
      model.lines(`shadow ${k}`).set(points.map((value, n) => (n % 3 === 2 ? -GAP : value)), colors);
      model.lines(`casing ${k}`).set(points);
      model.lines(`path ${k}`).set(points, colors);
      model.lines(`hidden ${k}`).set(points, colors);
    });
    this.setTheme(theme);
  }

  /** @param {Figure} figure */
  floorLines({ lines, scales, height, colour }) {
    /** @type {number[]} */ const points = [];
    /** @type {number[]} */ const colors = [];
    for (const { level, points: all } of lines) {
      // A quarter of a pixel on a large screen.
      const line = simplified(all, 0.0006);
      const at = 4 * Math.round(255 * scales.colour.normalized(scales.height.levels[level]));
      const color = [0, 1, 2].map((k) => scales.colors[at + k] / 255);
      for (let k = 2; k < line.length; k += 2) {
        points.push(line[k - 2], line[k - 1], -GAP, line[k], line[k + 1], -GAP);
        colors.push(...color, ...color);
      }
    }
    this.floorInk = height !== colour;
    this.model?.lines("floor").set(points, this.floorInk ? [] : colors);
  }

  /** @param {Theme} theme */
  setTheme(theme) {
    const { model } = this;
    if (!model) return;
    model.lines("grid").style({ width: 1, tint: theme.gridTint });
    model.lines("border").style({ width: 1.2, tint: theme.frameTint });
    model.lines("floor").style({ width: 1.5, tint: this.floorInk ? theme.frameTint : null, veil: theme.floorVeil });
    model.lines("drops").style({ width: 1, tint: theme.dark ? [0.9, 0.9, 0.9] : [0.15, 0.15, 0.15], opacity: 0.8 });
    this.paths.forEach((_, k) => {
      model.lines(`casing ${k}`).style({ width: 4.6, lift: 0.0006, lies: true, tint: [1, 1, 1] });
      model.lines(`path ${k}`).style({ width: 2.8, lift: 0.0009, lies: true });
      model.lines(`shadow ${k}`).style({ width: 1.8, veil: theme.floorVeil, opacity: 0.9 });
      // Nearer to the eye than the surface it lies on, or it would be hidden by that.
      model.lines(`hidden ${k}`).style({ width: 2, lift: 0.004, lies: true, dash: 0.07, opacity: 0.85 });
    });
  }

  /**
   * How many segments of a path are drawn at this step of the slider.
   * @param {number} run @param {State} state
   */
  passed(run, state) {
    return passedOf(this.paths[run].path, this.moments, state.step);
  }

  /**
   * The runs in their colours, and what their marks mean; the networks, where there are several.
   * @param {State} state @returns {LegendItem[]}
   */
  legendItems(state) {
    const networks = (this.figure ? networksOf(this.figure.surface) : []).map(({ name, isCheckpoint }) =>
      ({ color: "", mark: isCheckpoint ? "☆" : "◆", text: isCheckpoint ? `${name} (checkpoint)` : name }));
    if (!this.paths.length || !state.paths) return networks;
    const falls = this.paths.some(({ path }) => path.drops.length);
    return [
      ...this.paths.map(({ path }, run) => ({ color: css(runColor(run)), mark: "", text: path.name })),
      ...[["○", "start"], ["●", "step"], ["★", "end"], ...(networks.length ? [] : [["☆", "checkpoint"]]), ...(falls ? [["◇", "learning rate fell"]] : [])]
        .map(([mark, text]) => ({ color: "", mark, text })),
      { color: "", mark: "", text: "paler: earlier; dashed: behind the surface" },
      ...networks,
    ];
  }

  /** @param {State} state */
  arrange(state) {
    const { model } = this;
    if (!model) return;
    model.lines("grid").mesh.visible = model.lines("border").mesh.visible = state.box && this.figure !== null;
    const floor = model.lines("floor");
    floor.show(state.floor && this.figure ? floor.count : 0);
    const figure = this.figure;
    model.setLevels(state.lines && figure ? figure.levels : [], figure ? figure.field.ceiling : Infinity);
    /** @type {number[]} */
    const drops = [];
    this.paths.forEach((path, run) => {
      const passed = this.passed(run, state), count = state.paths ? path.upTo[passed] : 0;
      for (const part of PARTS) model.lines(`${part} ${run}`).show(part === "shadow" && !state.floor ? 0 : count);
      if (state.paths && state.drops) drops.push(...dropSegments(path, passed));
    });
    model.lines("drops").set(drops);
    for (const [name, lines] of model.ribbons) {
      const run = Number(name.split(" ")[1]);
      if (run >= this.paths.length) lines.show(0);
    }
  }

  /**
   * Draw the scene.
   * @param {State} state @param {Eye} eye @param {Theme} theme @param {Room} room
   * @param {boolean} coarse  while something moves and the machine cannot follow
   */
  drawScene(state, eye, theme, room, coarse) {
    if (!this.stage || !this.model) return;
    const { context, width, ratio } = prepare(this.scene);
    if (width < 10 || room.height < 10) return;
    this.view = this.viewFor(eye, room);
    if (!this.figure) return;
    this.arrange(state);
    this.paint(context, this.view, state, theme, coarse ? Math.min(1, 0.7 * ratio) : ratio, coarse);
  }

  /** @param {Eye} eye @param {Room} room */
  viewFor(eye, { width, height, half, bar }) {
    const small = width < 420;
    const margin = { left: small ? 34 : 48, right: (small ? 14 : 22) + (bar ? 70 : 0), top: small ? 16 : 10, bottom: small ? 26 : 38 };
    return new View(eye, width, height, { half, top: this.figure?.frame.top ?? 1, margin });
  }

  /**
   * Picture, axes and marks, into any canvas.
   * @param {Context} context  in pixels of the page
   * @param {View} view @param {State} state @param {Theme} theme @param {number} ratio @param {boolean} [coarse]
   */
  paint(context, view, state, theme, ratio, coarse = false) {
    if (!this.stage || !this.model || !this.figure || this.stage.lost) return;
    const look = { headlight: state.headlight, lineWidth: 1.1, coarse };
    const { width, height } = this.stage.draw(this.model, view, ratio, look);
    const { canvas } = this.stage;
    context.drawImage(canvas, 0, canvas.height - height, width, height, 0, 0, view.width, view.height);
    if (state.box) drawAxes(context, view, this.figure.frame, theme);
    if (this.ownBar) drawBar(context, this.figure.scales, { left: view.width - 84, top: 0, width: 84, height: view.height }, theme);
    this.marks(context, view, state);
  }

  /** @param {Context} context @param {View} view @param {State} state */
  marks(context, view, state) {
    const figure = /** @type {Figure} */ (this.figure), { field, surface } = figure;
    const seen = (/** @type {Point} */ at) => isVisible(field, view, at);
    const pixel = (/** @type {Point} */ at) => /** @type {[number, number]} */ (view.project(at).slice(0, 2));
    if (state.paths) {
      this.paths.forEach((path, run) => runMarks(context, path, this.passed(run, state), css(runColor(run)), pixel, seen));
    }
    // Where the checkpoint is, which need not be a point of the grid.
    const origin = toScene(figure, 0, 0), z = heightAt(field, ...origin), at = /** @type {Point} */ ([...origin, z]);
    if (covers(surface, 0, 0) && surface.record.centred && Number.isFinite(z)) seenThrough(context, seen(at), () => star(context, ...pixel(at), state.paths && this.paths.length ? 5 : 6));
    drawNetworks(context, figure, pixel, seen);
  }

  /** @param {State} state @param {Theme} theme */
  drawMap(state, theme) {
    const { context, width, height, ratio } = prepare(this.map);
    if (!this.figure || width < 10) return;
    const place = placeMap(this.figure, width, height);
    drawMap(context, this.figure, place, theme, { lines: state.lines, ratio, ends: state.paths ? this.paths.flatMap(pathEnds) : [] });
    if (state.paths) drawMapPaths(context, place, this.paths, this.paths.map((_, run) => this.passed(run, state)));
    drawMarks(context, this.figure, place);
  }

  /**
   * What follows the pointer: cross-hair, kept points, the line of the section.
   * @param {State} state @param {Cursor | null} cursor @param {Theme} theme
   */
  drawTop(state, cursor, theme) {
    if (this.stage) {
      const { context } = prepare(this.sceneTop);
      if (this.figure && this.view) drawCursor(context, this, this.view, state, cursor, theme);
    }
    const { context, width, height } = prepare(this.mapTop);
    if (this.figure) drawMapCursor(context, this.figure, placeMap(this.figure, width, height), state, cursor);
  }

  /**
   * A point of the grid on the drawn surface; null in a hole.
   * @param {Cursor} cursor @returns {[number, number, number] | null}
   */
  pointOf({ i, j }) {
    const { field } = /** @type {Figure} */ (this.figure), f = field.factor;
    const z = field.z[j * f * field.nx + i * f];
    return Number.isFinite(z) && z <= field.ceiling ? [field.x[i * f], field.y[j * f], z] : null;
  }

  /** Whether nothing hides a point of the scene. @param {Point} point */
  sees(point) {
    return this.figure !== null && this.view !== null && isVisible(this.figure.field, this.view, point);
  }

  /** Where the map lies in its canvas. */
  mapPlace() {
    return placeMap(/** @type {Figure} */ (this.figure), this.map.clientWidth, this.map.clientHeight);
  }

  /**
   * The point of the grid nearest to a place of the plane; null outside.
   * @param {number} x @param {number} y @returns {Cursor | null}
   */
  gridPoint(x, y) {
    const surface = this.figure?.surface;
    return surface && covers(surface, x, y) ? { i: nearest(surface.x, x), j: nearest(surface.y, y) } : null;
  }

  /**
   * The point of the grid nearest to where the pointer meets the surface; null beside it.
   * @param {number} px @param {number} py @returns {Cursor | null}
   */
  pick(px, py) {
    if (!this.figure || !this.view) return null;
    const { from, along } = this.view.ray(px, py), at = hit(this.figure.field, from, along);
    return at && this.cursorAt(at[0], at[1]);
  }

  /**
   * The same on the map, where holes count too: that there is nothing is worth reading.
   * @param {number} px @param {number} py @returns {Cursor | null}
   */
  pickMap(px, py) {
    if (!this.figure) return null;
    const place = this.mapPlace(), slack = 6;
    if (px < place.left - slack || px > place.left + place.width + slack) return null;
    if (py < place.top - slack || py > place.top + place.height + slack) return null;
    return this.cursorAt(...place.toScene(px, py));
  }

  /**
   * @param {number} x  scene's coordinates
   * @param {number} y @returns {Cursor}
   */
  cursorAt(x, y) {
    const figure = /** @type {Figure} */ (this.figure), at = toPlane(figure, x, y);
    return { i: nearest(figure.surface.x, at[0]), j: nearest(figure.surface.y, at[1]) };
  }
}

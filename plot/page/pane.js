/**
 * One pane: title, scene, map, read-out. Draws a figure; knows nothing of the other panes.
 *
 * The scene is two canvases: the picture, and above it what follows the pointer and must not wait for the surface.
 *
 * @typedef {import("./types.js").State} State
 * @typedef {import("./types.js").Eye} Eye
 * @typedef {import("./figure.js").Figure} Figure
 * @typedef {import("./theme.js").Theme} Theme
 * @typedef {import("./stage.js").Stage} Stage
 * @typedef {{i: number, j: number}} Cursor  a point of the grid
 */
import { drawAxes, floorSegments } from "./axes.js";
import { drawBar } from "./colorbar.js";
import { simplified } from "./contours.js";
import { drawCursor, drawMapCursor } from "./cursor.js";
import { make, prepare } from "./dom.js";
import { heightAt, hit, isVisible } from "./field.js";
import { drawMap, placeMap, sceneOf } from "./map.js";
import { ring, star, tick } from "./marks.js";
import { makeMesh } from "./mesh.js";
import { drawMapPaths } from "./mappaths.js";
import { drapePaths, dropSegments, passedOf } from "./paths.js";
import { nearest } from "./quantity.js";
import { Readout } from "./readout.js";
import { Model } from "./stage.js";
import { css, runColor } from "./theme.js";
import { GAP, View } from "./view.js";

export class PaneView {
  /**
   * @param {string} title
   * @param {number} number
   * @param {Stage | null} stage
   */
  constructor(title, number, stage) {
    this.number = number;
    this.stage = stage;
    this.model = stage ? new Model() : null;
    /** @type {Figure | null} */ this.figure = null;
    /** @type {import("./paths.js").Draped[]} */ this.paths = [];
    this.view = /** @type {View | null} */ (null);
    /** @type {Eye | null} */ this.eye = null;
    /** @type {number[] | null} steps of all panes' runs */ this.moments = null;
    // Whether the scale is this pane's alone, so that its colours need a bar of their own.
    this.ownBar = false;
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
    const pane = make("section", { class: "pane" + (stage ? "" : " flat"), "aria-label": title },
      make("header", {}, this.heading, this.notes, this.legend), ...(stage ? [scene] : []), strip, this.summary);
    // A box whose shape decides how the pane inside is laid out.
    this.element = make("div", { class: "cell" }, pane);
  }

  /**
   * @param {Figure | null} figure
   * @param {Theme} theme
   */
  setFigure(figure, theme) {
    this.figure = figure;
    this.element.classList.toggle("empty", !figure);
    this.paths = figure ? drapePaths(figure) : [];
    const { model } = this;
    if (!model) return;
    model.surface.visible = false;
    if (!figure) return;
    model.setMesh(makeMesh(figure.field));
    model.setColors(figure.scales.colors);
    const { grid, border } = floorSegments(figure.frame);
    model.lines("grid", 1).set(grid);
    model.lines("border", 2).set(border);
    this.floorLines(figure);
    this.paths.forEach((path, k) => {
      model.lines(`casing ${k}`, 5).set(path.points);
      model.lines(`path ${k}`, 6).set(path.points, path.colors);
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
    this.model?.lines("floor", 3).set(points, this.floorInk ? [] : colors);
  }

  /** @param {Theme} theme */
  setTheme(theme) {
    if (!this.model) return;
    this.model.lines("grid", 1).style({ width: 1, tint: theme.gridTint });
    this.model.lines("border", 2).style({ width: 1.2, tint: theme.frameTint });
    this.model.lines("floor", 3).style({ width: 1.5, tint: this.floorInk ? theme.frameTint : null, veil: theme.floorVeil });
    this.model.lines("drops", 4).style({ width: 1, tint: theme.dark ? [0.9, 0.9, 0.9] : [0.15, 0.15, 0.15], opacity: 0.8 });
    this.paths.forEach((_, k) => {
      this.model?.lines(`casing ${k}`, 5).style({ width: 4.6, lift: 0.0006, lies: true, tint: [1, 1, 1] });
      this.model?.lines(`path ${k}`, 6).style({ width: 2.8, lift: 0.0009, lies: true });
    });
  }

  /**
   * How many segments of a path are drawn at this step of the slider.
   *
   * @param {number} run
   * @param {State} state
   */
  passed(run, state) {
    return passedOf(this.paths[run].path, this.moments, state.step);
  }

  /** A line in its colour and the name of each run; nothing where there is only one. */
  legendItems() {
    if (this.paths.length < 2) return [];
    return this.paths.map(({ path }, run) => {
      const key = make("i");
      key.style.borderColor = css(runColor(run));
      return make("span", {}, key, path.name);
    });
  }

  /** @param {State} state */
  arrange(state) {
    const { model } = this;
    if (!model) return;
    model.lines("grid").mesh.visible = model.lines("border").mesh.visible = state.box && this.figure !== null;
    const floor = model.lines("floor", 3);
    floor.show(state.floor && this.figure ? floor.count : 0);
    const figure = this.figure;
    model.setLevels(state.lines && figure ? figure.levels : [], figure ? figure.field.ceiling : Infinity);
    /** @type {number[]} */
    const drops = [];
    this.paths.forEach((path, run) => {
      const passed = this.passed(run, state), count = state.paths ? path.upTo[passed] : 0;
      model.lines(`casing ${run}`).show(count);
      model.lines(`path ${run}`).show(count);
      if (state.paths && state.drops) drops.push(...dropSegments(path, passed));
    });
    model.lines("drops", 4).set(drops);
    for (const [name, lines] of model.ribbons) {
      const run = Number(name.split(" ")[1]);
      if (/^(casing|path) /.test(name) && run >= this.paths.length) lines.show(0);
    }
  }

  /**
   * Draw the scene.
   *
   * @param {State} state
   * @param {Eye} eye
   * @param {Theme} theme
   * @param {boolean} coarse  while something moves and the machine cannot follow
   */
  drawScene(state, eye, theme, coarse) {
    if (!this.stage || !this.model) return;
    const { context, width, height, ratio } = prepare(this.scene);
    if (width < 10 || height < 10) return;
    this.eye = eye;
    this.view = this.viewFor(width, height, eye);
    if (!this.figure) return;
    this.arrange(state);
    this.paint(context, this.view, state, theme, coarse ? Math.min(1, 0.7 * ratio) : ratio, coarse);
  }

  /**
   * @param {number} width
   * @param {number} height
   * @param {Eye} eye
   */
  viewFor(width, height, eye) {
    const small = width < 420;
    const margin = { left: small ? 34 : 48, right: (small ? 14 : 22) + (this.ownBar ? 70 : 0), top: 10, bottom: small ? 26 : 38 };
    return new View(eye, width, height, {
      half: this.figure?.frame.half ?? [1, 1], top: this.figure?.frame.top ?? 1, margin,
    });
  }

  /**
   * Picture, axes and marks, into any canvas.
   *
   * @param {CanvasRenderingContext2D} context  in pixels of the page
   * @param {View} view
   * @param {State} state
   * @param {Theme} theme
   * @param {number} ratio
   * @param {boolean} [coarse]
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

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {View} view
   * @param {State} state
   */
  marks(context, view, state) {
    const figure = /** @type {Figure} */ (this.figure), { field, surface } = figure;
    const seen = (/** @type {[number, number, number]} */ at) => isVisible(field, view.eye, at);
    const pixel = (/** @type {[number, number, number]} */ at) => /** @type {[number, number]} */ (view.project(at).slice(0, 2));
    const origin = sceneOf(surface, field, 0, 0);
    if (origin && surface.record.centred && !surface.paths.length) {
      // Where the checkpoint is, which need not be a point of the grid.
      const z = heightAt(field, ...origin), at = /** @type {[number, number, number]} */ ([...origin, z]);
      if (Number.isFinite(z) && seen(at)) star(context, ...pixel(at), 6);
    }
    if (!state.paths) return;
    this.paths.forEach((path, run) => {
      const passed = this.passed(run, state), [first, now] = [path.stops[0], path.stops[passed]];
      for (const drop of path.path.drops) {
        const stop = drop <= passed ? path.stops[drop] : null;
        if (stop && seen(stop)) tick(context, ...pixel(stop));
      }
      if (first && seen(first)) ring(context, ...pixel(first), 4.5);
      if (now && seen(now)) star(context, ...pixel(now), 7);
    });
  }

  /**
   * @param {State} state
   * @param {Theme} theme
   */
  drawMap(state, theme) {
    const { context, width, height, ratio } = prepare(this.map);
    if (!this.figure || width < 10) return;
    const place = placeMap(this.figure, width, height);
    drawMap(context, this.figure, place, theme, { lines: state.lines, ratio });
    if (state.paths) drawMapPaths(context, place, this.paths, this.paths.map((_, run) => this.passed(run, state)));
  }

  /**
   * What follows the pointer: cross-hair, kept points, the line of the section.
   *
   * @param {State} state
   * @param {Cursor | null} cursor
   * @param {Theme} theme
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
   *
   * @param {Cursor} cursor
   * @returns {[number, number, number] | null}
   */
  pointOf({ i, j }) {
    const { field } = /** @type {Figure} */ (this.figure), f = field.factor;
    const z = field.z[j * f * field.nx + i * f];
    return Number.isFinite(z) && z <= field.ceiling ? [field.x[i * f], field.y[j * f], z] : null;
  }

  /** Where the map lies in its canvas. */
  mapPlace() {
    return placeMap(/** @type {Figure} */ (this.figure), this.map.clientWidth, this.map.clientHeight);
  }

  /**
   * The point of the grid nearest to a place of the plane; null outside.
   *
   * @param {number} x
   * @param {number} y
   * @returns {Cursor | null}
   */
  gridPoint(x, y) {
    const at = this.figure && sceneOf(this.figure.surface, this.figure.field, x, y);
    return at && this.cursorAt(...at);
  }

  /**
   * The point of the grid nearest to where the pointer meets the surface; null beside it.
   *
   * @param {number} px
   * @param {number} py
   * @returns {Cursor | null}
   */
  pick(px, py) {
    if (!this.figure || !this.view) return null;
    const at = hit(this.figure.field, this.view.eye, this.view.ray(px, py));
    return at && this.cursorAt(at[0], at[1]);
  }

  /**
   * The same on the map, where holes count too: that there is nothing is worth reading.
   *
   * @param {number} px
   * @param {number} py
   * @returns {Cursor | null}
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
   * @param {number} y
   * @returns {Cursor}
   */
  cursorAt(x, y) {
    const { surface, field } = /** @type {Figure} */ (this.figure);
    const [i, j] = /** @type {[Float64Array, Float64Array, number][]} */ ([[surface.x, field.x, x], [surface.y, field.y, y]])
      .map(([axis, scene, at]) => {
        const part = (at - scene[0]) / (scene[scene.length - 1] - scene[0]);
        return nearest(axis, axis[0] + part * (axis[axis.length - 1] - axis[0]));
      });
    return { i, j };
  }
}

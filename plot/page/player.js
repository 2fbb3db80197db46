/**
 * Time: steps of the paths, frames, and flights of the camera.
 *
 * @typedef {import("./app.js").App} App
 * @typedef {import("./flights.js").FlightName} FlightName
 */
import { icon, make } from "./dom.js";
import { flight } from "./flights.js";
import { momentsOf } from "./paths.js";

const PLAY = "M4 2.5v11l9-5.5z", PAUSE = "M4 3h3v10H4zM9 3h3v10H9z";
// Seconds that each takes at normal speed.
const SECONDS = { step: 8, frame: 6, orbit: 14, tour: 20, path: 12, epochs: 10 };

export class Player {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.speed = 1;
    /** @type {{name: keyof typeof SECONDS, part: number, from: {azimuth: number, elevation: number}} | null} */
    this.running = null;
    this.last = 0;
    /** @type {(() => void)[]} */ this.followers = [];
    const hasPaths = app.panes.some((pane) => pane.frames.some((frame) => frame.paths.length));
    const flights = /** @type {[FlightName, string][]} */ ([["orbit", "Orbit"], ["tour", "Tour"]]);
    if (hasPaths) flights.push(["path", "Ride the path"]);
    if (app.frames > 1) flights.push(["epochs", "Through all frames"]);
    this.flights = flights;
    const rows = [];
    if (hasPaths) rows.push(this.row("step", this.unit(), 0.0001, () => this.stepText()));
    if (app.frames > 1) rows.push(this.row("frame", app.content.frameLabel, 1, () => this.frameText()));
    if (rows.length) rows.push(this.speeds());
    this.element = make("div", { class: "player" }, ...rows);
    this.element.hidden = !rows.length;
  }

  /**
   * @param {"step" | "frame"} key
   * @param {string} label
   * @param {number} unit
   * @param {() => string} text
   */
  row(key, label, unit, text) {
    const { app } = this;
    const play = make("button", { type: "button", class: "quiet icon", "aria-label": `Play ${label}`, click: () => this.toggle(key) });
    const value = make("output");
    const slider = make("input", {
      type: "range", min: 0, max: key === "step" ? 1 : app.frames - 1, step: unit, "aria-label": label, "data-key": key,
      input: () => {
        this.stop();
        app.store.set({ [key]: Number(slider.value) });
      },
    });
    // One press of an arrow key is one iterate, not a ten-thousandth of the path.
    if (key === "step") slider.step = String(1 / Math.max(1, this.steps().length - 1));
    const follow = () => {
      slider.value = String(app.state[key]);
      value.textContent = text();
      const on = this.running?.name === key;
      play.replaceChildren(icon(on ? PAUSE : PLAY));
      play.setAttribute("aria-pressed", String(on));
    };
    app.store.listen(follow);
    this.followers.push(follow);
    follow();
    return make("div", { class: "timeline" }, play, make("span", { class: "name" }, label), slider, value);
  }

  speeds() {
    const select = make("select", { "aria-label": "Speed", change: () => (this.speed = Number(select.value)) },
      ...[0.25, 0.5, 1, 2, 4].map((value) => make("option", { value, ...(value === 1 ? { selected: true } : {}) }, `${value}×`)));
    return select;
  }

  /** All steps of the runs that are shown, or those of the longest where they count different things. */
  steps() {
    const paths = this.app.panes.flatMap((_, k) => this.app.surfaceOf(k).paths), moments = momentsOf(paths);
    return moments ?? paths.reduce((best, path) => (path.step.length > best.length ? path.step : best), /** @type {number[]} */ ([]));
  }

  unit() {
    const units = new Set(this.app.panes.flatMap((_, k) => this.app.surfaceOf(k).paths.map((path) => path.unit)));
    const [unit] = units.size === 1 ? units : ["step"];
    return unit.slice(0, 1).toUpperCase() + unit.slice(1);
  }

  stepText() {
    const steps = this.steps();
    return steps.length ? `${steps[Math.round(this.app.state.step * (steps.length - 1))]} of ${steps[steps.length - 1]}` : "";
  }

  frameText() {
    const { app } = this, longest = app.panes.findIndex((pane) => pane.frames.length === app.frames);
    const { title } = app.surfaceOf(longest), pane = app.panes[longest].title;
    const which = title.startsWith(`${pane}, `) ? title.slice(pane.length + 2) : title;
    return `${which} (${app.state.frame + 1} of ${app.frames})`;
  }

  /** @param {keyof typeof SECONDS} name */
  toggle(name) {
    if (this.running?.name === name) this.stop();
    else this.start(name);
  }

  /** @param {keyof typeof SECONDS} name */
  start(name) {
    const { state } = this.app;
    let part = 0;
    if (name === "step" && state.step < 1) part = state.step;
    if (name === "frame" && state.frame < this.app.frames - 1) part = state.frame / this.app.frames;
    const { azimuth, elevation } = this.app.eyeOf(0);
    this.running = { name, part, from: { azimuth, elevation } };
    this.last = performance.now();
    this.app.setMoving(true);
    requestAnimationFrame((now) => this.tick(now));
  }

  stop() {
    if (!this.running) return;
    this.running = null;
    this.app.setMoving(false);
    this.followers.forEach((follow) => follow());
  }

  /** @param {number} now */
  tick(now) {
    if (!this.running) return;
    const { running, app } = this;
    running.part = Math.min(1, running.part + (Math.max(0, now - this.last) / 1000 / SECONDS[running.name]) * this.speed);
    this.last = now;
    this.show(running.name, running.part, running.from);
    if (running.part < 1) requestAnimationFrame((later) => this.tick(later));
    else this.stop();
    if (app.state.eyes.length > 1 && !app.state.linked) app.redraw("scenes");
  }

  /**
   * @param {keyof typeof SECONDS} name
   * @param {number} part
   * @param {{azimuth: number, elevation: number}} from
   */
  show(name, part, from) {
    const { app } = this, frameAt = (/** @type {number} */ p) => Math.min(app.frames - 1, Math.floor(p * app.frames));
    if (name === "step") app.store.set({ step: part });
    else if (name === "frame") app.store.set({ frame: frameAt(part) });
    else {
      const { azimuth, elevation, step, frame } = flight(name, part, from);
      const eyes = app.state.eyes.map((eye) => ({ ...eye, azimuth, elevation }));
      app.store.set({
        eyes, ...(name === "path" ? { step } : {}), ...(name === "epochs" ? { frame: frameAt(frame) } : {}),
      });
    }
  }
}

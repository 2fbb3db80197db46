/** Time: steps of the paths, frames, and flights of the camera. */
import { choice, icon, make } from "./dom.js";
import { flight } from "./flights.js";
import { lossesAt, momentsOf } from "./paths.js";
import { nearest, quantityLabel, valueText } from "./quantity.js";

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
    this.losses = make("p", { class: "losses" });
    if (hasPaths) rows.push(this.row("step", this.unit(), () => this.stepText()));
    if (app.frames > 1) rows.push(this.row("frame", app.content.frameLabel, () => this.frameText()));
    if (rows.length) rows.push(this.speeds());
    if (hasPaths) rows.push(this.losses);
    this.element = make("div", { class: "player" }, ...rows);
    this.element.hidden = !rows.length;
  }

  /** @param {"step" | "frame"} key @param {string} label @param {() => string} text */
  row(key, label, text) {
    const { app } = this;
    const play = make("button", { type: "button", class: "quiet icon", "aria-label": `Play ${label}`, click: () => this.toggle(key) });
    const value = make("output");
    // What the slider stands at is a step of the runs, or the number of a frame.
    const stops = () => (key === "step" ? this.steps() : Array.from({ length: app.frames }, (_, k) => k));
    const now = () => (key === "step" ? Math.round(app.state.step * (stops().length - 1)) : app.state.frame);
    const go = (/** @type {number} */ index) => {
      this.stop();
      const last = stops().length - 1, at = Math.min(last, Math.max(0, index));
      app.store.set(key === "step" ? { step: last ? at / last : 1 } : { frame: at });
      follow();
    };
    const slider = make("input", {
      type: "range", step: 1, "aria-label": label, "data-key": key,
      input: () => go(nearest(Float64Array.from(stops()), Number(slider.value))),
    });
    slider.addEventListener("keydown", (event) => {
      // One press is one recorded step, however far it is to the next.
      const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
      if (!by) return;
      event.preventDefault();
      go(now() + by);
    });
    const follow = () => {
      const all = stops();
      [slider.min, slider.max] = [String(all[0]), String(all[all.length - 1])];
      slider.value = String(all[now()]);
      value.textContent = text();
      slider.setAttribute("aria-valuetext", `${label} ${text()}`);
      const on = this.running?.name === key;
      play.replaceChildren(icon(on ? PAUSE : PLAY));
      play.setAttribute("aria-pressed", String(on));
    };
    app.store.follow(follow);
    this.followers.push(follow);
    if (key === "step") app.afterDraw.push(() => this.sayLosses(slider, `${label} ${text()}`));
    return make("div", { class: "timeline" }, play, make("span", { class: "name" }, label), slider, value);
  }

  /** The runs' own losses at this step and the plane's below them, to be read and to be heard. @param {HTMLElement} slider @param {string} step */
  sayLosses(slider, step) {
    const { app } = this, many = app.views.filter((view) => view.figure && view.paths.length).length > 1;
    const texts = app.views.flatMap(({ figure, paths, heading }, k) => paths.map(({ path }, run) => {
      if (!figure) return "";
      const { own, below } = lossesAt(path, figure, app.views[k].passed(run, app.state)), { percent } = figure.height;
      const said = [Number.isFinite(own) ? `its own ${valueText(own, percent)}` : "", Number.isFinite(below) ? `the plane's ${valueText(below, percent)}` : ""];
      return `${many ? `${heading.textContent}, ` : ""}${path.name}: ${said.filter(Boolean).join(", ") || "not known"}`;
    })).filter(Boolean);
    const text = texts.length ? `${quantityLabel(app.state.height, app.content.labels)} of ${texts.join("; ")}` : "";
    if (this.losses.textContent !== text) this.losses.textContent = text;
    slider.setAttribute("aria-valuetext", [step, text].filter(Boolean).join("; "));
  }

  speeds() {
    const select = choice({ "aria-label": "Speed", change: () => (this.speed = Number(select.value)) },
      [0.25, 0.5, 1, 2, 4].map((value) => [value, `${value}×`]), 1);
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
    const { running } = this;
    running.part = Math.min(1, running.part + (Math.max(0, now - this.last) / 1000 / SECONDS[running.name]) * this.speed);
    this.last = now;
    this.show(running.name, running.part, running.from);
    if (running.part < 1) requestAnimationFrame((later) => this.tick(later));
    else this.stop();
  }

  /** @param {keyof typeof SECONDS} name @param {number} part @param {{azimuth: number, elevation: number}} from */
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

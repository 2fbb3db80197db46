/** The pointer on a map: moving shows a point, a click keeps it, a drag draws the line of the section. */
import { toPlane, toScene } from "./field.js";

// Shorter drags are clicks, and this near to an end of the line a drag moves that end.
const STILL = 5, GRAB = 12;

/** @param {App} app @param {PaneView} view */
export function wireMap(app, view) {
  const element = view.mapTop;
  /** @type {{x: number, y: number, other: [number, number], moved: boolean} | null} */
  let drag = null;

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !view.figure) return;
    element.setPointerCapture(event.pointerId);
    const { offsetX: x, offsetY: y } = event;
    drag = { x, y, other: grabbed(app, view, x, y) ?? planeAt(view, x, y), moved: false };
  });
  element.addEventListener("pointermove", (event) => {
    const { offsetX: x, offsetY: y } = event;
    if (!drag) {
      app.point(view, view.pickMap(x, y));
      return;
    }
    drag.moved ||= Math.hypot(x - drag.x, y - drag.y) >= STILL;
    if (drag.moved) app.store.set({ section: [...drag.other, ...planeAt(view, x, y)] });
  });
  element.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) app.pin(view, view.pickMap(event.offsetX, event.offsetY));
    drag = null;
  });
  element.addEventListener("pointercancel", () => (drag = null));
  element.addEventListener("pointerleave", () => app.point(view, null));
}

/**
 * The plane's coordinates under the pointer, within the map.
 * @param {PaneView} view @param {number} px @param {number} py @returns {[number, number]}
 */
function planeAt(view, px, py) {
  const figure = /** @type {Figure} */ (view.figure), { x, y } = figure.surface;
  const at = toPlane(figure, ...view.mapPlace().toScene(px, py));
  const inside = (/** @type {number} */ value, /** @type {Float64Array} */ axis) =>
    Number(Math.min(axis[axis.length - 1], Math.max(axis[0], value)).toPrecision(6));
  return [inside(at[0], x), inside(at[1], y)];
}

/**
 * The end of the line that stays, where the pointer holds the other one.
 * @param {App} app @param {PaneView} view @param {number} px @param {number} py @returns {[number, number] | null}
 */
function grabbed(app, view, px, py) {
  const { section } = app.state, { figure } = view;
  if (!section || !figure) return null;
  const place = view.mapPlace();
  const ends = /** @type {[number, number][]} */ ([[section[0], section[1]], [section[2], section[3]]]);
  for (const [k, [x, y]] of ends.entries()) {
    const at = place.toPixel(...toScene(figure, x, y));
    if (Math.hypot(at[0] - px, at[1] - py) < GRAB) return ends[1 - k];
  }
  return null;
}

/**
 * Turning, moving and enlarging by pointer, wheel, touch and keyboard.
 *
 * Drag turns; with the right button, the shift key or two fingers it moves; wheel and pinch enlarge about the pointer.
 */

// Degrees a pixel: a drag across a pane of 600 pixels turns half around.
const TURN = 0.3;
// A press that moved less is a click.
const STILL = 4;

/** @param {HTMLElement} element @param {Handlers} handlers */
export function followPointer(element, handlers) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let travelled = 0, several = false;
  /** @type {{x: number, y: number} | null} a finger that has not yet said whether it scrolls or turns */
  let undecided = null;
  let scrolls = false;
  const local = (/** @type {MouseEvent} */ event) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  element.addEventListener("pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, local(event));
    if (down.size === 1) {
      travelled = 0;
      several = scrolls = false;
      // Where the page scrolls, a swipe up or down is the page's and one to the side turns; never both.
      undecided = event.pointerType === "touch" && getComputedStyle(element).touchAction === "pan-y" ? local(event) : null;
    } else several = true;
    handlers.moving(true);
  });

  element.addEventListener("pointermove", (event) => {
    const now = local(event), before = down.get(event.pointerId);
    if (!before) {
      handlers.hover(now.x, now.y);
      return;
    }
    const dx = now.x - before.x, dy = now.y - before.y;
    travelled += Math.abs(dx) + Math.abs(dy);
    if (undecided && down.size === 1) {
      const [across, along] = [Math.abs(now.x - undecided.x), Math.abs(now.y - undecided.y)];
      if (across + along >= 2 * STILL) {
        scrolls = along > across;
        undecided = null;
      } else return;
    }
    if (scrolls && down.size === 1) return;
    const eye = handlers.eye();
    const size = element.getBoundingClientRect();
    if (down.size === 2) {
      const other = [...down].find(([id]) => id !== event.pointerId)?.[1] ?? before;
      const apart = Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(before.x - other.x, before.y - other.y));
      const panned = { ...eye, panX: eye.panX + dx / 2 / size.width, panY: eye.panY - dy / 2 / size.height };
      handlers.turn(enlarged(panned, apart, (now.x + other.x) / 2, (now.y + other.y) / 2, size));
    } else if (event.shiftKey || event.buttons & 2) {
      handlers.turn({ panX: eye.panX + dx / size.width, panY: eye.panY - dy / size.height });
    } else if (travelled >= STILL) {
      handlers.turn({ azimuth: eye.azimuth - TURN * dx, elevation: eye.elevation + TURN * dy });
    }
    down.set(event.pointerId, now);
  });

  const up = (/** @type {PointerEvent} */ event) => {
    const held = down.delete(event.pointerId);
    if (held && event.type === "pointerup" && !several && travelled < STILL && event.button === 0) {
      const { x, y } = local(event);
      handlers.click(x, y);
    }
    if (!down.size) handlers.moving(false);
  };
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", () => down.size || handlers.leave());
  element.addEventListener("contextmenu", (event) => event.preventDefault());

  let rest = 0;
  element.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = local(event);
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    handlers.moving(true);
    handlers.turn(enlarged(handlers.eye(), Math.exp(-event.deltaY * lines * 0.0015), x, y, element.getBoundingClientRect()));
    clearTimeout(rest);
    rest = window.setTimeout(() => handlers.moving(false), 160);
  }, { passive: false });
}

/**
 * @param {Eye} eye @param {number} factor @param {number} x @param {number} y
 * @param {{width: number, height: number}} size @returns {Partial<Eye>}
 */
function enlarged(eye, factor, x, y, size) {
  const zoom = Math.min(12, Math.max(0.4, eye.zoom * factor)), by = zoom / eye.zoom;
  // What is under the pointer stays there.
  const px = x / size.width - 0.5, py = 0.5 - y / size.height;
  return { zoom, panX: px + (eye.panX - px) * by, panY: py + (eye.panY - py) * by };
}

/**
 * What a key does to the eye; null where it does nothing.
 * @param {KeyboardEvent} event @param {Eye} eye @param {Eye} first  where it stood at the start @returns {Partial<Eye> | null}
 */
export function keyTurn(event, eye, first) {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const step = event.shiftKey ? 1 : 5;
  switch (event.key) {
    case "ArrowLeft": return { azimuth: eye.azimuth - step };
    case "ArrowRight": return { azimuth: eye.azimuth + step };
    case "ArrowUp": return { elevation: eye.elevation + step };
    case "ArrowDown": return { elevation: eye.elevation - step };
    case "+": case "=": return { zoom: eye.zoom * 1.15 };
    case "-": case "_": return { zoom: eye.zoom / 1.15 };
    case "0": case "Home": return { ...first };
    default: return null;
  }
}

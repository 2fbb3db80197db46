/**
 * Where the eye stands and where a point of the scene lands: the camera of `plot/surfaces/camera.py`.
 *
 * The scene: x and y from -1 to 1 along the longer side, heights from 0 to HEIGHT, the floor GAP below. The eye's
 * distance depends on the box and the elevation alone; zoom and pan enlarge and move the picture, they do not change the
 * perspective. Straight from the top and level from a side the picture is orthographic: a place stands where its ticks say.
 * The picture is framed for every azimuth at once, so that nothing pulses while the scene is turned.
 */

export const HEIGHT = 1.1, GAP = 0.45, FOV = 36;
export const FIRST_EYE = Object.freeze({ azimuth: -52, elevation: 34, zoom: 1, panX: 0, panY: 0 });

/** @type {Record<string, {label: string, azimuth: number, elevation: number}>} */
export const PRESETS = {
  paper: { label: "Paper", azimuth: -52, elevation: 34 },
  top: { label: "Top", azimuth: -90, elevation: 90 },
  side: { label: "Side", azimuth: -90, elevation: 0 },
  along: { label: "Along the first axis", azimuth: 0, elevation: 0 },
};
// This near to straight down or level, in degrees, the eye moves away, until the picture is a plan or an elevation.
const FLATTENING = 6;

/** A camera that stands somewhere, with a picture plane; pixels count from the upper left corner. */
export class View {
  /**
   * @param {Eye} eye
   * @param {number} width  pixels
   * @param {number} height @param {{half: [number, number], top: number, margin: Margin}} frame
   */
  constructor(eye, width, height, frame) {
    const [right, up, back] = directions(eye.azimuth, eye.elevation);
    this.right = right;
    this.up = up;
    this.back = back;
    this.width = width;
    this.height = height;
    const middle = (HEIGHT - GAP) / 2;
    const radius = Math.hypot(Math.hypot(...frame.half), (HEIGHT + GAP) / 2);
    const level = Math.min(eye.elevation, 90 - eye.elevation);
    const distance = radius / Math.sin((FOV * Math.PI) / 360) / Math.min(1, Math.max(0.1, level / FLATTENING));
    this.flat = level === 0;
    /** @type {Point} */
    this.eye = [back[0] * distance, back[1] * distance, middle + back[2] * distance];
    this.distance = distance;
    this.scale = 1;
    this.cx = this.cy = 0;
    this.fit(eye, frame);
  }

  /** @param {Eye} eye @param {{half: [number, number], top: number, margin: Margin}} frame */
  fit(eye, { half, top, margin }) {
    // Tangents of everything the box may cover, whatever the azimuth: its corners, turned all the way round.
    let left = 0, right = 0, low = Infinity, high = -Infinity;
    const e = (eye.elevation * Math.PI) / 180, sine = Math.sin(e), cosine = Math.cos(e), reach = Math.hypot(...half);
    const middle = (HEIGHT - GAP) / 2;
    for (let turn = 0; turn < 24; turn++) {
      const a = (turn * Math.PI) / 12;
      for (const z of [-GAP, 0, top]) {
        const across = reach * Math.sin(a), along = reach * Math.cos(a), rise = z - middle;
        const depth = this.flat ? this.distance : this.distance - (along * cosine + rise * sine);
        const x = across / depth, y = (rise * cosine - along * sine) / depth;
        left = Math.min(left, x);
        right = Math.max(right, x);
        low = Math.min(low, y);
        high = Math.max(high, y);
      }
    }
    const wide = Math.max(this.width - margin.left - margin.right, 40);
    const tall = Math.max(this.height - margin.top - margin.bottom, 40);
    const base = Math.min(wide / (right - left), tall / (high - low));
    this.scale = base * eye.zoom;
    const x = margin.left + wide / 2 - (this.scale * (left + right)) / 2;
    const y = margin.top + tall / 2 + (this.scale * (low + high)) / 2;
    this.cx = x + eye.panX * this.width;
    this.cy = y - eye.panY * this.height;
  }

  /**
   * Pixels from the upper left corner, and the depth along the axis.
   * @param {ArrayLike<number>} point @returns {Point}
   */
  project(point) {
    const dx = point[0] - this.eye[0], dy = point[1] - this.eye[1], dz = point[2] - this.eye[2];
    const depth = -(dx * this.back[0] + dy * this.back[1] + dz * this.back[2]), by = this.flat ? this.distance : depth;
    const x = (dx * this.right[0] + dy * this.right[1] + dz * this.right[2]) / by;
    const y = (dx * this.up[0] + dy * this.up[1] + dz * this.up[2]) / by;
    return [this.cx + x * this.scale, this.cy - y * this.scale, depth];
  }

  /**
   * Where the look through a pixel starts, and its direction; not of unit length, one step is one unit of depth.
   * @param {number} px @param {number} py @returns {{from: Point, along: Point}}
   */
  ray(px, py) {
    const { eye, right, up, back, flat } = this;
    const x = (px - this.cx) / this.scale, y = (this.cy - py) / this.scale;
    const aside = /** @type {Point} */ ([0, 1, 2].map((k) => x * right[k] + y * up[k]));
    const point = (/** @type {(k: number) => number} */ each) => /** @type {Point} */ ([0, 1, 2].map(each));
    if (flat) return { from: point((k) => eye[k] + aside[k] * this.distance), along: point((k) => -back[k]) };
    return { from: eye, along: point((k) => aside[k] - back[k]) };
  }

  /**
   * From a point of the scene to the eye.
   * @param {Point} point @returns {Point}
   */
  towards(point) {
    return /** @type {Point} */ ([0, 1, 2].map((k) => (this.flat ? this.back[k] * 2 * this.distance : this.eye[k] - point[k])));
  }
}

/**
 * Unit vectors to the right, upwards in the picture, and towards the eye.
 * @param {number} azimuth @param {number} elevation @returns {[Point, Point, Point]}
 */
export function directions(azimuth, elevation) {
  const a = (azimuth * Math.PI) / 180, e = (elevation * Math.PI) / 180;
  const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
  return [[-sa, ca, 0], [-se * ca, -se * sa, ce], [ce * ca, ce * sa, se]];
}

/**
 * Half the box's width along x and y; the larger is 1. A strip longer than 4 : 1 is stretched, and says so.
 * @param {ArrayLike<number>} x @param {ArrayLike<number>} y @returns {{half: [number, number], toScale: boolean}}
 */
export function boxOf(x, y) {
  const wide = x[x.length - 1] - x[0], tall = y[y.length - 1] - y[0], ratio = wide / tall;
  const toScale = ratio <= 4 && ratio >= 0.25;
  return { half: toScale ? [wide / Math.max(wide, tall), tall / Math.max(wide, tall)] : [1, 1], toScale };
}

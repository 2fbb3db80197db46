/** What the graphics card gets: positions, normals, colour, open sky and rim of a field, and its triangles. */
import { isRising } from "./field.js";
import { slopes } from "./smoothing.js";

// Below 0 even when mixed with two corners that have a colour.
const NO_COLOUR = -100;
// Cells of the coarse mesh: 16,000 triangles are drawn ten times a second even without a graphics card.
const MOST_COARSE = 8000;

/**
 * @param {Field} field
 * @param {Uint8Array | null} [unsure]  points of the measured grid whose colour says more than is known
 * @returns {MeshData}
 */
export function makeMesh(field, unsure) {
  const { nx, ny, x, y, z, colour, factor } = field;
  const position = new Float32Array(3 * nx * ny), paint = new Float32Array(4 * nx * ny);
  const open = openness(field);
  const index = triangles(field, 1);
  const stride = Math.ceil(Math.sqrt((nx * ny) / MOST_COARSE));
  const coarse = stride > 1 ? triangles(field, stride) : index;
  const rim = rimOf(field);
  for (let j = 0, k = 0; j < ny; j++) {
    for (let i = 0; i < nx; i++, k++) {
      position[3 * k] = x[i];
      position[3 * k + 1] = y[j];
      position[3 * k + 2] = Number.isFinite(z[k]) ? z[k] : 0;
      paint[4 * k] = Number.isFinite(colour[k]) ? colour[k] : NO_COLOUR;
      paint[4 * k + 1] = open[k];
      paint[4 * k + 2] = rim[k];
      // A point's cell ends half-way to the next one, as on the map.
      if (unsure) paint[4 * k + 3] = unsure[Math.round(j / factor) * ((nx - 1) / factor + 1) + Math.round(i / factor)];
    }
  }
  return { position, normal: normals(field), paint, index, coarse };
}

/**
 * @param {Field} field
 * @param {number} stride  use every so many-th vertex, and the last
 */
function triangles({ nx, ny, z }, stride) {
  const [columns, rows] = [nx, ny].map((count) => {
    const kept = Array.from({ length: Math.ceil((count - 1) / stride) }, (_, k) => k * stride);
    return [...kept, count - 1];
  });
  const index = new Uint32Array(6 * (columns.length - 1) * (rows.length - 1));
  let n = 0;
  for (let row = 0; row + 1 < rows.length; row++) {
    for (let column = 0; column + 1 < columns.length; column++) {
      const low = rows[row] * nx, high = rows[row + 1] * nx, left = columns[column], right = columns[column + 1];
      const a = low + left, b = low + right, c = high + right, d = high + left;
      // A sum with a hole in it is NaN.
      if (!Number.isFinite(z[a] + z[b] + z[c] + z[d])) continue;
      const rising = isRising(z[a], z[b], z[c], z[d]);
      index[n] = a;
      index[n + 1] = b;
      index[n + 2] = rising ? c : d;
      index[n + 3] = rising ? a : b;
      index[n + 4] = c;
      index[n + 5] = d;
      n += 6;
    }
  }
  return index.subarray(0, n);
}

/** @param {Field} field */
function normals({ nx, ny, x, y, z }) {
  const out = new Float32Array(3 * nx * ny);
  for (let j = 0; j < ny; j++) {
    const row = slopes(z.subarray(j * nx, (j + 1) * nx), x);
    for (let i = 0; i < nx; i++) out[3 * (j * nx + i)] = -row[i] || 0;
  }
  const line = new Float64Array(ny);
  for (let i = 0; i < nx; i++) {
    for (let j = 0; j < ny; j++) line[j] = z[j * nx + i];
    const column = slopes(line, y);
    for (let j = 0; j < ny; j++) out[3 * (j * nx + i) + 1] = -column[j] || 0;
  }
  for (let k = 0; k < out.length; k += 3) {
    const length = Math.hypot(out[k], out[k + 1], 1);
    out[k] /= length;
    out[k + 1] /= length;
    out[k + 2] = 1 / length;
  }
  return out;
}

/**
 * 0 at vertices on the border of the surface or of a hole, 1 elsewhere.
 * @param {Field} field
 */
function rimOf({ nx, ny, z }) {
  const out = new Uint8Array(nx * ny);
  for (let j = 1; j + 1 < ny; j++) {
    for (let i = 1; i + 1 < nx; i++) {
      const k = j * nx + i;
      const around = z[k - nx - 1] + z[k - nx] + z[k - nx + 1] + z[k - 1] + z[k + 1] + z[k + nx - 1] + z[k + nx] + z[k + nx + 1];
      out[k] = Number.isFinite(around + z[k]) ? 1 : 0;
    }
  }
  return out;
}

const AROUND = [[1, 0], [2, 1], [1, 1], [1, 2], [0, 1], [-1, 2], [-1, 1], [-2, 1]].flatMap(([a, b]) => [[a, b], [-a, -b]]);
const REACHES = [0.008, 0.02, 0.045, 0.09, 0.17, 0.3];

/**
 * The share of the sky each point sees, as in `plot/surfaces/shading.py`: in sixteen directions the steepest of six neighbours.
 * @param {Field} field
 */
function openness({ nx, ny, x, y, z }) {
  const total = new Float32Array(nx * ny), steepest = new Float32Array(nx * ny);
  for (const [right, up] of AROUND) {
    steepest.fill(0);
    const length = Math.hypot(right, up);
    for (const reach of REACHES) {
      const di = Math.round((right / length) * reach * nx), dj = Math.round((up / length) * reach * ny);
      if (!(di || dj) || Math.abs(di) >= nx || Math.abs(dj) >= ny) continue;
      for (let j = Math.max(-dj, 0); j < ny - Math.max(dj, 0); j++) {
        const dy = y[j + dj] - y[j];
        for (let i = Math.max(-di, 0); i < nx - Math.max(di, 0); i++) {
          const k = j * nx + i, rise = z[k + dj * nx + di] - z[k];
          if (!(rise > 0)) continue;
          const dx = x[i + di] - x[i], slope = rise / Math.sqrt(dx * dx + dy * dy);
          if (slope > steepest[k]) steepest[k] = slope;
        }
      }
    }
    for (let k = 0; k < total.length; k++) total[k] += 1 / (1 + steepest[k] * steepest[k]) / AROUND.length;
  }
  return total;
}

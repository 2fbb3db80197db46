/**
 * The arrays of the page, out of its text again: every bit as in the file.
 *
 * The coding is described in `plot/page/packing.py`. JavaScript's integers end at 2^53, so 64-bit patterns are summed as
 * two halves of 32 bits with a carry; sums stay far below 2^53 and are exact.
 */

const TYPES = { f8: Float64Array, f4: Float32Array, i8: BigInt64Array, u1: Uint8Array };
const HALF = 2 ** 32;

/**
 * Undo base64 and zlib.
 * @param {string} text @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function inflate(text) {
  const binary = atob(text.trim()), bytes = new Uint8Array(binary.length);
  for (let k = 0; k < bytes.length; k++) bytes[k] = binary.charCodeAt(k);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * Cut the stream into its arrays.
 * @param {PackedArray[]} index @param {Uint8Array} stream @returns {Numbers[]}
 */
export function unpack(index, stream) {
  let start = 0;
  return index.map((entry) => {
    const data = stream.subarray(start, start + entry.bytes);
    start += entry.bytes;
    const { type, shape, table } = entry, size = TYPES[type].BYTES_PER_ELEMENT;
    return new TYPES[type](table ? lookUp(data, size, table, shape) : gather(data, size, shape));
  });
}

/** @param {Uint8Array} data @param {number} size @param {number} entries @param {number[]} shape */
function lookUp(data, size, entries, shape) {
  const wide = entries > 256;
  const buffer = gather(data.subarray(entries * size), wide ? 2 : 1, shape);
  const numbers = wide ? new Uint16Array(buffer) : new Uint8Array(buffer);
  const out = new Uint8Array(numbers.length * size);
  for (let k = 0; k < out.length; k++) out[k] = data[numbers[Math.floor(k / size)] * size + (k % size)];
  return out.buffer;
}

/**
 * Bytes sorted by significance -> zigzag -> sums along every axis.
 * @param {Uint8Array} data
 * @param {number} size  bytes an item
 * @param {number[]} shape @returns {ArrayBuffer}
 */
function gather(data, size, shape) {
  const count = data.length / size;
  const low = new Uint32Array(count);
  const high = new Uint32Array(size === 8 ? count : 0);
  for (let plane = 0; plane < size; plane++) {
    const part = size === 8 && plane < 4 ? high : low;
    for (let k = 0, at = plane * count; k < count; k++, at++) part[k] = (part[k] << 8) | data[at];
  }
  for (let k = 0; k < count; k++) {
    const sign = -(low[k] & 1);
    if (size === 8) {
      low[k] = ((low[k] >>> 1) | (high[k] << 31)) ^ sign;
      high[k] = (high[k] >>> 1) ^ sign;
    } else {
      low[k] = (low[k] >>> 1) ^ sign;
    }
  }
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const block = stride * shape[axis];
    for (let k = 0; k < count; k++) {
      if (k % block < stride) continue;
      const sum = low[k] + low[k - stride];
      low[k] = sum;
      if (size === 8) high[k] += high[k - stride] + (sum >= HALF ? 1 : 0);
    }
    stride = block;
  }
  return joined(low, high, size);
}

/** @param {Uint32Array<ArrayBuffer>} low @param {Uint32Array} high @param {number} size @returns {ArrayBuffer} */
function joined(low, high, size) {
  if (size === 1) return new Uint8Array(low).buffer;
  if (size === 2) return new Uint16Array(low).buffer;
  if (size === 4) return low.buffer;
  const both = new Uint32Array(2 * low.length);
  for (let k = 0; k < low.length; k++) {
    both[2 * k] = low[k];
    both[2 * k + 1] = high[k];
  }
  return both.buffer;
}

/** What is kept of a page: its numbers and texts in few words, what is seen of its canvases, and where two such differ. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { Element } from "./drawn.mjs";

const FOLDER = new URL("../baseline/script/", import.meta.url);
const NEAR = 1e-6;

/** All numbers below a value as their count and a sum in which their order counts, and a digest of all texts. @param {any} value */
export function told(value) {
  /** @type {string[]} */ const texts = [];
  let number = 0, sum = 0;
  const seen = new Set();
  const see = (/** @type {any} */ each, /** @type {number} */ depth) => {
    if (typeof each === "bigint") each = Number(each);
    if (typeof each === "boolean") each = each ? 3 : 7;
    if (typeof each === "number") {
      number++;
      // A colour of eight digits must not hide what a length of one does.
      sum += Math.sin(number) * (Number.isFinite(each) ? Math.asinh(100 * each) : Number.isNaN(each) ? 0.123 : Math.sign(each) * 45.6);
    } else if (typeof each === "string") {
      texts.push(each);
    } else if (each instanceof Uint8Array || each instanceof Uint8ClampedArray) {
      // Pixels are many.
      let whole = 0;
      for (let k = 0; k < each.length; k++) whole += each[k] * (1 + (k % 251));
      number++;
      sum += Math.sin(number) * Math.sqrt(whole);
    } else if (ArrayBuffer.isView(each) && /** @type {any} */ (each).length > 200) {
      const list = /** @type {any} */ (each);
      let whole = 0, holes = 0;
      for (let k = 0; k < list.length; k++) {
        const weight = ((k * 7919) % 257) / 128 - 1, one = Number(list[k]);
        if (Number.isFinite(one)) whole += weight * one;
        else holes += weight;
      }
      number += 2;
      sum += Math.sin(number) * Math.asinh(100 * whole) + holes;
    } else if (each && typeof each === "object" && depth < 7 && !(each instanceof Element) && !seen.has(each)) {
      seen.add(each);
      if (ArrayBuffer.isView(each) || Array.isArray(each)) for (const one of /** @type {any} */ (each)) see(one, depth + 1);
      else if (each instanceof Map || each instanceof Set) for (const one of each) see(one, depth + 1);
      else for (const key of Object.keys(each).sort()) if (!["uuid", "id"].includes(key)) see(each[key], depth + 1);
    }
  };
  see(value, 0);
  return [number, Number(sum.toPrecision(9)), texts.length && createHash("sha256").update(texts.join("|")).digest("hex").slice(0, 8)];
}

/** What stands in an element and all below it, a line each. @param {Element} element @param {string} [indent] @returns {string[]} */
export function outline(element, indent = "") {
  const own = element.children.filter((child) => !(child instanceof Element)).join(" ");
  const attributes = Object.entries(element.attributes).filter(([name]) => name !== "src").map(([name, value]) => `${name}=${value}`);
  const more = ["hidden", "value", "checked", "title", "open", "min", "max"].filter((name) => /** @type {any} */ (element)[name]).map((name) => `.${name}=${/** @type {any} */ (element)[name]}`);
  const looks = Object.entries(element.style).slice(1).filter(([, value]) => typeof value === "string").map(([name, value]) => `${name}:${value}`);
  const line = [`${indent}${element.tag}`, ...attributes, ...element.classes, ...more, ...looks, own].join(" ").trimEnd();
  return [line, ...element.children.flatMap((child) => (child instanceof Element ? outline(child, `${indent} `) : []))];
}

/** Lines that came, and after a minus those that went. @param {string[]} before @param {string[]} after */
export function changes(before, after) {
  const [old, now] = [new Set(before), new Set(after)];
  return [...after.filter((line) => !old.has(line)), ...before.filter((line) => !now.has(line)).map((line) => `-${line}`)];
}

const PLAIN = { fillStyle: "#000", strokeStyle: "#000", lineWidth: 1, font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic", globalAlpha: 1, lineJoin: "miter", lineCap: "butt", globalCompositeOperation: "source-over", imageSmoothingEnabled: true };
const LETTERS = ["font", "textAlign", "textBaseline"];

/**
 * What is seen of a canvas: each mark with the colours, widths, letters, clipping and place that hold when it is made.
 * Nothing is taken over from before the last ``setTransform``: a canvas of another size begins anew.
 * @param {any[][]} calls @returns {Record<string, any[]>}
 */
export function painted(calls) {
  /** @type {Record<string, any[]>} */ const kinds = {};
  /** @type {any} */ let now = { ...PLAIN, matrix: [1, 0, 0, 1, 0, 0], dash: [], clip: [] };
  /** @type {any[]} */ let saved = [], path = [];
  const by = (/** @type {number[]} */ [a, b, c, d, e, f]) => {
    const [m, n, o, p, q, r] = now.matrix;
    now.matrix = [m * a + o * b, n * a + p * b, m * c + o * d, n * c + p * d, m * e + o * f + q, n * e + p * f + r];
  };
  const put = (/** @type {string} */ kind, /** @type {any[]} */ ...seen) => (kinds[kind] ??= []).push([now.globalAlpha, now.globalCompositeOperation, ...now.clip, ...now.matrix, ...seen]);
  const pen = () => [now.strokeStyle, now.lineWidth, now.lineJoin, now.lineCap, ...now.dash];
  for (const [kind, ...given] of calls) {
    if (kind === "set") {
      if (given[0] in PLAIN) now[given[0]] = given[1];
    } else if (kind === "setTransform") now = { ...PLAIN, matrix: given, dash: [], clip: [] };
    else if (kind === "save") saved.push(now), now = { ...now };
    else if (kind === "restore") now = saved.pop() ?? now;
    else if (kind === "translate") by([1, 0, 0, 1, given[0], given[1]]);
    else if (kind === "scale") by([given[0], 0, 0, given[1], 0, 0]);
    else if (kind === "rotate") by([Math.cos(given[0]), Math.sin(given[0]), -Math.sin(given[0]), Math.cos(given[0]), 0, 0]);
    else if (kind === "setLineDash") now.dash = given[0];
    else if (kind === "beginPath") path = [];
    else if (kind === "clip") now.clip = [...now.clip, ...told(path)];
    else if (kind === "fill") put(kind, now.fillStyle, [...path]);
    else if (kind === "stroke") put(kind, pen(), [...path]);
    else if (kind === "fillText" || kind === "fillRect") put(kind, now.fillStyle, given, kind === "fillText" ? LETTERS.map((name) => now[name]) : "");
    else if (kind === "strokeText" || kind === "strokeRect") put(kind, pen(), given, kind === "strokeText" ? LETTERS.map((name) => now[name]) : "");
    else if (kind === "drawImage") {
      const [image, ...where] = given;
      const pixels = (image.context?.calls ?? []).filter(([each]) => each === "putImageData").map(([, { data }]) => told(data));
      put(kind, image.name ?? image.tag, image.width, image.height, where, pixels, now.imageSmoothingEnabled);
    } else if (["moveTo", "lineTo", "arc", "rect", "closePath", "quadraticCurveTo", "bezierCurveTo"].includes(kind)) path.push([kind, ...given, now.matrix[4], now.matrix[5]]);
  }
  if (saved.length) kinds["saved and not restored"] = [saved.length];
  return kinds;
}

/** What is seen on all canvases below an element, and is not asked for again. @param {Element} root */
export function drawings(root) {
  return root.all.filter((each) => each.tag === "canvas" && each.context.calls.length).map((canvas) => {
    const kinds = painted(canvas.context.calls.splice(0));
    return Object.fromEntries(Object.entries(kinds).map(([kind, seen]) => [kind, [seen.length, ...told(seen)]]));
  });
}

/** What the graphics card gets of a model: triangles, lines that are shown, and how both look. @param {any} model */
export function modelled(model) {
  const looks = (/** @type {any} */ material) => told([Object.entries(material.uniforms).filter(([name]) => name !== "tint" || material.uniforms.useTint.value).map(([name, { value }]) => [name, value?.image ? [[...value.image.data].filter((_, k) => k % 16 < 4), value.magFilter, value.minFilter, value.wrapS, value.format, value.type] : value?.toArray?.() ?? value]), material.depthFunc, material.depthWrite]);
  const arrays = (/** @type {any} */ geometry) => Object.entries(geometry.attributes).map(([name, { array, data, itemSize, offset }]) => [name, array ?? data.array, itemSize, offset ?? 0]);
  const { surface } = model;
  return {
    surface: surface.visible ? [looks(surface.material), told([arrays(surface.geometry), surface.geometry.index?.array])] : "hidden",
    ...Object.fromEntries([...model.ribbons].map(([name, { mesh, material }]) => [name, mesh.visible ? [mesh.geometry.instanceCount, mesh.renderOrder, looks(material), told([arrays(mesh.geometry), mesh.geometry.index.array])] : "hidden"])),
  };
}

/** Where two values differ first. @param {any} kept @param {any} found @param {string} [place] @returns {string} */
function difference(kept, found, place = "") {
  if (typeof kept === "number" && typeof found === "number") {
    return Math.abs(kept - found) <= NEAR * Math.max(1, Math.abs(kept)) ? "" : `${place}: ${kept} is kept, ${found} found`;
  }
  if (kept && found && typeof kept === "object" && typeof found === "object") {
    for (const key of new Set([...Object.keys(kept), ...Object.keys(found)])) {
      const said = difference(kept[key], found[key], `${place}/${key}`);
      if (said) return said;
    }
    return "";
  }
  return kept === found ? "" : `${place}: ${JSON.stringify(kept)} is kept, ${JSON.stringify(found)} found`;
}

/** @param {string} name @param {Record<string, any>} found */
export function assertKept(name, found) {
  const file = new URL(`${name}.json`, FOLDER);
  if (process.env.LANDSCAPE_KEEP === "1") {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, `{\n${Object.entries(found).map(([key, each]) => `${JSON.stringify(key)}: ${JSON.stringify(each)}`).join(",\n")}\n}\n`);
  }
  assert.equal(difference(JSON.parse(readFileSync(file, "utf8")), JSON.parse(JSON.stringify(found))), "", name);
}

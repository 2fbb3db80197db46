/** Elements in one line each. Text is only ever set as text: nothing from a file is parsed as markup. */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean | EventListener>} [attributes]  functions are listeners
 * @param {...(Node | string)} children @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, String(value));
  }
  element.append(...children);
  return element;
}

/**
 * A choice among values, each with its text.
 * @param {Record<string, string | number | boolean | EventListener>} attributes @param {[string | number, string][]} options
 * @param {string | number} [chosen]
 */
export function choice(attributes, options, chosen) {
  const select = make("select", attributes, ...options.map(([value, text]) => make("option", { value }, text)));
  if (chosen !== undefined) select.value = String(chosen);
  return select;
}

/** A line in a colour, or a mark, and what is drawn so. @param {LegendItem & {dashed?: boolean}} item */
export function legendItem({ color, mark, text, dashed }) {
  if (!color) return make("span", {}, mark ? `${mark} ${text}` : text);
  const key = make("i", { class: dashed ? "dashed" : "" });
  key.style.borderColor = color;
  return make("span", {}, key, text);
}

/**
 * A drawing of 16 x 16 units, in the colour of the text.
 * @param {string} path
 */
export function icon(path) {
  const space = "http://www.w3.org/2000/svg";
  const image = document.createElementNS(space, "svg");
  image.setAttribute("viewBox", "0 0 16 16");
  image.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(space, "path");
  shape.setAttribute("d", path);
  image.append(shape);
  return image;
}

/**
 * Give a canvas as many pixels as the screen has where it stands, and return a context in pixels of the page.
 * @param {HTMLCanvasElement} canvas
 */
export function prepare(canvas) {
  const width = canvas.clientWidth, height = canvas.clientHeight;
  const ratio = Math.max(1, Math.min(window.devicePixelRatio || 1, 3));
  const wide = Math.max(1, Math.round(width * ratio)), tall = Math.max(1, Math.round(height * ratio));
  if (canvas.width !== wide || canvas.height !== tall) {
    canvas.width = wide;
    canvas.height = tall;
  }
  const context = /** @type {Context} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  // Chromium may go on showing what was there where a canvas is only cleared: something has to be drawn, if nothing seen.
  context.fillStyle = "rgb(0 0 0 / 0.004)";
  context.fillRect(0, 0, 1, 1);
  return { context, width, height, ratio };
}

/** Small marks on surfaces and maps: the checkpoint, the best point, a fall of the learning rate. */

/** @param {Context} context @param {number} x @param {number} y @param {number} radius @param {string} [fill] */
export function star(context, x, y, radius, fill = "#fff") {
  context.beginPath();
  for (let k = 0; k < 10; k++) {
    const angle = (Math.PI * k) / 5 - Math.PI / 2, reach = k % 2 ? radius * 0.42 : radius;
    context.lineTo(x + reach * Math.cos(angle), y + reach * Math.sin(angle));
  }
  context.closePath();
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = fill === "#fff" ? "#000" : "#fff";
  context.lineWidth = 0.8;
  context.stroke();
}

/** @param {Context} context @param {number} x @param {number} y @param {number} radius */
export function ring(context, x, y, radius) {
  cased(context, [["#000", 2.6], ["#fff", 1.3]], () => context.arc(x, y, radius, 0, 2 * Math.PI));
}

/**
 * Stroke what is drawn in several colours and widths, the widest first: seen on every ground.
 * @param {Context} context @param {[string, number][]} looks @param {() => void} draw
 */
export function cased(context, looks, draw) {
  for (const [color, width] of looks) {
    context.strokeStyle = color;
    context.lineWidth = width;
    context.beginPath();
    draw();
    context.stroke();
  }
}

/** @param {Context} context @param {number} x @param {number} y */
export function tick(context, x, y) {
  context.save();
  context.translate(x, y);
  context.rotate(Math.PI / 4);
  context.fillStyle = "#fff";
  context.strokeStyle = "#111";
  context.lineWidth = 0.8;
  context.fillRect(-2.2, -2.2, 4.4, 4.4);
  context.strokeRect(-2.2, -2.2, 4.4, 4.4);
  context.restore();
}

/** Another network. @param {Context} context @param {number} x @param {number} y @param {number} reach */
export function diamond(context, x, y, reach) {
  context.beginPath();
  for (const [a, b] of [[0, -reach], [reach, 0], [0, reach], [-reach, 0]]) context.lineTo(x + a, y + b);
  context.closePath();
  context.fillStyle = "#fff";
  context.fill();
  context.strokeStyle = "#000";
  context.lineWidth = 1.1;
  context.stroke();
}

/** @param {Context} context @param {number} x0 @param {number} y0 @param {number} x1 @param {number} y1 */
export function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

/** @param {Context} context @param {number} x @param {number} y @param {number} radius @param {string} fill @param {string} edge @param {number} [width] */
export function disc(context, x, y, radius, fill, edge, width = 1.6) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = edge;
  context.lineWidth = width;
  context.stroke();
}

/**
 * Draw a mark, faint and dashed where the surface hides it.
 * @param {Context} context @param {boolean} seen @param {() => void} draw
 */
export function seenThrough(context, seen, draw) {
  context.save();
  if (!seen) {
    context.globalAlpha = 0.6;
    context.setLineDash([2, 2]);
  }
  draw();
  context.restore();
}

/**
 * A run's marks, as in the stills: a circle at its start, a disc at the step that is shown, a star at its end, small squares
 * where the learning rate fell; samples in no order are discs. What the surface hides is drawn through it, faint and dashed.
 * @param {Context} context @param {Draped} draped @param {number} passed @param {string} color
 * @param {(at: Point) => [number, number]} pixel @param {(at: Point) => boolean} seen
 */
export function runMarks(context, { stops, path }, passed, color, pixel, seen) {
  /** @param {Point | null} at @param {(x: number, y: number) => void} draw */
  const put = (at, draw) => {
    if (at) seenThrough(context, seen(at), () => draw(...pixel(at)));
  };
  if (path.unordered) {
    for (const stop of stops.slice(0, passed + 1)) put(stop, (x, y) => disc(context, x, y, 3.6, color, "#fff"));
    return;
  }
  for (const drop of path.drops) if (drop <= passed) put(stops[drop], (x, y) => tick(context, x, y));
  put(stops[0], (x, y) => disc(context, x, y, 4, "#fff", color));
  const whole = passed === stops.length - 1;
  put(stops[passed], (x, y) => (whole ? star(context, x, y, 9, color) : disc(context, x, y, 5.5, color, "#fff")));
}

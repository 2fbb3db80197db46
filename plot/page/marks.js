/** Small marks on surfaces and maps: the checkpoint, the lowest point, a fall of the learning rate. */

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
export function star(context, x, y, radius) {
  context.beginPath();
  for (let k = 0; k < 10; k++) {
    const angle = (Math.PI * k) / 5 - Math.PI / 2, reach = k % 2 ? radius * 0.42 : radius;
    context.lineTo(x + reach * Math.cos(angle), y + reach * Math.sin(angle));
  }
  context.closePath();
  context.fillStyle = "#fff";
  context.fill();
  context.strokeStyle = "#000";
  context.lineWidth = 0.8;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} radius
 */
export function ring(context, x, y, radius) {
  for (const [color, width] of /** @type {[string, number][]} */ ([["#000", 2.6], ["#fff", 1.3]])) {
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 */
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

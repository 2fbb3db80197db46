/** Values among the bins of a spectrum: as on a logarithmic axis on both sides of 0, linear in the bin about 0. */
import assert from "node:assert/strict";
import test from "node:test";

import { placeAmong } from "../../plot/page/web/curvature.js";

const EDGES = [-100, -10, -1, 1, 10, 100];

test("an edge stands at its number, and the middle of a bin is its geometric mean", () => {
  EDGES.forEach((edge, k) => assert.ok(Math.abs(placeAmong(EDGES, edge) - k) < 1e-12, `${edge}`));
  assert.ok(Math.abs(placeAmong(EDGES, Math.sqrt(1000)) - 4.5) < 1e-12);
  assert.ok(Math.abs(placeAmong(EDGES, -Math.sqrt(1000)) - 0.5) < 1e-12);
  assert.equal(placeAmong(EDGES, 0), 2.5);
  assert.equal(placeAmong(EDGES, -0.5), 2.25);
});

test("what lies beyond the bins stands at their ends", () => {
  assert.equal(placeAmong(EDGES, 1e9), 5);
  assert.equal(placeAmong(EDGES, -1e9), 0);
});

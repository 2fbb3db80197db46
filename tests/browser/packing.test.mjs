import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import { inflate, unpack } from "../../plot/page/web/packing.js";

const { index, text, sha256 } = JSON.parse(readFileSync(new URL("packing.json", import.meta.url), "utf8"));

test("the page reads back every bit that Python packed", async () => {
  const arrays = unpack(index, await inflate(text));
  const got = arrays.map((array) => createHash("sha256").update(new Uint8Array(array.buffer)).digest("hex"));
  assert.deepEqual(got, sha256);
});

/**
 * Make `bundle.js`: the page's modules and what they use of three.js, in one script, with three.js's licence on top.
 *
 * `node plot/page/build.mjs --check` compares with the committed file instead of writing it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const licence = readFileSync(here("three.LICENSE"), "utf8").trim();
const result = await build({
  entryPoints: [here("main.js")],
  bundle: true,
  minify: !process.argv.includes("--plain"),
  write: false,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  banner: { js: `/*! torch-landscape's page. Includes three.js:\n${licence}\n*/` },
});
const text = result.outputFiles[0].text;
// Inside a page these would end the script early.
if (/<\/script|<!--/i.test(text)) throw new Error("the bundle contains </script or <!--");
if (process.argv.includes("--check")) {
  if (readFileSync(here("bundle.js"), "utf8") !== text) {
    console.error("plot/page/bundle.js is not what its sources give: run 'npm run build' and commit it");
    process.exit(1);
  }
} else writeFileSync(here("bundle.js"), text);
console.log(`plot/page/bundle.js: ${text.length} bytes`);

/**
 * Make `bundle.js`: the page's modules and what they use of three.js, in one script, with three.js's licence on top.
 *
 * `node plot/page/web/build.mjs --check` compares with the committed file instead of writing it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
const licence = readFileSync(here("three.LICENSE"), "utf8").trim();

// The page brings shaders of its own: of three.js's materials, lights and reflections it needs neither text nor tables.
const lean = {
  name: "lean",
  setup(/** @type {import("esbuild").PluginBuild} */ { onResolve, onLoad, resolve }) {
    onResolve({ filter: /^three$/ }, () => resolve("three/src/Three.js", { kind: "import-statement", resolveDir: here(".") }));
    onLoad({ filter: /Shader(Chunk|Lib).*glsl\.js$/ }, () => ({ contents: "export default ''; export const vertex = '', fragment = '';" }));
    onLoad({ filter: /PMREMGenerator\.js$/ }, () => ({ contents: "export class PMREMGenerator {}" }));
  },
};
const result = await build({
  entryPoints: [here("main.js")],
  bundle: true,
  minify: !process.argv.includes("--plain"),
  write: false,
  format: "iife",
  target: "es2022",
  charset: "ascii",
  legalComments: "none",
  plugins: [lean],
  banner: { js: `/*! torch-landscape's page. Includes three.js:\n${licence}\n*/` },
});
const text = result.outputFiles[0].text;
// Inside a page these would end the script early.
if (/<\/script|<!--/i.test(text)) throw new Error("the bundle contains </script or <!--");
if (process.argv.includes("--check")) {
  if (readFileSync(here("bundle.js"), "utf8") !== text) {
    console.error("plot/page/web/bundle.js is not what its sources give: run 'npm run build' and commit it");
    process.exit(1);
  }
} else writeFileSync(here("bundle.js"), text);
console.log(`plot/page/web/bundle.js: ${text.length} bytes`);

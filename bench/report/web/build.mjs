// Builds what bench/report embeds: ../page/charts.js, and the licences of what is in it.
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = process.argv[2] ?? at("../page/");

await build({
  entryPoints: [at("src/main.js")],
  outfile: `${out}/charts.js`,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2020",
  charset: "ascii",
  legalComments: "none", // they are in licences.txt, whole
  logLevel: "warning",
});

const texts = [
  ["Apache ECharts 6.1.0", ["echarts/NOTICE", "echarts/LICENSE", "echarts/licenses/LICENSE-d3"]],
  ["ZRender", ["zrender/LICENSE"]],
  ["tslib", ["tslib/CopyrightNotice.txt", "tslib/LICENSE.txt"]],
];
let licences = "The charts of this file are drawn by these libraries, parts of which are in it.\n";
for (const [name, files] of texts) {
  licences += `\n\n== ${name} ==\n`;
  for (const file of files) licences += `\n${(await readFile(at(`node_modules/${file}`), "utf8")).replaceAll("\r\n", "\n").trim()}\n`;
}
await writeFile(`${out}/licences.txt`, licences);

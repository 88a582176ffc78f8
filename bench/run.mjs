// Bundles and runs the benchmarks: Node 20 does not read TypeScript by itself.
import { build } from "esbuild";
import { readFile, rm } from "node:fs/promises";
import { fileURLToPath, pathToFileURL } from "node:url";

const outfile = fileURLToPath(new URL("./results/main.mjs", import.meta.url));
await build({
  entryPoints: [fileURLToPath(new URL("./main.ts", import.meta.url))],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  packages: "external",
  loader: { ".yaml": "text" },
  plugins: [{ name: "own-url", setup: keepUrls }],
  logLevel: "warning",
});
await import(pathToFileURL(outfile).href);
await rm(outfile);

/** The bundle lies elsewhere than the sources: what a file finds beside itself must stay right. */
function keepUrls({ onLoad }) {
  onLoad({ filter: /\.ts$/ }, async ({ path }) => {
    const source = await readFile(path, "utf8");
    const url = JSON.stringify(pathToFileURL(path).href);
    return { contents: source.replaceAll("import.meta.url", url), loader: "ts" };
  });
}

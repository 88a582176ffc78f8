// Bundles and runs the benchmarks: Node 20 does not read TypeScript by itself.
import { build } from "esbuild";
import { rm } from "node:fs/promises";
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
  // The bundle lies elsewhere than the sources: paths beside a source file must stay right.
  define: { "import.meta.url": JSON.stringify(new URL("./main.ts", import.meta.url).href) },
  logLevel: "warning",
});
await import(pathToFileURL(outfile).href);
await rm(outfile);

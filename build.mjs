// Makes dist/: the command line and the library as one set of CommonJS chunks, the types, the licences.
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { build, transform } from "esbuild";
import { licencesOf } from "./build/licences.mjs";
import { stubs } from "./build/stubs.mjs";
import { pruneTypes } from "./build/types.mjs";

process.chdir(import.meta.dirname);
const dist = "dist";
const { version } = JSON.parse(await readFile("package.json", "utf8"));
const common = {
  bundle: true,
  platform: "node",
  target: "node20.19",
  metafile: true,
  write: false,
  loader: { ".yaml": "text", ".bash": "text", ".zsh": "text", ".fish": "text" },
  minifySyntax: true,
  minifyWhitespace: true, // names stay: a stack in a bug report should say something
  legalComments: "none",
  logLevel: "warning",
};

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
const { entries, metafile } = await buildChunks();
const loaderInputs = await buildLoader(entries.run);
await writeLibrary(entries.index);
await writeFile(
  join(dist, "THIRD-PARTY-LICENSES.txt"),
  await licencesOf([...Object.keys(metafile.inputs), ...loaderInputs]),
);
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
  stdio: "inherit",
});
await pruneTypes(join(dist, "types"), "index.d.ts");

/**
 * esbuild splits ES modules only, so that lazy chunks share what they have in common; each chunk is then
 * turned into CommonJS, which starts faster and can be compiled from a code cache on every Node.
 */
async function buildChunks() {
  const result = await build({
    ...common,
    entryPoints: { run: "src/cli/run.ts", index: "src/index.ts" },
    outdir: dist,
    format: "esm",
    splitting: true,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    outExtension: { ".js": ".cjs" },
    plugins: [stubs],
    define: {
      "import.meta.url": "__filename", // CommonJS has no import.meta
      KPUSH_VERSION: JSON.stringify(version),
      // Native add-ons are not for every platform, and are not needed: see the design.
      "process.env.WS_NO_BUFFER_UTIL": '"1"',
      "process.env.WS_NO_UTF_8_VALIDATE": '"1"',
    },
  });
  const entries = {};
  for (const { path, text } of result.outputFiles) {
    const name = basename(path);
    const { code } = await transform(text, {
      format: "cjs",
      platform: "node",
      target: common.target,
      supported: { "dynamic-import": false },
      minifyWhitespace: true,
    });
    // The loader reads them as one byte a character.
    if (/[^\0-\x7f]/.test(code)) throw new Error(`${name} is not ASCII`);
    await writeFile(join(dist, name), code);
    const entry = /^(run|index)-/.exec(name)?.[1];
    if (entry) entries[entry] = name;
  }
  return { entries, metafile: result.metafile };
}

async function buildLoader(entry) {
  const { metafile, outputFiles } = await build({
    ...common,
    entryPoints: ["src/cli/loader.ts"],
    format: "cjs",
    define: { KPUSH_ENTRY: JSON.stringify(entry) },
  });
  await writeFile(join(dist, "loader.cjs"), outputFiles[0].contents);
  return Object.keys(metafile.inputs);
}

/** The library is an ES module in front of the chunks that the command line uses too. */
async function writeLibrary(entry) {
  const names = Object.keys(createRequire(import.meta.url)(`./${dist}/${entry}`));
  await writeFile(
    join(dist, "index.js"),
    `import library from "./${entry}";\nexport const { ${names.join(", ")} } = library;\n`,
  );
}

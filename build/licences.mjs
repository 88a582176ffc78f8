// Gathers the licences of all packages whose code is in the bundle.
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const licenceFile = /^(licen[cs]e|copying|notice)([-.].*)?$/i;

/**
 * @param inputs - paths of source files, as in esbuild's metafile
 * @returns one text with each package's name, version and licence files
 * @throws where a package has no licence file
 */
export async function licencesOf(inputs) {
  const directories = new Set(inputs.map(packageDirectory).filter(Boolean));
  const packages = await Promise.all([...directories].map(readPackage));
  packages.sort((a, b) => (a.name < b.name ? -1 : 1));
  const missing = packages.filter(({ texts }) => texts.length === 0);
  if (missing.length > 0) {
    throw new Error(`no licence file in ${missing.map(({ name }) => name).join(", ")}`);
  }
  const head = "kpush contains code of the packages below, each under its own licence.\n";
  return [
    head,
    ...packages.map(({ name, version, texts }) =>
      [`${"-".repeat(78)}\n${name} ${version}\n`, ...texts].join("\n"),
    ),
  ].join("\n");
}

/** `node_modules/a/node_modules/@b/c/d.js` is of `node_modules/a/node_modules/@b/c`. */
function packageDirectory(input) {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
}

async function readPackage(directory) {
  const { name, version } = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
  const files = (await readdir(directory)).filter((file) => licenceFile.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(directory, file), "utf8")));
  if (texts.length === 0) {
    const kept = join(import.meta.dirname, "licences", `${name.replace("/", "-")}.txt`);
    if (existsSync(kept)) texts.push(await readFile(kept, "utf8"));
  }
  return { name, version, texts: texts.map((text) => `${text.trim()}\n`) };
}

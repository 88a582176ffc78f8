// Leaves only the declarations that the library's entry leads to, and sees that they need no package.
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, normalize, sep } from "node:path";

const specifiers = /(?:from|import)\s*\(?\s*"([^"]+)"/g;

/**
 * @param directory - where the declarations are
 * @param entry - the file that package.json names
 * @throws where a declaration that stays imports a package
 */
export async function pruneTypes(directory, entry) {
  const reachable = new Set();
  const visit = async (file) => {
    if (reachable.has(file)) return;
    reachable.add(file);
    const text = await readFile(join(directory, file), "utf8");
    for (const [, specifier] of text.matchAll(specifiers)) {
      if (!specifier.startsWith(".")) throw new Error(`${file} needs the types of ${specifier}`);
      await visit(normalize(join(dirname(file), specifier.replace(/\.ts$/, ".d.ts"))));
    }
    // As tsc leaves them, they name sources that are not there; not every TypeScript sees through that.
    const named = text.replace(specifiers, (match) => match.replace(/\.ts"$/, '.js"'));
    await writeFile(join(directory, file), named);
  };
  await visit(entry);
  const kept = (file) => [...reachable].some((one) => one === file || one.startsWith(file + sep));
  for (const file of await readdir(directory, { recursive: true })) {
    if (!kept(file)) await rm(join(directory, file), { recursive: true, force: true });
  }
}

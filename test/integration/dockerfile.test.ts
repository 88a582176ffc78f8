import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const lines = async (name: string) => (await readFile(join(root, name), "utf8")).split("\n");

/** Each `COPY SOURCE… TARGET` of the Dockerfile, as pairs. */
async function copies(): Promise<{ source: string; target: string }[]> {
  const words = (await lines("Dockerfile"))
    .filter((line) => line.startsWith("COPY "))
    .map((line) => line.split(" ").slice(1));
  return words.flatMap((line) =>
    line.slice(0, -1).map((source) => ({ source, target: line.at(-1) ?? "" })),
  );
}

test("the build context has what the Dockerfile copies, and nothing else", async () => {
  const [nothing, ...kept] = (await lines(".dockerignore")).filter((line) => line !== "");
  expect(nothing).toBe("*");
  const sources = (await copies()).map(({ source }) => `!${source}`);
  expect(kept.sort()).toEqual(sources.sort());
});

test("what the Dockerfile copies is all that kpush needs, and its links are right", async () => {
  const image = await mkdtemp(join(tmpdir(), "kpush-image-"));
  try {
    for (const { source, target } of await copies()) {
      const name = /^(bin|dist)$/.test(source) ? "" : (source.split("/").at(-1) ?? "");
      await cp(join(root, source), join(image, target, name), { recursive: true });
    }
    const [, program = ""] = /^RUN ln -s (\S+) \/usr\/local\/bin\/kpush$/m.exec(
      await readFile(join(root, "Dockerfile"), "utf8"),
    ) ?? ["", "none"];
    const kpush = (argv: string[]) =>
      promisify(execFile)(process.execPath, [join(image, program), ...argv], { cwd: image });
    expect((await kpush(["demo"])).stdout).toContain("localhost:5000/hello:v1@sha256:");
    const failed = await kpush(["--frobnicate"]).catch((error: unknown) => error);
    const { stderr } = failed as { stderr: string };
    const [, page = "none"] = /\nmore: file:\/\/(.*)#usage\n$/.exec(stderr) ?? [];
    expect(await readFile(page, "utf8")).toContain("### USAGE");
  } finally {
    await rm(image, { recursive: true, force: true });
  }
});

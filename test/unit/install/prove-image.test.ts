import { gunzipSync } from "node:zlib";
import { extract } from "tar-stream";
import { describe, expect, test } from "vitest";
import { digestOf } from "../../../src/image/digest.ts";
import { parseManifest } from "../../../src/image/manifest.ts";
import { proofImage, type ProofImage } from "../../../src/install/prove/proof-image.ts";
import { tinyProgram } from "../../../src/install/prove/tiny-program.ts";

interface Config {
  os: string;
  architecture: string;
  variant?: string;
  config: { Entrypoint: string[] };
  rootfs: { diff_ids: string[] };
}

/** A manifest's config and layer, read back from the blobs. */
function contentOf(image: ProofImage, number: number): { config: Config; tar: Buffer } {
  const { bytes, mediaType, digest } = image.manifests[number] ?? image.index;
  const manifest = parseManifest(bytes, mediaType, digest);
  if (manifest.kind !== "manifest") throw new Error("it is an index");
  const blob = (wanted: string | undefined) => {
    const found = image.blobs.find((one) => one.digest === wanted);
    if (!found) throw new Error(`there is no blob ${wanted}`);
    expect(digestOf(found.bytes)).toBe(wanted);
    return found.bytes;
  };
  const config = JSON.parse(blob(manifest.config.digest).toString()) as Config;
  return { config, tar: gunzipSync(blob(manifest.layers[0]?.digest)) };
}

describe("the image of a proof", () => {
  test("is an index with a manifest for each architecture, which runtimes insist on", async () => {
    const image = await proofImage(["amd64", "arm64", "arm", "s390x"], "tag1");
    const index = parseManifest(image.index.bytes, undefined, "index");
    expect(index.kind === "index" && index.manifests.map((one) => one.platform)).toEqual([
      "linux/amd64",
      "linux/arm64",
      "linux/arm/v6",
      "linux/s390x",
    ]);
    expect(index.kind === "index" && index.manifests.map(({ digest }) => digest)).toEqual(
      image.manifests.map(({ digest }) => digest),
    );
    expect(digestOf(image.index.bytes)).toBe(image.digest);
  });

  test("has a config of its platform that names the plain layer, as unpacking checks", async () => {
    const image = await proofImage(["amd64", "arm"], "tag1");
    const { config, tar } = contentOf(image, 1);
    expect(config).toMatchObject({ os: "linux", architecture: "arm", variant: "v6" });
    expect(config.rootfs.diff_ids).toEqual([digestOf(tar)]);
  });

  test("has a program that may be run at its entry point", async () => {
    const { config, tar } = contentOf(await proofImage(["amd64"], "tag1"), 0);
    const entries = new Map<string, number | undefined>();
    for await (const entry of extract().end(tar)) {
      entries.set(`/${entry.header.name}`, entry.header.mode);
      entry.resume();
    }
    expect(entries.get(config.config.Entrypoint[0] ?? "")).toBe(0o755);
  });

  test("shares nothing with that of another proof: no cache can answer for the registry", async () => {
    const [one, other] = await Promise.all([
      proofImage(["amd64", "arm64"], "tag1"),
      proofImage(["amd64", "arm64"], "tag2"),
    ]);
    const digests = ({ digest, manifests, blobs }: ProofImage) =>
      [{ digest }, ...manifests, ...blobs].map((part) => part.digest);
    const all = [...digests(one), ...digests(other)];
    expect(all).toHaveLength(14);
    expect(new Set(all).size).toBe(14);
  });
});

test.for([
  ["amd64", 62],
  ["arm64", 183],
  ["mips64le", 62], // any will do: an image that does not run has been pulled all the same
])("the program for %s is ELF for machine %i", ([architecture, machine]) => {
  const program = tinyProgram(String(architecture));
  expect(program.toString("latin1", 0, 4)).toBe("\x7fELF");
  expect(program.readUInt16LE(18)).toBe(machine);
  expect(Number(program.readBigUInt64LE(96))).toBe(program.length);
});

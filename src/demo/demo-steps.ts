import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { KpushError } from "../errors.ts";
import type { PushedImage } from "../events.ts";
import { digestOf } from "../image/digest.ts";
import { formatBytes } from "../output/format.ts";
import { push } from "../push/push.ts";
import type { Context, PushOptions } from "../push/types.ts";

export interface DemoContext extends Context {
  /** Shows one line of the story. */
  write: (line: string) => void;
}

/** A directory that only this user can look into, and that is gone when disposed. */
export async function privateDirectory(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "kpush-demo-")); // mode 0700
  return {
    path,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** Pushes one image by the code of a real push; throws what kept it from arriving. */
export async function pushOne(options: PushOptions, context: Context): Promise<PushedImage> {
  const [outcome] = await push(options, context);
  if (!outcome) throw new KpushError("UNEXPECTED", "the push ended without an outcome");
  if ("error" in outcome) throw outcome.error;
  return outcome;
}

/** What a node reads of an image to run it. */
export interface Pull {
  manifest: (digest: string) => Promise<Buffer>;
  blob: (digest: string) => Promise<Readable>;
}

/**
 * Fetches the manifest and its first layer, as a node does, and checks their digests.
 *
 * @throws KpushError `VERIFY_FAILED`
 */
export async function pullBack(
  pull: Pull,
  image: PushedImage,
  write: (line: string) => void,
): Promise<void> {
  const bytes = await pull.manifest(image.digest);
  check("manifest", image.digest, digestOf(bytes));
  write(`   manifest  ${image.digest}, ${formatBytes(bytes.length)}: the digest is right`);

  const { layers } = JSON.parse(bytes.toString()) as { layers?: { digest: string }[] };
  const layer = layers?.[0]?.digest;
  if (layer === undefined) throw new KpushError("VERIFY_FAILED", "the manifest has no layers");
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of (await pull.blob(layer)) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    length += chunk.length;
  }
  check("layer", layer, `sha256:${hash.digest("hex")}`);
  write(`   layer     ${layer}, ${formatBytes(length)}: the digest is right`);
}

function check(what: string, expected: string, actual: string): void {
  if (expected === actual) return;
  throw new KpushError("VERIFY_FAILED", `the ${what} ${expected} came back as ${actual}`);
}

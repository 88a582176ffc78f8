import { KpushError } from "../errors.ts";
import type { Report } from "../events.ts";
import type { Manifest, RegistryClient } from "../registry/types.ts";
import type { Target } from "./types.ts";

/** What is to be verified. */
export interface Verification {
  registry: RegistryClient;
  target: Target;
  /** What the first tag must name. */
  digest: string;
  /** The manifest, where the registry has served it under the first tag just now. */
  held: Manifest | undefined;
  report: Report;
}

/**
 * Gives the pushed manifest its further tags, and checks that the registry serves the digest: success
 * is never claimed from what an engine or an upload said alone. A tag that another push moved
 * meanwhile is a warning, as long as the registry holds what was pushed.
 *
 * @throws KpushError `VERIFY_FAILED`
 */
export async function verify({
  registry,
  target,
  digest,
  held,
  report,
}: Verification): Promise<void> {
  const { repository, tags } = target;
  const [first, ...others] = tags;
  if (!held) {
    const served = await registry.headManifest(repository, first);
    if (served?.digest !== digest) {
      await explainMismatch(registry, { repository, tag: first, digest }, served?.digest, report);
    }
  }
  if (others.length === 0) return;
  const manifest = held ?? (await registry.getManifest(repository, digest));
  if (!manifest) throw lost(repository, digest);
  for (const tag of others) {
    const before = await registry.headManifest(repository, tag);
    if (before?.digest === digest) continue;
    await registry.putManifest(repository, tag, manifest);
    const after = await registry.headManifest(repository, tag);
    if (after?.digest !== digest)
      await explainMismatch(registry, { repository, tag, digest }, after?.digest, report);
  }
}

async function explainMismatch(
  registry: RegistryClient,
  { repository, tag, digest }: { repository: string; tag: string; digest: string },
  served: string | undefined,
  report: Report,
): Promise<void> {
  const held = await registry.headManifest(repository, digest);
  if (!held || served === undefined) throw lost(`${repository}:${tag}`, digest);
  report({
    type: "warning",
    message: `${repository}:${tag} now names ${served}: another push moved the tag meanwhile`,
    hint: "deploy the reference with its digest, which names what you pushed",
  });
}

function lost(name: string, digest: string): KpushError {
  return new KpushError(
    "VERIFY_FAILED",
    `the push ended well, but the registry does not serve ${name} with ${digest}`,
    {
      hint: "push once more; if it stays so, the registry loses data: look at its volume and its log",
    },
  );
}

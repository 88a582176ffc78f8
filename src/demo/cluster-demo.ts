import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { ClusterOptions, RegistryOptions } from "../cluster/types.ts";
import { KpushError, messageOf } from "../errors.ts";
import { plain } from "../image/text.ts";
import { count, formatBytes } from "../output/format.ts";
import { openSession, type Session } from "../push/session.ts";
import { writeDemoImage, type DemoImage } from "./demo-image.ts";
import { privateDirectory, pullBack, pushOne } from "./demo-steps.ts";
import type { DemoContext, Pull } from "./demo-steps.ts";

export interface ClusterDemoContext extends DemoContext {
  /** Asks the user; undefined where there is no terminal to ask on. */
  confirm: ((question: string) => Promise<boolean>) | undefined;
  /** Go on without asking. */
  yes: boolean;
}

type Options = ClusterOptions & RegistryOptions;

const repository = "kpush-demo";

/**
 * Pushes a small image into the registry of the chosen cluster, fetches it back through the tunnel,
 * and deletes it there. Says what it will do, and asks, before anything is written.
 *
 * @returns false where the user said no
 * @throws KpushError `USAGE` where it can neither ask nor was told `yes`; else what a push throws
 */
export async function runClusterDemo(
  options: Options,
  context: ClusterDemoContext,
): Promise<boolean> {
  const { confirm, yes, write } = context;
  if (!yes && !confirm) {
    throw new KpushError(
      "USAGE",
      "kpush demo --cluster asks before it writes to a cluster, and there is no terminal to ask on",
      { hint: "kpush demo --cluster --yes goes on without asking." },
    );
  }
  await using directory = await privateDirectory();
  const tag = randomBytes(4).toString("hex");
  const name = `${repository}:${tag}`;
  const path = join(directory.path, "demo.tar");
  const image = await writeDemoImage({ path, name });

  await using session = await openQuietly(options, context, context.signal);
  describe(session, name, image, write);
  if (!yes && !(await confirm?.("Go on?"))) {
    return false;
  }
  try {
    await tellStory(options, path, session, context);
  } finally {
    await removeImage(options, tag, session, context);
  }
  return true;
}

function describe(
  { cluster, pod }: Session,
  name: string,
  image: DemoImage,
  write: (line: string) => void,
): void {
  write("kpush demo, on a cluster:");
  write(`   context    ${plain(cluster.context)} (${plain(cluster.server)})`);
  write(`   namespace  ${plain(pod.namespace)}`);
  write(`   registry   pod ${plain(pod.name)}, port ${pod.port}`);
  write(
    `   image      ${name}, made for this: ${count(image.diffIds.length, "layer")}, ${formatBytes(image.size)}`,
  );
  write("It is pushed, fetched back, and deleted from the registry. Nothing else is touched.");
}

async function tellStory(
  options: Options,
  archive: string,
  session: Session,
  { surroundings, report, signal, write }: ClusterDemoContext,
): Promise<void> {
  write("");
  write("1. kpush opens a tunnel to the registry and sends what is missing.");
  // No node will run it.
  const image = { images: [archive], force: true };
  const pushed = await pushOne({ ...options, ...image }, { surroundings, report, signal });
  write(pushed.pullRef);

  write("");
  write("2. The image comes back through the tunnel.");
  await pullBack(pullThrough(session), pushed, write);
}

function pullThrough({ registry }: Session): Pull {
  return {
    blob: (digest) => registry.getBlob(repository, digest),
    manifest: async (digest) => {
      const manifest = await registry.getManifest(repository, digest);
      if (manifest) return manifest.bytes;
      throw new KpushError("VERIFY_FAILED", `the registry no longer has ${digest}`);
    },
  };
}

/** Deletes what was pushed, by a session of its own where the first was interrupted. Never throws. */
async function removeImage(
  options: Options,
  tag: string,
  session: Session,
  context: ClusterDemoContext,
): Promise<void> {
  const { signal, write } = context;
  write("");
  try {
    if (signal.aborted) {
      await using another = await openQuietly(options, context, AbortSignal.timeout(5000));
      await removeBy(another, tag);
    } else {
      await removeBy(session, tag);
    }
    write("3. The image is deleted; the registry's next garbage collection frees its space.");
  } catch (error) {
    // Registries without `storage.delete.enabled` refuse.
    write(`3. The image stays in the registry, as ${repository}:${tag}: ${messageOf(error)}`);
  }
}

async function removeBy({ registry }: Session, tag: string): Promise<void> {
  const manifest = await registry.headManifest(repository, tag);
  if (manifest) await registry.deleteManifest(repository, manifest.digest);
}

/** A session whose choice of registry is not reported: this story names it in its own words. */
function openQuietly(
  options: Options,
  context: ClusterDemoContext,
  signal: AbortSignal,
): Promise<Session> {
  return openSession(options, {
    surroundings: context.surroundings,
    report: (event) => {
      if (event.type === "warning" || event.type === "debug") context.report(event);
    },
    signal,
  });
}

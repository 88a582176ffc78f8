import { setTimeout as delay } from "node:timers/promises";
import { KpushError } from "../errors.ts";
import { runsOn } from "../image/platform.ts";
import { plain } from "../image/text.ts";
import type { PushJob } from "./push-image.ts";
import type { ReadySource } from "./request.ts";

/**
 * Milliseconds that a push waits at most for what the nodes are. They were asked long before; whoever does not
 * answer by then is not worth a wait.
 */
const patience = 500;

/**
 * Refuses an image that no node could run, before a byte of it is sent. Where the image or the nodes do not
 * tell their platforms, there is nothing to be said.
 *
 * @throws KpushError `PLATFORM_MISMATCH`
 */
export async function checkPlatform({ source, options, session, context }: PushJob): Promise<void> {
  if (options.force) return;
  const platforms = await platformsOf(source, options.platform);
  if (platforms.length === 0) return;
  const nodes = await inTime(session.nodePlatforms);
  if (!nodes) {
    const message = "the platforms of the nodes are not known, the image's is not compared";
    context.report({ type: "debug", message });
    return;
  }
  const error = mismatch(nodes, platforms);
  if (error) throw error;
}

/** Why none of the nodes runs an image of these platforms; undefined where one does. */
export function mismatch(
  nodes: readonly string[],
  platforms: readonly string[],
): KpushError | undefined {
  if (nodes.some((node) => platforms.some((one) => runsOn(node, one)))) return undefined;
  // kpush pushes nothing for others.
  const [wanted = ""] = nodes.filter((node) => node.startsWith("linux/"));
  if (wanted === "") return undefined;
  const own = [...new Set(platforms.map((one) => one.split("/").slice(0, 2).join("/")))].sort();
  return new KpushError(
    "PLATFORM_MISMATCH",
    `the nodes are ${together(nodes)}, this image is ${plain(together(own), 300)}`,
    { hint: `build it with --platform ${wanted}, or send it all the same with --force` },
  );
}

/**
 * What would be pushed of a source: `os/architecture[/variant]` of each image; empty where one is not known.
 *
 * @param platform - as the user gave it
 */
export async function platformsOf(
  source: ReadySource,
  platform: string | undefined,
): Promise<string[]> {
  if (source.kind === "archive") return (await source.archive.content(platform)).platforms;
  const { local, engine } = source;
  const images = local.manifests.filter(({ kind, available }) => available && kind === "image");
  // Docker before 28 does not tell of a containerd store which platforms an image has, but one.
  const several = platform === undefined && engine.store === "containerd" && images.length !== 1;
  const all = several ? images.map((one) => one.platform) : [local.platform];
  return all.includes("") ? [] : all;
}

async function inTime<T>(answer: Promise<T>): Promise<T | undefined> {
  const answered = new AbortController();
  const { signal } = answered;
  const late = delay(patience, undefined, { signal }).catch(() => undefined);
  try {
    return await Promise.race([answer, late]);
  } finally {
    answered.abort();
  }
}

function together(all: readonly string[]): string {
  const last = all.at(-1) ?? "";
  return all.length > 1 ? `${all.slice(0, -1).join(", ")} and ${last}` : last;
}

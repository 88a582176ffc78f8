import { availableParallelism } from "node:os";
import { KpushError } from "../errors.ts";
import { parseManifest } from "../image/manifest.ts";
import type { Manifest } from "../registry/types.ts";
import { openKnownCache, type KnownCache } from "./direct/known-cache.ts";
import { knownLayers, type KnownLayers } from "./direct/known-layers.ts";
import { otherTags } from "./direct/other-tags.ts";
import { far } from "./direct/packer.ts";
import type { Work } from "./estimate.ts";
import { plan, type Plan, type PlanFacts, type RemoteImage } from "./plan.ts";
import type { PushJob } from "./push-image.ts";

/** What the direct route is told of the registry. */
export interface Knowledge {
  cache: KnownCache;
  /** Asks once, and only when it is wanted. */
  known(): Promise<KnownLayers>;
  /** Milliseconds of a round trip, on a socket that is open. */
  roundTrip(): Promise<number>;
  /** Whether it is so long that the link is slower than the cores; measured only where it is in doubt. */
  isFar(): Promise<boolean>;
}

/**
 * Prepares to find out what the registry holds of an image, given what it has under the tag.
 *
 * @param took - milliseconds that it took to learn that; with a socket that had to be opened, maybe
 */
export function openKnowledge(
  { session: { registry, cluster, pod, concurrency }, target, context }: PushJob,
  remote: Manifest | undefined,
  took: number,
): Knowledge {
  let layers: Promise<KnownLayers> | undefined;
  let roundTrip: Promise<number> | undefined;
  const ask = async (): Promise<KnownLayers> => {
    const { repository } = target;
    if (remote) return knownLayers(registry, repository, remote);
    const others = await otherTags(registry, repository).catch(() => []);
    const all = await Promise.all(others.map((one) => knownLayers(registry, repository, one)));
    return new Map(all.flatMap((one) => [...one]));
  };
  const measure = async (): Promise<number> => {
    const started = performance.now();
    await registry.ping();
    return Math.min(took, performance.now() - started);
  };
  const measureOnce = () => {
    // Whoever starts over after a lost connection measures anew.
    roundTrip ??= measure().catch((error: unknown) => {
      roundTrip = undefined;
      throw error;
    });
    return roundTrip;
  };
  return {
    cache: openKnownCache(context.surroundings, `${cluster.server} ${pod.namespace} ${pod.kind}`),
    known() {
      layers ??= ask().catch((error: unknown) => {
        layers = undefined;
        throw error;
      });
      return layers;
    },
    roundTrip: measureOnce,
    async isFar() {
      if (took < far) return false;
      // All that was asked took its time, here and at the API server.
      if (concurrency > 2) return true;
      return (await measureOnce()) >= far;
    },
  };
}

/** Plans, and has the engine prove that it reaches kpush's port before the daemon route is taken. */
export async function chooseRoute(
  job: PushJob,
  remote: Manifest | undefined,
  knowledge: Knowledge,
): Promise<Plan> {
  const { source, options, listening } = job;
  const facts: PlanFacts = {
    local: source.kind === "engine" ? source.local : undefined,
    archive:
      source.kind === "archive"
        ? { configDigest: source.archive.id, digest: source.archive.digest }
        : undefined,
    store: source.kind === "engine" ? source.engine.store : undefined,
    remote: describe(remote),
    pushed: source.kind === "engine" ? await pushedBefore(job, remote, knowledge) : undefined,
    route: options.route ?? "auto",
    platform: options.platform,
  };
  const first = plan(facts);
  // Before an engine is told of the port, or a byte is sent: is what listens there a registry?
  if (first.route !== "none" && !remote) await knowledge.roundTrip();
  if (first.route !== "daemon" || source.kind !== "engine") return first;
  if (mayPack(job)) {
    // Soon wanted, and who wants it sees what failed.
    if (await knowledge.isFar()) knowledge.known().catch(() => undefined);
  }

  const { reached } = await listening.reach(source.engine);
  if (reached) return options.route === "daemon" ? first : weigh(job, facts, knowledge);
  if (options.route === "daemon") {
    throw new KpushError(
      "ENGINE_FAILED",
      `${source.engine.name} cannot reach a port of this machine`,
      {
        hint: "leave out --route daemon: kpush then uploads the image itself",
      },
    );
  }
  return unreachable;
}

export const unreachable: Plan = {
  route: "direct",
  reason: "the engine cannot reach a port of this machine",
};

/** Images up to this many bytes are pushed before it is found out what would be quicker. */
const small = 20_000_000;
/**
 * The same for one that is in the registry in another version: to ask costs 40 ms near, and far the
 * export of all of it cost more than the engine's plain layer (2.9 s against 2.2 s for 4 MB of 24, M).
 */
const smallRebuilt = 64_000_000;

/**
 * Which route is the quicker: for this push, and for those of the same image that follow. Stores that pack
 * layers while they push remember what they have packed, and push a rebuilt image of 400 MB in 0.6 s, where kpush
 * would have to export all of it each time (3.4 s, M), and dockerd to pack all of it once (12 s, M). In CI the
 * engine is mostly a new one each time.
 */
async function weigh(job: PushJob, facts: PlanFacts, knowledge: Knowledge): Promise<Plan> {
  const { local, store } = facts;
  if (store !== "containerd" && !job.context.surroundings.env["CI"]) {
    return plan({ ...facts, learns: true });
  }
  const packs = mayPack(job);
  if (packs && (await knowledge.isFar())) {
    const reason = "the engine reads what is missing, and kpush packs it for a far link";
    return { route: "daemon", reason, packs: "far" };
  }
  const most = facts.remote ? smallRebuilt : small;
  if (!local || !store || local.size <= most) return plan(facts);
  const [known, roundTrip] = await Promise.all([knowledge.known(), knowledge.roundTrip()]);
  let [missing, missingForEngine] = [0, 0];
  for (const diffId of local.diffIds) {
    const stored = known.get(diffId);
    const own = await knowledge.cache.layers(diffId);
    const here = own.some(({ repository }) => repository === job.target.repository);
    if (!stored && !here) missing += 1;
    if (!stored || own.some(({ digest }) => digest === stored.digest)) missingForEngine += 1;
  }
  if (packs && missing < missingForEngine) {
    const reason =
      "the engine reads what is missing, and kpush knows which layers are there packed";
    return { route: "daemon", reason, packs: "near" };
  }
  const work: Work = {
    ...{ store, layers: local.diffIds.length, bytes: local.size, missing, missingForEngine },
    compressed: store === "containerd" && local.manifests.some(({ compressed }) => compressed),
    ...{ roundTrip, cores: availableParallelism() },
  };
  return plan({ ...facts, work });
}

/** Longest name of a repository that leaves room for what a facade puts before it. */
const longestName = 200;

/**
 * Whether the engine may push to a facade of the registry: a containerd store reads its layers one by one,
 * and where they are plain, kpush can pack them on their way. (A graph store and Podman pack by themselves.)
 */
function mayPack({ source, options, target }: PushJob): boolean {
  if (source.kind !== "engine" || source.engine.store !== "containerd") return false;
  const { id, manifests } = source.local;
  const [only, ...others] = manifests;
  const isOne = others.length === 0 && only?.digest === id && options.platform === undefined;
  return isOne && !only.compressed && target.repository.length <= longestName;
}

async function pushedBefore(
  { source, options }: PushJob,
  remote: Manifest | undefined,
  { cache }: Knowledge,
): Promise<string | undefined> {
  if (source.kind !== "engine" || source.engine.store !== "containerd") return undefined;
  return remote && options.platform === undefined ? cache.pushed(source.local.id) : undefined;
}

function describe(manifest: Manifest | undefined): RemoteImage | undefined {
  if (!manifest) return undefined;
  const parsed = parseManifest(manifest.bytes, manifest.mediaType, manifest.digest);
  return {
    digest: manifest.digest,
    configDigest: parsed.kind === "manifest" ? parsed.config.digest : undefined,
  };
}

import type { LocalImage } from "../engine/types.ts";
import type { RouteName } from "../events.ts";
import { estimate, type Work } from "./estimate.ts";

/** What the registry holds under the target's first tag, as far as the comparison needs it. */
export interface RemoteImage {
  /** Digest of the manifest or index that the tag names. */
  digest: string;
  /** Digest of the config blob, where the tag names one manifest and not an index. */
  configDigest: string | undefined;
}

/** What is known when the route of one image is chosen. */
export interface PlanFacts {
  /** Undefined for an archive. */
  local: LocalImage | undefined;
  /** Of an archive: the digests of its config and of its top manifest, where it is clear which image is meant. */
  archive?: { configDigest: string | undefined; digest: string | undefined } | undefined;
  store: "graph" | "containerd" | "podman" | undefined;
  remote: RemoteImage | undefined;
  /** Of a containerd store's image that kpush uploaded with packed layers: the digest that it got. */
  pushed?: string | undefined;
  /** What the user asked for. */
  route: "auto" | "daemon" | "direct";
  /** The user asked for one platform out of several. */
  platform: string | undefined;
  /** The engine will remember the layers that it packs now. */
  learns?: boolean | undefined;
  /** What there is to do, where that was found out. */
  work?: Work | undefined;
}

/** `daemon` still has to be proven: the engine may not reach kpush's port. */
export interface Plan {
  route: RouteName;
  reason: string;
  /** Of the daemon route: kpush packs the plain layers on their way, over such a link. */
  packs?: "near" | "far";
}

/**
 * Whether the registry already serves this very image under this tag. Equal diff_ids would not do:
 * an image whose CMD alone changed keeps them all.
 *
 * A graph store and Podman name an image by its config's digest; a containerd store by the digest of
 * the top manifest, and where not all of an index is there locally the engine pushes one of its
 * manifests, so the registry then holds that one.
 */
export function isUnchanged(facts: PlanFacts): boolean {
  const { local, archive, store, remote, platform, pushed } = facts;
  if (!remote) return false;
  if (archive) {
    const { digest, configDigest } = archive;
    return (
      remote.digest === digest ||
      (configDigest !== undefined && remote.configDigest === configDigest)
    );
  }
  if (!local) return false;
  if (store !== "containerd") return remote.configDigest === local.id;
  const available = local.manifests.filter((manifest) => manifest.available);
  if (platform !== undefined) {
    return available.some(
      (one) =>
        one.digest === remote.digest && one.kind === "image" && one.platform === local.platform,
    );
  }
  if (remote.digest === local.id || remote.digest === pushed) return true;
  const complete = available.length === local.manifests.length;
  return !complete && available.some((one) => one.digest === remote.digest && one.kind === "image");
}

/**
 * Chooses the way of one image. Pure; tested as a table. Where the engine could push as well as kpush,
 * kpush does it only if that is sure to be felt.
 */
export function plan(facts: PlanFacts): Plan {
  if (isUnchanged(facts))
    return { route: "none", reason: "the registry already serves this image under this tag" };
  if (!facts.local) return { route: "direct", reason: "it comes from an archive" };
  if (facts.route === "direct") return { route: "direct", reason: "--route direct" };
  if (facts.route === "daemon") return { route: "daemon", reason: "--route daemon" };
  if (facts.local.names.length === 0 && facts.store !== "podman") {
    // Removing the temporary tag would remove the image's last name, and so the image.
    return { route: "direct", reason: "the image has no name of its own that would keep it" };
  }
  if (facts.learns) {
    const reason = "the engine remembers the layers that it pushes, for the next time";
    return { route: "daemon", reason };
  }
  const { daemon, direct } = facts.work ? estimate(facts.work) : { daemon: 0, direct: 0 };
  const [long, short] = [daemon, direct].map((seconds) => `${seconds.toFixed(1)} s`);
  if (daemon - direct > Math.max(1, 0.2 * daemon)) {
    const reason = `it should take ${short ?? ""}, and the engine's own push ${long ?? ""}`;
    return { route: "direct", reason };
  }
  const slower = facts.work ? `, in ${long ?? ""} against ${short ?? ""}` : "";
  return { route: "daemon", reason: `the engine can push by itself${slower}` };
}

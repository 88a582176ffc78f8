import type { Pod } from "../../cluster/pods.ts";
import type { Cluster } from "../../cluster/types.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import type { StatusResult } from "../../results.ts";
import { names } from "../names.ts";
import { bytesOf } from "../quantity.ts";
import type { Facts } from "./facts.ts";
import { problem, type Problem } from "./problems.ts";
import { usageOf, type Usage, type Volume } from "./usage.ts";

type Storage = StatusResult["storage"];

/** A volume is full where less than both is free. */
const scarce = { share: 0.05, bytes: 2 * 1024 ** 3 };

/**
 * Where the images are, how much they take, and what is wrong about it.
 *
 * @param pod - the registry's; without it nothing is measured
 */
export async function storageState(
  cluster: Cluster,
  facts: Facts,
  pod: Pod | undefined,
  { signal, patience }: { signal: AbortSignal; patience: number },
): Promise<{ storage: Storage; problems: Problem[] }> {
  const described = storageOf(facts);
  const volume = pod && volumeOf(pod, described.capacity);
  const usage = volume
    ? await usageOf(cluster, volume, { signal, patience })
    : { usedBytes: undefined, freeBytes: undefined };
  return {
    storage: { ...described, ...usage },
    problems: [...claimProblems(facts), ...spaceProblems(usage)],
  };
}

function storageOf({ claim, deployment }: Facts): Omit<Storage, keyof Usage> {
  if (claim) {
    const { status, spec } = mapping(claim.object);
    const { storage } = mapping(mapping(status)["capacity"]);
    const { requests } = mapping(mapping(spec)["resources"]);
    const capacity = text(storage) ?? text(mapping(requests)["storage"]);
    const kind = claim.name === names.registryData ? "pvc" : `claim:${plain(claim.name, 253)}`;
    return { kind, claim: plain(claim.name, 253), capacity: capacity && plain(capacity, 50) };
  }
  const { template } = mapping(deployment["spec"]);
  const data = dataVolume(mapping(mapping(template)["spec"]));
  const claimed = text(mapping(data?.["persistentVolumeClaim"])["claimName"]);
  if (claimed !== undefined)
    return { kind: "pvc", claim: plain(claimed, 253), capacity: undefined };
  const limit = text(mapping(data?.["emptyDir"])["sizeLimit"]);
  const kind = data && "emptyDir" in data ? "emptydir" : "other";
  return { kind, claim: undefined, capacity: limit && plain(limit, 50) };
}

const dataDirectory = "/var/lib/registry";

/** The volume that is mounted where the registry keeps its images. */
function dataVolume(spec: Record<string, unknown>): Record<string, unknown> | undefined {
  const name = list(spec["containers"])
    .flatMap((container) => list(mapping(container)["volumeMounts"]).map(mapping))
    .find(({ mountPath }) => mountPath === dataDirectory)?.["name"];
  return list(spec["volumes"])
    .map(mapping)
    .find((volume) => volume["name"] === name);
}

function volumeOf(pod: Pod, capacity: string | undefined): Volume | undefined {
  const data = dataVolume({ ...pod.spec });
  const container = pod.spec.containers.find(({ name }) => name === "registry");
  const volume = text(data?.["name"]);
  if (volume === undefined || !container) return undefined;
  // What limits an emptyDir is no size: it lies on the node's disk.
  const size = "persistentVolumeClaim" in (data ?? {}) ? bytesOf(capacity ?? "") : undefined;
  return { pod, volume, container: container.name, path: dataDirectory, capacity: size };
}

function claimProblems({ claim, namespace }: Facts): Problem[] {
  if (!claim) return [];
  const name = plain(claim.name, 253);
  if (!claim.object) {
    const message = `the claim ${name} is not there`;
    return [problem(message, "kpush install makes it anew, without the images that it held")];
  }
  const phase = text(mapping(claim.object["status"])["phase"]) ?? "Pending";
  if (phase === "Bound") return [];
  const message = `the claim ${name} is not bound to a volume: ${plain(phase, 50)}`;
  return [problem(message, `kubectl describe pvc -n ${namespace} ${name}`)];
}

function spaceProblems({ usedBytes = 0, freeBytes }: Usage): Problem[] {
  if (freeBytes === undefined || freeBytes >= scarce.bytes) return [];
  if (freeBytes >= (usedBytes + freeBytes) * scarce.share) return [];
  const left = freeBytes < 1024 ** 2 ? "nothing" : `${Math.floor(freeBytes / 1024 ** 2)} MiB`;
  return [
    problem(
      `the registry's volume is full: ${left} is left`,
      "kpush install --size enlarges it where its class allows that; old images can be deleted",
    ),
  ];
}

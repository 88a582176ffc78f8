import { exec } from "../../cluster/exec.ts";
import type { Pod } from "../../cluster/pods.ts";
import type { Cluster } from "../../cluster/types.ts";
import { list, mapping } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";

/** Bytes; undefined where the cluster does not tell. */
export interface Usage {
  usedBytes: number | undefined;
  freeBytes: number | undefined;
}

/** Where the registry keeps its images. */
export interface Volume {
  pod: Pod;
  /** Of the pod. */
  volume: string;
  container: string;
  path: string;
  /** Bytes of the claim; undefined for what has no size of its own, such as an emptyDir. */
  capacity: number | undefined;
}

const unknown: Usage = { usedBytes: undefined, freeBytes: undefined };

/**
 * What the images take, and what is free: by the kubelet's statistics, which an admin may read and
 * which not every volume has, else by `df` and `du` in the container.
 */
export async function usageOf(
  cluster: Cluster,
  volume: Volume,
  { signal, patience }: { signal: AbortSignal; patience: number },
): Promise<Usage> {
  const ended = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  try {
    return (await statistics(cluster, volume, ended)) ?? (await measured(cluster, volume, ended));
  } catch (error) {
    signal.throwIfAborted();
    // By both ways it is only good to know.
    if (error instanceof KpushError || ended.aborted) return unknown;
    throw error;
  }
}

/** Undefined where the kubelet has none, or those of a file system that others fill as well. */
async function statistics(
  cluster: Cluster,
  { pod, volume, capacity }: Volume,
  signal: AbortSignal,
): Promise<Usage | undefined> {
  const node = encodeURIComponent(pod.spec.nodeName ?? "");
  const path = `/api/v1/nodes/${node}/proxy/stats/summary`;
  const { status, json } = await cluster.request("GET", path, { signal });
  if (status !== 200) return undefined;
  const stats = list(mapping(json)["pods"])
    .map(mapping)
    .find(({ podRef }) => mapping(podRef)["uid"] === pod.metadata.uid);
  const found = list(stats?.["volume"])
    .map(mapping)
    .find(({ name }) => name === volume);
  const { usedBytes, availableBytes, capacityBytes } = found ?? {};
  if (typeof usedBytes !== "number" || typeof availableBytes !== "number") return undefined;
  // Of an emptyDir the kubelet counts the files themselves.
  const own = capacity === undefined || isOwn(Number(capacityBytes), capacity);
  return own ? { usedBytes, freeBytes: availableBytes } : undefined;
}

/** Whether a file system is the volume's alone: provisioners round up, and host paths lie on a whole disk. */
const isOwn = (total: number, capacity: number): boolean => total <= capacity * 1.25;

/**
 * `df` tells of the file system; where that is more than the volume, `du` counts the files, unless
 * there are too many of them. $1 is the directory, $2 the largest size of a volume's own, in KiB.
 */
const script =
  'line=$(df -kP "$1" | tail -n 1); echo "$line"; set -- "$1" "$2" $line; [ "$4" -le "$2" ] || timeout 3 du -sk "$1"';

async function measured(
  cluster: Cluster,
  { pod, container, path, capacity = 0 }: Volume,
  signal: AbortSignal,
): Promise<Usage> {
  const { namespace, name } = pod.metadata;
  const most = String(Math.floor((capacity * 1.25) / 1024));
  const command = ["sh", "-c", script, "sh", path, most];
  const { stdout } = await exec(cluster, { namespace, pod: name, container, command }, signal);
  return usageIn(stdout, capacity);
}

/** Reads what `df -kP` and, in the line after it, `du -sk` print. */
export function usageIn(output: string, capacity: number): Usage {
  const [line = "", counted = ""] = output.split("\n");
  const [, total, used, free] = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s/.exec(line) ?? [];
  if (total === undefined) return unknown;
  const files = /^(\d+)\s/.exec(counted)?.[1];
  const own = isOwn(Number(total) * 1024, capacity) ? used : files;
  return {
    usedBytes: own === undefined ? undefined : Number(own) * 1024,
    freeBytes: Number(free) * 1024,
  };
}

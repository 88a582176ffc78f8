import { mergePatch } from "../../cluster/object-writes.ts";
import { refOf, refusal, type KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import type { Evidence } from "./witness.ts";

/**
 * What is noted on the old workload before anything is changed: a later run may find its proxies gone
 * already, and nobody to ask for an image. It is the last to be removed.
 */
export interface Memory {
  replicas: number;
  nodePort: number | undefined;
  hostNetwork: boolean;
  configMaps: string[];
  witness: Evidence;
}

const annotation = "kpush.dev/replaced-addon";

/** What an earlier run noted. */
export function memoryOf(workload: KubeObject | undefined): Memory | undefined {
  const note = workload?.metadata.annotations?.[annotation];
  const facts = note === undefined ? undefined : mapping(parse(note));
  if (typeof facts?.["replicas"] !== "number") return undefined;
  const { replicas, nodePort, hostNetwork, configMaps } = facts;
  return {
    replicas,
    nodePort: typeof nodePort === "number" ? nodePort : undefined,
    hostNetwork: hostNetwork === true,
    configMaps: list(configMaps).flatMap((name) => text(name) ?? []),
    witness: evidenceOf(facts["witness"]),
  };
}

/** The registry client checks the names before it asks for them. */
function evidenceOf(note: unknown): Evidence {
  if (note === "none") return note;
  const { repository, tag, digest, layer } = mapping(note);
  const isWhole = [repository, tag, digest, layer].every((one) => typeof one === "string");
  return isWhole ? (note as Evidence) : "unknown";
}

/**
 * Sets how many pods the workload has, and what is noted on it.
 *
 * @param replicas - left as it is where undefined
 * @param memory - taken away where undefined
 * @throws KpushError `CLUSTER_FORBIDDEN`, `CLUSTER_FAILED`
 */
export async function scaleAndNote(
  cluster: Cluster,
  workload: KubeObject,
  replicas: number | undefined,
  memory: Memory | undefined,
  signal: AbortSignal,
): Promise<void> {
  const note = memory === undefined ? null : JSON.stringify(memory);
  const change = {
    metadata: { annotations: { [annotation]: note } },
    ...(replicas === undefined ? {} : { spec: { replicas } }),
  };
  const answer = await mergePatch(cluster, workload, change, { signal });
  if (answer.status !== 200) throw refusal(answer, cluster, "patch", refOf(workload));
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

import { refOf, titleOf, type KubeObject } from "../../cluster/objects.ts";
import { plain } from "../../image/text.ts";
import type { InstallSettings, PlannedObject } from "../types.ts";
import { selectsNew, type Addon } from "./find.ts";
import type { Evidence } from "./witness.ts";

/** What a replacement is going to do, step by step, as far as it is still to be done. */
export function planWords(addon: Addon, settings: InstallSettings, evidence: Evidence): string[] {
  const { workload, store, proxies, services, memory } = addon;
  const { nodePort } = settings;
  const lines: string[] = [];
  if (workload && store?.kind !== "passing")
    lines.push(`${titleOf(refOf(workload))} is scaled to 0, and stays until the end`);
  if (workload)
    lines.push(`the new registry starts ${placeOf(settings)}, and ${conditionOf(evidence, store)}`);
  for (const service of services.filter((one) => !selectsNew(one)))
    lines.push(`${shortTitle(service)} stays, and leads to the new registry`);
  if (proxies.length > 0)
    lines.push(`${titles(proxies)} goes; kpush's node proxies take port ${nodePort} of the nodes`);
  if (workload) {
    const maps = memory.configMaps.map((name) => `configmap ${plain(name, 253)}`);
    lines.push(`${[shortTitle(workload), ...maps].join(", ")} go last`);
  }
  return lines;
}

/** What it removes and turns, as a dry run tells it. */
export function plannedRemovals({
  workload,
  services,
  proxies,
  memory,
  namespace,
}: Addon): PlannedObject[] {
  const maps = memory.configMaps.map((name) => ({
    ...{ apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace } },
  }));
  const going = [...proxies, ...(workload ? [...maps, workload] : [])];
  const planned = (action: "change" | "remove") => (object: KubeObject) => ({
    ...{ object, live: object, next: undefined, action },
  });
  return [
    ...services.filter((one) => !selectsNew(one)).map(planned("change")),
    ...going.map(planned("remove")),
  ];
}

/** In its namespace. */
const shortTitle = ({ kind, metadata }: KubeObject): string =>
  titleOf({ kind, name: metadata.name });
const titles = (objects: readonly KubeObject[]): string => objects.map(shortTitle).join(", ");

function placeOf({ storage, runAsUser }: InstallSettings): string {
  const user = runAsUser === 0 ? "as root" : `as user ${runAsUser}`;
  switch (storage.kind) {
    case "claim":
      return `${user} on the same claim, ${plain(storage.name, 253)}`;
    case "pvc":
      return `${user} on a claim of its own`;
    case "emptydir":
      return `${user} on an emptyDir`;
  }
}

function conditionOf(evidence: Evidence, store: Addon["store"]): string {
  const otherwise = "or all is put back as it was";
  if (store?.kind === "passing") return `must take a push, ${otherwise}`;
  if (evidence === "none") return `must take a push (it has no images so far), ${otherwise}`;
  const image =
    evidence === "unknown"
      ? "an image that is there"
      : plain(`${evidence.repository}:${evidence.tag}`, 300);
  return `must serve ${image} and take a push, ${otherwise}`;
}

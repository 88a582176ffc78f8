import { podTrouble } from "../../cluster/pod-status.ts";
import { isReady, type Pod } from "../../cluster/pods.ts";
import { plain } from "../../image/text.ts";
import { claimOutlook } from "./causes/claim.ts";
import { isSandboxReady } from "./causes/pod.ts";
import { partTitle, podsOfPart, type Part, type Snapshot } from "./snapshot.ts";
import type { PartState } from "./state.ts";

/** `0 of 1 ready: pulling image registry:3.1.1`, `1 of 3 nodes ready (node2: …)`. */
export function progressText(snapshot: Snapshot, part: Part, state: PartState): string {
  const { current, old } = podsOfPart(snapshot, part);
  const pod = current.find((one) => !isReady(one));
  const count = `${state.ready} of ${state.wanted}`;
  if (part === "proxies") {
    const node = pod?.spec.nodeName;
    const one = pod && `${node === undefined ? "" : `${plain(node, 253)}: `}${doing(pod)}`;
    return `${count} nodes ready${one === undefined ? "" : ` (${one})`}`;
  }
  if (pod) return `${count} ready: ${doing(pod)}`;
  return `${count} ready${current.length === 0 && old.length > 0 ? ": the old pod is ending" : ""}`;
}

/** What a part waited for in vain: for the error at the timeout. */
export function waitedFor(snapshot: Snapshot, part: Part, state: PartState): string {
  const claim = part === "registry" ? claimOutlook(snapshot) : undefined;
  const text = `${partTitle(part)}: ${progressText(snapshot, part, state)}`;
  return claim === undefined ? text : `${text}; ${claim}`;
}

/** The command that shows more of what a part waits for. */
export function waitingHint(snapshot: Snapshot, part: Part): string | undefined {
  const pod = podsOfPart(snapshot, part).current.find((one) => !isReady(one));
  return pod && podTrouble(pod).hint;
}

/** What a pod that is not ready is about; the kubelet says `ContainerCreating` while it pulls. */
function doing(pod: Pod): string {
  const creating = pod.status.containerStatuses?.find(
    ({ state }) => state?.waiting?.reason === "ContainerCreating",
  );
  if (!creating || !isSandboxReady(pod)) return `the pod ${podTrouble(pod).why}`;
  const image = pod.spec.containers.find(({ name }) => name === creating.name)?.image;
  return `pulling image ${plain(image ?? creating.image ?? "", 300)}`;
}

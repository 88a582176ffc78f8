import { plain } from "../image/text.ts";
import type { ContainerStatus, Pod } from "./pods.ts";

/** Why a pod is not ready: a clause that follows "the pod", and the command that shows more. */
export interface PodTrouble {
  why: string;
  hint: string;
}

/** Reads from a pod's status why no push can go there. */
export function podTrouble(pod: Pod): PodTrouble {
  const { name, namespace } = pod.metadata;
  const describe = `kubectl describe pod -n ${namespace} ${name}`;
  const logs = (container: string, previous = false) =>
    `kubectl logs -n ${namespace} ${name} -c ${plain(container, 63)}${previous ? " --previous" : ""}`;

  const end = endOf(pod);
  if (end !== undefined) return { why: end, hint: describe };
  const unscheduled = pod.status.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  );
  if (unscheduled)
    return { why: unscheduledWhy(pod, unscheduled.message), hint: claimHint(pod) ?? describe };

  for (const status of pod.status.initContainerStatuses ?? []) {
    const why = containerTrouble(status);
    if (why !== undefined)
      return {
        why: `has an init container that ${why}`,
        hint: hasRun(status) ? logs(status.name) : describe,
      };
  }
  for (const status of pod.status.containerStatuses ?? []) {
    const why = containerTrouble(status);
    if (why !== undefined)
      return {
        why: `has a container that ${why}`,
        hint: hasRun(status) ? logs(status.name, crashed(status)) : describe,
      };
  }
  const starting = pod.status.initContainerStatuses?.find(({ state }) => state?.running);
  if (starting)
    return {
      why: `waits for its init container ${plain(starting.name, 63)}`,
      hint: logs(starting.name),
    };
  const silent = pod.status.conditions?.some(
    ({ type, status }) => type === "Ready" && status === "Unknown",
  );
  if (silent)
    return {
      why: `is on node ${plain(pod.spec.nodeName ?? "?", 253)}, which does not answer`,
      hint: "kubectl get nodes",
    };
  if (pod.status.phase === "Running")
    return {
      why: "runs, but is not ready yet: its readiness probe has not succeeded",
      hint: describe,
    };
  return { why: "is being started: its volumes or images are not there yet", hint: describe };
}

/** What ended a pod for good, or is about to. */
function endOf({ metadata, status }: Pod): string | undefined {
  if (metadata.deletionTimestamp !== undefined) return "is being deleted";
  if (status.phase === "Succeeded") return "has ended";
  if (status.phase !== "Failed") return undefined;
  const why = [status.reason, status.message]
    .filter((each) => each !== undefined && each !== "")
    .join(": ");
  return why === "" ? "has failed" : `has failed: ${plain(why, 300)}`;
}

function unscheduledWhy(pod: Pod, message = "no node fits"): string {
  const claims = waitsForClaim(pod) ? claimsOf(pod) : [];
  if (claims.length > 0)
    return `waits for its volume: the claim ${claims.join(", ")} is not bound (${plain(message, 300)})`;
  return `cannot be placed on a node: ${plain(message, 300)}`;
}

function claimHint(pod: Pod): string | undefined {
  const [claim] = claimsOf(pod);
  return waitsForClaim(pod) && claim !== undefined
    ? `kubectl describe pvc -n ${pod.metadata.namespace} ${claim}`
    : undefined;
}

const waitsForClaim = ({ status }: Pod): boolean =>
  status.conditions?.some(
    ({ type, message }) => type === "PodScheduled" && /persistentvolumeclaim/i.test(message ?? ""),
  ) ?? false;

const claimsOf = ({ spec }: Pod): string[] =>
  (spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) =>
    claim ? [plain(claim.claimName, 253)] : [],
  );

const imageReasons = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "ErrImageNeverPull",
  "InvalidImageName",
  "RegistryUnavailable",
  "ImageInspectError",
]);

function containerTrouble(status: ContainerStatus): string | undefined {
  const { waiting, terminated } = status.state ?? {};
  const reason = waiting?.reason ?? "";
  if (imageReasons.has(reason)) {
    return `cannot get its image ${plain(status.image ?? "", 300)}: ${plain(waiting?.message ?? reason, 300)}`;
  }
  if (crashed(status)) return `keeps crashing${lastWords(status)}`;
  if (reason !== "" && reason !== "ContainerCreating" && reason !== "PodInitializing") {
    return `cannot start: ${plain(reason, 100)}${waiting?.message === undefined ? "" : `: ${plain(waiting.message, 300)}`}`;
  }
  if (terminated && terminated.exitCode !== 0) return `ended${lastWords(status)}`;
  return undefined;
}

const crashed = ({ state }: ContainerStatus): boolean =>
  state?.waiting?.reason === "CrashLoopBackOff";
const hasRun = ({ state, lastState }: ContainerStatus): boolean =>
  (state?.terminated ?? lastState?.terminated) !== undefined;

function lastWords({ state, lastState, restartCount = 0 }: ContainerStatus): string {
  const last = state?.terminated ?? lastState?.terminated;
  if (!last) return restartCount > 0 ? ` (${restartCount} restarts)` : "";
  const reason =
    last.reason === undefined || last.reason === "Error" ? "" : `, ${plain(last.reason, 60)}`;
  const message =
    last.message === undefined || last.message === "" ? "" : `: ${plain(last.message, 300)}`;
  return ` (exit code ${last.exitCode}${reason}${restartCount > 0 ? `, ${restartCount} restarts` : ""})${message}`;
}

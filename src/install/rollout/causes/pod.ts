import { podTrouble } from "../../../cluster/pod-status.ts";
import type { ContainerStatus, Pod } from "../../../cluster/pods.ts";
import { plain } from "../../../image/text.ts";
import type { Cause } from "./cause.ts";
import { crashCause } from "./crash.ts";
import { imageCause } from "./image.ts";
import { probeCause } from "./probe.ts";
import { schedulingCause } from "./scheduling.ts";
import { eventsOf, partTitle, type Part, type Snapshot } from "../snapshot.ts";

/** What keeps one pod from running. */
export function podCause(snapshot: Snapshot, part: Part, pod: Pod): Cause | undefined {
  const unscheduled = pod.status.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  );
  if (unscheduled) return schedulingCause(snapshot, part, pod, unscheduled.message ?? "");
  for (const status of containerStatuses(pod)) {
    const cause =
      imageCause(snapshot, part, pod, status) ??
      crashCause(snapshot, part, pod, status) ??
      startCause(snapshot, part, pod, status) ??
      probeCause(snapshot, part, pod, status);
    if (cause) return cause;
  }
  return undefined;
}

const containerStatuses = ({ status }: Pod): ContainerStatus[] => [
  ...(status.initContainerStatuses ?? []),
  ...(status.containerStatuses ?? []),
];

/** Why a container is not started: something that it mounts or is configured by, or the runtime. */
function startCause(
  { details }: Snapshot,
  part: Part,
  pod: Pod,
  { name, state }: ContainerStatus,
): Cause | undefined {
  const reason = state?.waiting?.reason;
  if (reason === undefined || reason === "PodInitializing") return undefined;
  const cause = (patience: Cause["patience"], message: string): Cause => ({
    ...{ key: `${part} ${pod.metadata.name} ${name} start`, patience, message },
    hint: podTrouble(pod).hint,
  });
  if (reason !== "ContainerCreating")
    return cause("short", `${partTitle(part)}: pod ${pod.metadata.name} ${podTrouble(pod).why}`);
  if (isSandboxReady(pod)) return undefined;
  const failed = eventsOf(details?.events ?? [], pod.metadata.uid, [
    "FailedMount",
    "FailedCreatePodSandBox",
  ]).at(-1);
  return failed === undefined
    ? undefined
    : cause(
        "long",
        `${partTitle(part)}: pod ${pod.metadata.name} cannot be started on ${plain(pod.spec.nodeName ?? "?", 253)}: ${plain(failed, 500)}`,
      );
}

/** Whether volumes and network are there, so that only images can be missing; Kubernetes 1.29 tells. */
export const isSandboxReady = ({ status }: Pod): boolean =>
  status.conditions?.some(
    ({ type, status: is }) => type === "PodReadyToStartContainers" && is === "True",
  ) ?? false;

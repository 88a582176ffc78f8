import type { ContainerStatus, Pod } from "../../../cluster/pods.ts";
import { plain } from "../../../image/text.ts";
import type { Cause } from "./cause.ts";
import { eventsOf, partTitle, type Part, type Snapshot } from "../snapshot.ts";

/** Reasons that a retry of the kubelet may end. */
const mayPass = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "RegistryUnavailable",
  "ImageInspectError",
]);
/** Reasons that nothing but another image ends. */
const isFinal = new Set(["InvalidImageName", "ErrImageNeverPull"]);
/** What a registry says when another try will fail the same. */
const finalAnswer =
  /not found|manifest unknown|denied|unauthorized|authorization failed|no match for platform|invalid reference/i;

/** Why a container's image cannot be had on its node. */
export function imageCause(
  snapshot: Snapshot,
  part: Part,
  pod: Pod,
  { name, image = "", state }: ContainerStatus,
): Cause | undefined {
  const { reason = "", message = reason } = state?.waiting ?? {};
  if (!mayPass.has(reason) && !isFinal.has(reason)) return undefined;
  const failed = eventsOf(snapshot.details?.events ?? [], pod.metadata.uid, ["Failed"])
    .filter((text) => text.startsWith("Failed to pull image"))
    .at(-1);
  // Up to Kubernetes 1.31 a back-off does not tell what it is for; the event does.
  const detail = /^Back-off pulling image "[^"]*"$/.test(message) ? (failed ?? message) : message;
  const flag = part === "registry" ? "--image" : "--proxy-image";
  const where = pod.spec.nodeName === undefined ? "" : ` on ${plain(pod.spec.nodeName, 253)}`;
  return {
    key: `${part} ${pod.metadata.name} ${name} image`,
    patience: isFinal.has(reason) || finalAnswer.test(detail) ? "none" : "short",
    message: `the image of ${partTitle(part)}, ${plain(image, 300)}, cannot be pulled${where}: ${plain(rpcDetail(detail), 400)}`,
    hint: `${flag} names another image, --image-pull-secret the Secret that it is pulled with`,
  };
}

/** What follows the runtime's `rpc error: code = NotFound desc = `. */
const rpcDetail = (text: string): string => text.replace(/^.* desc = /s, "");

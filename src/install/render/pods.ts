import { createHash } from "node:crypto";
import { parseReference } from "../../image/reference.ts";
import { annotations, labels } from "../names.ts";
import { isLabelValue } from "../option-values.ts";
import type { InstallSettings } from "../types.ts";
import type { Workload } from "./manifests.ts";

/** Sets what the pods of both workloads have alike; `config` is what they read at their start. */
export function setPods(
  workload: Workload,
  image: string,
  config: string,
  { imagePullSecret, nodeSelector, priorityClass, tolerations }: InstallSettings,
): void {
  const { metadata, spec } = workload.spec.template;
  spec.containers[0].image = image;
  metadata.annotations[annotations.configHash] = createHash("sha256").update(config).digest("hex");
  setVersion(metadata.labels, image);
  setVersion((workload.metadata.labels ??= {}), image);
  Object.assign(spec.nodeSelector, nodeSelector);
  if (imagePullSecret !== undefined) spec["imagePullSecrets"] = [{ name: imagePullSecret }];
  if (priorityClass !== undefined) spec["priorityClassName"] = priorityClass;
  if (tolerations !== undefined) spec["tolerations"] = tolerations;
}

/** The image's tag, where it has one that can be a label. */
function setVersion(own: Record<string, string>, image: string): void {
  const { tag } = parseReference(image);
  if (tag !== undefined && isLabelValue(tag)) own[labels.version] = tag;
  else Reflect.deleteProperty(own, labels.version);
}

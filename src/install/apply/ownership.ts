import type { KubeObject } from "../../cluster/objects.ts";
import { mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import { labels } from "../names.ts";

/** Whether kpush made this object: its label says so. */
export function isOurs({ metadata }: KubeObject): boolean {
  return metadata.labels?.[labels.managedBy] === "kpush";
}

/** Whether the object was deleted and something holds it back: a finalizer, pods that still end. */
export function isGoing(object: KubeObject | undefined): boolean {
  return object?.metadata.deletionTimestamp !== undefined;
}

/** `made by Helm` or `not made by kpush`, of an object that is not ours. */
export function makerOf({ metadata }: KubeObject): string {
  const maker = text(mapping(metadata.labels)[labels.managedBy]);
  return maker === undefined ? "not made by kpush" : `made by ${plain(maker, 63)}`;
}

/** Tells objects apart, by kind, namespace and name. */
export function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace ?? ""} ${metadata.name}`;
}

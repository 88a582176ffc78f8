import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../../cluster/objects.ts";

/** What the server and its controllers write, and no manifest has. */
const bookkeeping = new Set([
  "managedFields",
  "resourceVersion",
  "uid",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "finalizers",
  "selfLink",
]);
const controllersNotes =
  /^(deployment\.kubernetes\.io\/revision|deprecated\.daemonset\.template\.generation|pv\.kubernetes\.io\/.*|volume\..*kubernetes\.io\/.*)$/;

/** The object without what changes by itself: its status, and the server's bookkeeping. */
export function bare({ status: _, metadata, ...rest }: KubeObject): KubeObject {
  const { annotations, ...own } = Object.fromEntries(
    Object.entries(metadata).filter(([field]) => !bookkeeping.has(field)),
  ) as KubeObject["metadata"];
  const notes = Object.entries(annotations ?? {}).filter(([key]) => !controllersNotes.test(key));
  const withNotes = notes.length > 0 ? { annotations: Object.fromEntries(notes) } : {};
  const { apiVersion, kind, ...body } = rest;
  return { apiVersion, kind, metadata: { ...own, ...withNotes }, ...body };
}

/** Whether a write would change nothing that a person could see. */
export function isSame(live: KubeObject, next: KubeObject): boolean {
  return isDeepStrictEqual(bare(live), bare(next));
}

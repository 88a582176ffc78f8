import { randomBytes } from "node:crypto";
import type { KubeObject } from "../../cluster/objects.ts";
import { httpSecretKey, names, ownLabels } from "../names.ts";

/**
 * The objects with the Secret that the registry signs its uploads by, which no rendering has: its
 * value is new each time, and only the first one is kept. With another one each half-done upload
 * would be lost.
 */
export function withSecret(objects: readonly KubeObject[]): KubeObject[] {
  const at = objects.findIndex(
    ({ kind, metadata }) => kind === "Deployment" && metadata.name === names.registry,
  );
  const namespace = objects[at]?.metadata.namespace;
  if (at < 0 || namespace === undefined) return [...objects];
  const secret: KubeObject = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: names.httpSecret, namespace, labels: { ...ownLabels } },
    type: "Opaque",
    stringData: { [httpSecretKey]: randomBytes(32).toString("hex") },
  };
  return objects.toSpliced(at, 0, secret);
}

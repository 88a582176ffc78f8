import { deleteObject, patchObject } from "../../cluster/object-writes.ts";
import { getObject, refOf, titleOf, type KubeObject } from "../../cluster/objects.ts";
import { list, mapping } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import type { ObjectResult } from "../../results.ts";
import { untilGone } from "../apply/gone.ts";
import { objectResult } from "../apply/results.ts";
import { labels, names, ownLabels } from "../names.ts";
import { selectsNew } from "./find.ts";
import { timeoutOf, type Replacement } from "./take-over.ts";

/**
 * Points the Services of the old registry at the new one: others may know it by their names. A port's
 * target may be the name that the old container's port had.
 */
export async function turnServices(replacement: Replacement): Promise<ObjectResult[]> {
  const { cluster, addon, context } = replacement;
  const old = addon.services.filter((service) => !selectsNew(service));
  await Promise.all(
    old.map((service) => {
      const ports = list(mapping(service["spec"])["ports"]).map((port) => ({
        ...mapping(port),
        targetPort: "http",
      }));
      return patchObject(
        cluster,
        refOf(service),
        [
          { op: "replace", path: "/spec/selector", value: registryLabels },
          { op: "replace", path: "/spec/ports", value: ports },
        ],
        context.signal,
      );
    }),
  );
  const note =
    "leads to the new registry; where the network enforces policies, pods need --allow-from NAMESPACE";
  return tell(replacement, old, (service) => objectResult(service, "changed", note));
}

const registryLabels = {
  [labels.name]: names.registry,
  [labels.instance]: ownLabels[labels.instance],
};

/** Deletes the old proxies, and returns when their pods are gone: ours need their port. */
export async function removeProxies(replacement: Replacement): Promise<ObjectResult[]> {
  const { proxies } = replacement.addon;
  return remove(replacement, proxies);
}

/**
 * Deletes what is left of the addon. The workload goes last, with the note on it of what belongs to the
 * addon. Its claim stays.
 */
export async function removeRest(replacement: Replacement): Promise<ObjectResult[]> {
  const { cluster, addon, context } = replacement;
  const { workload, memory, namespace, store } = addon;
  if (!workload) return [];
  const maps = await Promise.all(
    memory.configMaps.map((name) =>
      getObject(cluster, { apiVersion: "v1", kind: "ConfigMap", namespace, name }, context.signal),
    ),
  );
  const removed = await remove(
    replacement,
    maps.filter((map) => map !== undefined),
  );
  removed.push(...(await remove(replacement, [workload])));
  if (store?.kind !== "claim") return removed;
  const claim = { kind: "PersistentVolumeClaim", metadata: { namespace, name: store.name } };
  const kept = objectResult(claim, "kept", "holds the images; kpush uninstall keeps it too");
  context.report({ type: "object", ...kept });
  return [...removed, kept];
}

async function remove(
  replacement: Replacement,
  objects: readonly KubeObject[],
): Promise<ObjectResult[]> {
  const { cluster, context } = replacement;
  const { signal, report } = context;
  const timeout = timeoutOf(replacement);
  const either = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  await Promise.all(
    objects.map(async (object) => {
      const ref = refOf(object);
      const { uid } = object.metadata;
      await deleteObject(cluster, ref, { uid, foreground: true, signal });
      report({ type: "phase", text: `waiting until ${titleOf(ref)} is gone` });
      await untilGone(cluster, ref, uid, either).catch((error: unknown) => {
        throw either.aborted && !signal.aborted ? lingering(object, timeout) : error;
      });
    }),
  );
  return tell(replacement, objects, (object) => objectResult(object, "removed"));
}

function lingering(object: KubeObject, timeout: number): KpushError {
  const { namespace = "" } = object.metadata;
  return new KpushError(
    "TIMEOUT",
    `${titleOf(refOf(object))} was not gone after ${Math.round(timeout / 1000)} s`,
    {
      hint: `pods of a lost node stay until somebody says they are gone: kubectl get pods -n ${namespace} -o wide, and kubectl delete pod --force`,
    },
  );
}

function tell(
  { context }: Replacement,
  objects: readonly KubeObject[],
  resultOf: (object: KubeObject) => ObjectResult,
): ObjectResult[] {
  const results = objects.map(resultOf);
  for (const result of results) context.report({ type: "object", ...result });
  return results;
}

import type { KubeObject } from "../../cluster/objects.ts";
import { plain } from "../../image/text.ts";
import { defaultNamespace } from "../names.ts";
import type { Warning } from "./node-warnings.ts";

/** Where a push without -n looks, in this order. */
const lookedIn = [defaultNamespace, "kube-system"];

/** The namespaces in which a registry of kpush's would be found before or after this one. */
export const otherNamespaces = (namespace: string): string[] =>
  lookedIn.filter((one) => one !== namespace);

/**
 * Where pushes without -n go, as soon as there is a second registry of kpush's.
 *
 * @param deployments - named `kpush-registry` in {@link otherNamespaces}
 */
export function otherRegistryWarning(
  deployments: readonly KubeObject[],
  namespace: string,
): Warning | undefined {
  const found = deployments.flatMap(({ metadata }) => metadata.namespace ?? []);
  const other = lookedIn.find((one) => one !== namespace && found.includes(one));
  if (other === undefined) return undefined;
  const message = `there is a kpush registry in namespace ${plain(other, 253)} already`;
  const own = lookedIn.indexOf(namespace);
  return own >= 0 && own < lookedIn.indexOf(other)
    ? {
        message: `${message}: from now on, pushes without -n go to the new one in ${namespace}`,
        hint: `kpush -n ${other} IMAGE pushes to the old one`,
      }
    : {
        message: `${message}: pushes without -n go there`,
        hint: `kpush -n ${namespace} IMAGE pushes to the new one`,
      };
}

import type { KubeObject } from "../../cluster/objects.ts";
import type { InstallSettings } from "../types.ts";
import { namespaceObject, networkPolicies, pushRoleBinding } from "./access.ts";
import { manifest } from "./manifests.ts";
import { nodeProxyConfigMap, nodeProxyDaemonSet } from "./node-proxy.ts";
import { registryClaim, registryConfigMap, registryDeployment } from "./registry.ts";

/**
 * All objects of an installation, in the order in which they are applied; the Secret with the
 * registry's `http.secret` is none of them. Pure: the same settings make the same objects, which are
 * the caller's to change.
 */
export function render(settings: InstallSettings): KubeObject[] {
  const { namespace, makesNamespace, nodeAccess } = settings;
  const proxied = nodeAccess !== "none";
  const objects = [
    registryConfigMap(settings),
    proxied && nodeProxyConfigMap(settings),
    registryClaim(settings),
    // Before the proxies: they learn its address at their start.
    manifest("registryService"),
    registryDeployment(settings),
    proxied && nodeProxyDaemonSet(settings),
    ...networkPolicies(settings),
    manifest("pushRole"),
    pushRoleBinding(settings),
  ].filter((object) => object !== undefined && object !== false);
  for (const { metadata } of objects) metadata.namespace = namespace;
  if (!makesNamespace) return objects;
  const own = namespaceObject(settings);
  own.metadata.name = namespace;
  return [own, ...objects];
}

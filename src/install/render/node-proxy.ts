import type { KubeObject } from "../../cluster/objects.ts";
import { registryPort } from "../names.ts";
import type { InstallSettings } from "../types.ts";
import { manifest, type ConfigMap, type Workload } from "./manifests.ts";
import { setPods } from "./pods.ts";

const file = "haproxy.cfg";

/** The ConfigMap of the node proxies. */
export function nodeProxyConfigMap(settings: InstallSettings): ConfigMap {
  const map = manifest("nodeProxyConfig") as ConfigMap;
  return { ...map, data: { [file]: haproxyConfig(map.data[file] ?? "", settings) } };
}

/** The node proxies; there must be some (`nodeAccess` other than `none`). */
export function nodeProxyDaemonSet(settings: InstallSettings): KubeObject {
  const { nodeAccess, nodePort, proxyImage } = settings;
  const daemonSet = manifest("nodeProxy") as Workload;
  const { spec } = daemonSet.spec.template;
  setPods(daemonSet, proxyImage, nodeProxyConfigMap(settings).data[file] ?? "", settings);
  const [{ ports, startupProbe, readinessProbe }] = spec.containers;
  for (const { httpGet } of [startupProbe, readinessProbe]) httpGet.port = nodePort;
  ports[0].hostPort = nodePort;
  if (nodeAccess === "hostnetwork") {
    ports[0].containerPort = nodePort;
    Object.assign(spec, { hostNetwork: true, dnsPolicy: "ClusterFirstWithHostNet" });
  }
  return daemonSet;
}

/** Where the proxies listen, and what they let through. */
function haproxyConfig(text: string, { nodeAccess, nodePort, nodePush, ipv6 }: InstallSettings) {
  const own = nodeAccess === "hostnetwork";
  const addresses = [...(own ? [`127.0.0.1:${nodePort}`] : [`:${registryPort}`])];
  if (own && ipv6) addresses.push(`[::1]:${nodePort}`);
  const bound = replaceLines(
    text,
    /^( *)bind .*\n/m,
    addresses.map((one) => `bind ${one}`),
  );
  return nodePush
    ? replaceLines(bound, /^( *)# Only who .*\n *http-request return .*\n/m, [])
    : bound;
}

/** The lines that the pattern matches, replaced by others with the indentation of its first group. */
function replaceLines(text: string, lines: RegExp, others: readonly string[]): string {
  if (!lines.test(text)) throw new Error(`the manifest lacks ${lines.source}`);
  return text.replace(lines, (_, indent: string) =>
    others.map((other) => `${indent}${other}\n`).join(""),
  );
}

import { KpushError } from "../../errors.ts";

/** Why pulls failed, by node. */
export type PullFailures = ReadonlyMap<string, string>;

/** Names of nodes in a message; more only make it longer. */
const mostNames = 6;

/**
 * The error for nodes that did not get the image: `NODE_PULL_FAILED`, with a hint by the cause that
 * the first one's runtime names.
 *
 * @param image - reference that was pulled
 * @param pulled - how many other nodes got it
 */
export function pullFailed(image: string, failures: PullFailures, pulled: number): KpushError {
  const byWords = new Map<string, string[]>();
  for (const [node, why] of failures) byWords.set(why, [...(byWords.get(why) ?? []), node]);
  const parts = [...byWords]
    .slice(0, 3)
    .map(([why, nodes]) => `${nodeNames(nodes)} cannot pull ${image}: ${why}`);
  const others =
    pulled === 0 ? "" : `; ${pulled === 1 ? "one other node" : `${pulled} others`} did`;
  const [first = ""] = byWords.keys();
  return new KpushError("NODE_PULL_FAILED", `${parts.join("; ")}${others}`, {
    hint: pullHint(first, image.slice(0, image.indexOf("/"))),
  });
}

/** `node1, node2 and 3 more`. */
export function nodeNames(nodes: readonly string[]): string {
  const shown = nodes.slice(0, nodes.length > mostNames ? mostNames - 1 : mostNames);
  const more = nodes.length - shown.length;
  const parts = more > 0 ? [...shown, `${more} more`] : shown;
  return parts.length < 2
    ? (parts[0] ?? "no node")
    : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1) ?? ""}`;
}

/**
 * What helps against a failed pull. The words are those of containerd, CRI-O and Docker, and of Go's
 * HTTP client behind them.
 *
 * @param address - that the node pulls by, e.g. `localhost:5000`
 */
export function pullHint(said: string, address: string): string {
  if (/server gave HTTP response to HTTPS client|x509:|tls: /i.test(said)) {
    return `the node's runtime wants TLS from ${address}, as CRI-O does from 1.35 on: on each node write [[registry]] location = "${address}" insecure = true into /etc/containers/registries.conf.d/kpush.conf, and restart CRI-O`;
  }
  if (/connection refused/i.test(said)) {
    return "nothing listens on that port of the node; where its network plug-in maps no host ports: kpush install --node-access hostnetwork";
  }
  if (/no such host|server misbehaving/i.test(said)) {
    return `the node cannot resolve the name in ${address}; localhost and 127.0.0.1 need no name server`;
  }
  if (/not found|manifest unknown|\b404\b/i.test(said)) {
    return `another registry answers at ${address} on that node; give kpush a port of its own: kpush install --node-port PORT`;
  }
  if (/\b50[234]\b|\bEOF\b|connection reset|timeout|deadline exceeded/i.test(said)) {
    return "the node's proxy does not reach the registry: a network policy, or the Service kpush-registry; see kubectl logs of daemonset/kpush-node-proxy";
  }
  return "kpush status tells how the proxies are; kpush install --no-verify leaves the proof out";
}

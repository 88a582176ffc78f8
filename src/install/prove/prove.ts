import { randomBytes } from "node:crypto";
import { ifAllowed, listObjects } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { mapping, text } from "../../cluster/values.ts";
import type { Report } from "../../events.ts";
import type { Session } from "../../push/session.ts";
import { nodeProxySelector } from "../names.ts";
import { chooseNodes, type NodeChoice } from "./choose-nodes.ts";
import { cleanUp } from "./clean-up.ts";
import { proofImage, proofRepository, usualArchitectures } from "./proof-image.ts";
import { nodeNames } from "./pull-failure.ts";
import { pullOnNodes, type PullRun } from "./pull-on-nodes.ts";
import { pushProof } from "./push-proof.ts";

export interface ProofOptions {
  /** Where the pods run, and the node proxies are. */
  namespace: string;
  /** What nodes put in front of a repository. */
  pullAddress: string;
  /** How many nodes pull; with `none` only the push is proved. */
  nodes: "none" | number | "all";
}

/** What surrounds a proof. All durations are in milliseconds. */
export interface ProofRun extends Partial<Omit<PullRun, "report" | "signal">> {
  report: Report;
  signal: AbortSignal;
  /**
   * Opens another session, to clean up after `signal` was aborted, which ends what was opened with it.
   * Without it what the proof made is left, and named.
   */
  reopen?: ((signal: AbortSignal) => Promise<Session>) | undefined;
  /** How long the removal of what was made may take. */
  cleaning?: number | undefined;
}

/** What was proved. */
export interface Proof {
  /** Of the image that was pushed and read back. */
  digest: string;
  /** Nodes that pulled it. */
  nodes: string[];
}

/**
 * Proves that the registry takes a push, serves it, and that nodes pull it: a ready pod alone does not
 * prove that its volume is writable, nor a ready proxy that its port is. Removes what it made, come what may.
 *
 * @throws KpushError `REGISTRY_READ_ONLY` (see {@link isUnwritable}), `VERIFY_FAILED`,
 *   `NODE_PULL_FAILED`, `INSTALL_REFUSED`, `TIMEOUT`, and what a push throws
 */
export async function prove(
  cluster: Cluster,
  session: Session,
  options: ProofOptions,
  run: ProofRun,
): Promise<Proof> {
  const { report, signal, timeout = 300_000, interval = 1000 } = run;
  const { attempts = 3, settle = 5_000, cleaning = 10_000, reopen } = run;
  const started = performance.now();
  const { namespace, pullAddress } = options;
  const { nodes, architectures } = await findNodes(cluster, options, run);
  const tag = randomBytes(5).toString("hex");
  const image = await proofImage(architectures, tag);
  try {
    report({ type: "progress", label: "proof", text: "pushing a small image" });
    await pushProof(session.registry, image);
    const plan = { namespace, nodes, tag, image: `${pullAddress}/${proofRepository}:${tag}` };
    const pulls = { report, signal, timeout, interval, attempts, settle };
    const pulled = nodes.length === 0 ? [] : await pullOnNodes(cluster, plan, pulls);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    report({ type: "step", label: "proof", text: `${wordsOf(pulled)}, ${seconds} s` });
    return { digest: image.digest, nodes: pulled };
  } finally {
    const live = signal.aborted ? reopen : undefined;
    await cleanUp({ cluster, session, reopen: live, namespace, image, cleaning, report });
  }
}

const proxies = { labelSelector: nodeProxySelector };

function wordsOf(pulled: readonly string[]): string {
  if (pulled.length === 0) return "pushed and read back";
  const where = pulled.length === 1 ? (pulled[0] ?? "") : `${pulled.length} nodes`;
  return `pushed, read back, and pulled on ${where}`;
}

async function findNodes(
  cluster: Cluster,
  { nodes: wanted, namespace }: ProofOptions,
  { report, signal }: ProofRun,
): Promise<Pick<NodeChoice, "nodes" | "architectures">> {
  if (wanted === "none" || wanted === 0) return { nodes: [], architectures: ["amd64"] };
  const [nodes, pods] = await Promise.all([
    ifAllowed(listObjects(cluster, { apiVersion: "v1", kind: "Node" }, {}, signal)),
    ifAllowed(listObjects(cluster, { apiVersion: "v1", kind: "Pod", namespace }, proxies, signal)),
  ]);
  const proxied = (pods ?? [])
    .map((pod) => text(mapping(pod["spec"])["nodeName"]))
    .filter((name) => name !== undefined);
  if (!nodes) {
    if (proxied.length === 0) {
      const message = "you may not list nodes, so that only the push is proved, and no pull";
      report({ type: "warning", message });
    }
    const some = wanted === "all" ? proxied : proxied.slice(0, wanted);
    return { nodes: [...new Set(some)], architectures: usualArchitectures };
  }
  const choice = chooseNodes(nodes, proxied.length > 0 ? new Set(proxied) : undefined, wanted);
  if (choice.notReady.length > 0) {
    const message = `no pull is proved on ${nodeNames(choice.notReady)}: not ready`;
    report({ type: "warning", message });
  }
  if (choice.nodes.length > 0) return choice;
  report({ type: "warning", message: "no node is ready, so that only the push is proved" });
  return { nodes: [], architectures: ["amd64"] };
}

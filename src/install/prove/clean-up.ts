import type { Cluster } from "../../cluster/types.ts";
import { messageOf } from "../../errors.ts";
import type { Report } from "../../events.ts";
import type { Session } from "../../push/session.ts";
import { proofRepository, type ProofImage } from "./proof-image.ts";
import { removePods } from "./pods.ts";
import { proofLabel } from "./proof-pod.ts";
import { removeProof } from "./push-proof.ts";

export interface CleanUp {
  cluster: Cluster;
  session: Session;
  /** Where `cluster` and `session` no longer serve: opens one that does. */
  reopen: ((signal: AbortSignal) => Promise<Session>) | undefined;
  namespace: string;
  image: ProofImage;
  /** Milliseconds that it may take. */
  cleaning: number;
  report: Report;
}

/** Removes the pods and the image of a proof. Never throws: what is left is told, with the way to remove it. */
export async function cleanUp(options: CleanUp): Promise<void> {
  const { reopen, cleaning } = options;
  const signal = AbortSignal.timeout(cleaning);
  if (!reopen) {
    await removeAll(options, signal);
    return;
  }
  try {
    await using session = await within(signal, reopen(signal));
    await removeAll({ ...options, session, cluster: session.cluster }, signal);
  } catch (error) {
    tellPods(options, error);
    tellImage(options, error);
  }
}

async function removeAll(options: CleanUp, signal: AbortSignal): Promise<void> {
  const { cluster, session, namespace, image } = options;
  const { tag } = image;
  await Promise.all([
    within(signal, removePods(cluster, { namespace, tag }, signal)).catch((error: unknown) =>
      tellPods(options, error),
    ),
    within(signal, removeProof(session.registry, image)).catch((error: unknown) =>
      tellImage(options, error),
    ),
  ]);
}

/** The work's end, or the signal's if that is earlier. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: (() => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    stop = () => reject(new Error("it took too long"));
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    if (stop) signal.removeEventListener("abort", stop);
  }
}

function tellPods({ report, namespace, image: { tag } }: CleanUp, error: unknown): void {
  report({
    type: "warning",
    message: `pods of the proof may be left in namespace ${namespace}: ${messageOf(error)}`,
    hint: `kubectl delete pods -n ${namespace} -l ${proofLabel}=${tag}`,
  });
}

function tellImage({ report, image: { tag } }: CleanUp, error: unknown): void {
  report({
    type: "warning",
    message: `the image of the proof may be left in the registry, as ${proofRepository}:${tag}, of a few kB: ${messageOf(error)}`,
  });
}

import type { KpushEvent } from "../events.ts";
import type { Proof } from "./prove/prove.ts";
import { proofStage, type Stage } from "./stages.ts";
import type { InstallOptions } from "./types.ts";

/** A proof that begins while the rollout is still waited for. */
export interface ProofAhead {
  start: () => void;
  /** What it came to; undefined where it was not started or failed: then it says nothing yet. */
  outcome: () => Promise<Proof | undefined>;
  /** Ends it, and waits until what it made is removed. */
  stop: () => Promise<void>;
}

/**
 * The kubelet looks once a second whether a pod is ready, and by the time that it says so the proof
 * may have been made. What happens meanwhile is told only if it succeeds.
 */
export function openProofAhead(stage: Stage, options: InstallOptions): ProofAhead {
  const { context } = stage;
  const stopping = new AbortController();
  const kept: KpushEvent[] = [];
  let proving: Promise<Proof | undefined> | undefined;
  const inside: Stage = {
    ...stage,
    context: {
      ...context,
      report: (event) => kept.push(event),
      signal: AbortSignal.any([context.signal, stopping.signal]),
    },
  };
  return {
    start() {
      proving ??= proofStage(inside, options, true).catch(() => undefined);
    },
    async outcome() {
      const proof = await proving;
      for (const event of proof ? kept : []) if (event.type !== "progress") context.report(event);
      return proof;
    },
    async stop() {
      stopping.abort(new Error("the rollout failed"));
      await proving;
    },
  };
}

import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../../cluster/types.ts";
import { KpushError } from "../../errors.ts";
import type { Report } from "../../events.ts";
import { paceOf } from "../pace.ts";
import { certainCause, usualGrace, type Grace } from "./causes/cause.ts";
import { diagnose } from "./diagnose.ts";
import { onlooker, type Look } from "./look.ts";
import { allRun } from "./running.ts";
import { progressText, waitedFor, waitingHint } from "./outlook.ts";
import type { Part, Snapshot } from "./snapshot.ts";
import { rolloutState, type PartState } from "./state.ts";

/** How an installation is waited for; times in milliseconds. */
export interface RolloutWait {
  report: Report;
  signal: AbortSignal;
  timeout: number;
  /** Between two looks, at most. */
  interval?: number;
  grace?: Grace;
  /** Called once, when all pods run and are yet to be ready. */
  onRunning?: (() => void) | undefined;
}

/** Looks that may fail one after another: the API server may be restarting. */
const mostFailures = 3;

/**
 * Waits until the registry, and the node proxies where there are to be some, are rolled out, as
 * `kubectl rollout status` does. Where all is ready at the first look, that is one round trip.
 *
 * @throws KpushError `ROLLOUT_FAILED` as soon as it is certain that it will not be, with the cause;
 *   `TIMEOUT`, with what is still waited for; `CLUSTER_*`; what `signal` was aborted with
 */
export async function waitForRollout(
  cluster: Cluster,
  installation: { namespace: string; proxies: boolean },
  { report, signal, timeout, interval = 1000, grace = usualGrace, onRunning }: RolloutWait,
): Promise<void> {
  const began = performance.now();
  const look = patiently(onlooker(cluster, installation, signal), report);
  const tell = storyteller(report);
  const since = new Map<string, number>();
  let running = false;
  for (let closely = false; ; closely = true) {
    signal.throwIfAborted();
    const looked = performance.now();
    const snapshot = await look(closely);
    const now = performance.now();
    if (snapshot) {
      const states = rolloutState(snapshot);
      tell(snapshot, states);
      if ([...states.values()].every(({ state }) => state === "ready")) return;
      if (!running && allRun(snapshot, states)) {
        running = true;
        onRunning?.();
      }
      const cause = certainCause(diagnose(snapshot), since, now, grace);
      if (cause) throw new KpushError("ROLLOUT_FAILED", cause.message, { hint: cause.hint });
      if (closely && now - began >= timeout) throw tooLate(snapshot, states, timeout);
    }
    // A look at many pods takes its time, and the server's: it gets a rest as long.
    if (closely) await pause(Math.max(paceOf(now - began, interval), now - looked), signal);
  }
}

/** Looks, and takes a few failures in a row for passing ones: undefined then. */
function patiently(
  look: Look,
  report: Report,
): (closely: boolean) => Promise<Snapshot | undefined> {
  let failures = 0;
  return async (closely) => {
    try {
      const snapshot = await look(closely);
      failures = 0;
      return snapshot;
    } catch (error) {
      const isPassing =
        error instanceof KpushError &&
        (error.code === "CLUSTER_UNREACHABLE" || error.code === "CLUSTER_FAILED");
      failures += 1;
      if (!isPassing || failures >= mostFailures) throw error;
      report({ type: "debug", message: `looking again after: ${error.message}` });
      return undefined;
    }
  };
}

/** Reports how far each part is, where that is news, and once that it is done. */
function storyteller(report: Report): (snapshot: Snapshot, states: Map<Part, PartState>) => void {
  const told = new Map<Part, string>();
  return (snapshot, states) => {
    for (const [part, state] of states) {
      const isDone = state.state === "ready";
      const text = isDone ? doneText(part, state) : progressText(snapshot, part, state);
      if (told.get(part) === text) continue;
      told.set(part, text);
      report({ type: isDone ? "step" : "progress", label: part, text });
    }
  };
}

const doneText = (part: Part, { wanted }: PartState): string =>
  part === "registry" ? "ready" : `ready on ${wanted === 1 ? "1 node" : `${wanted} nodes`}`;

function tooLate(snapshot: Snapshot, states: Map<Part, PartState>, timeout: number): KpushError {
  const waiting = [...states].filter(([, { state }]) => state !== "ready");
  const texts = waiting.map(([part, state]) => waitedFor(snapshot, part, state));
  // What was said before the wait began may be over, but it is all that there is to go by now.
  const { details } = snapshot;
  const all = details && { ...details, events: [...details.earlier, ...details.events] };
  const [cause] = diagnose({ ...snapshot, ...(all ? { details: all } : {}) });
  const said = cause === undefined ? "" : `. ${cause.message}`;
  return new KpushError(
    "TIMEOUT",
    `not ready after ${Math.round(timeout / 1000)} s: ${texts.join("; ")}${said}`,
    {
      hint:
        cause?.hint ??
        waiting.map(([part]) => waitingHint(snapshot, part)).find((hint) => hint !== undefined) ??
        "--timeout waits longer",
    },
  );
}

/** Ends at once with the signal's reason. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => undefined);
  signal.throwIfAborted();
}

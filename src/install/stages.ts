import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../cluster/types.ts";
import type { Report } from "../events.ts";
import { openSession, reachRegistry, type Session } from "../push/session.ts";
import type { Context } from "../push/types.ts";
import { planObjects } from "./apply/plan.ts";
import type { Installed } from "./installed.ts";
import { pullAddressOf, registrySelector } from "./names.ts";
import { preflight } from "./preflight/preflight.ts";
import { prove, type Proof, type ProofOptions } from "./prove/prove.ts";
import { render } from "./render/render.ts";
import { waitForRollout } from "./rollout/wait.ts";
import type { InstallOptions, InstallRun, InstallSettings, PlannedObject } from "./types.ts";

/** Milliseconds that the wait and the proof may take, each. */
const usualTimeout = 300_000;

/** The stages of an installation, for {@link install} and for what takes the old addon's place. */
export interface Stage {
  cluster: Cluster;
  settings: InstallSettings;
  run: InstallRun;
  context: Context;
}

/**
 * What is to be done, found out at once with what could keep it from working; nothing is changed. The
 * settings are those that the cluster's nodes ask for.
 *
 * @throws KpushError of {@link planObjects} and {@link preflight}
 */
export async function planStage(
  { cluster, settings, run, context }: Stage,
  installed: Installed,
): Promise<{ planned: PlannedObject[]; settings: InstallSettings }> {
  const { signal, report } = context;
  const plan = (chosen: InstallSettings) => planObjects(cluster, render(chosen), run, signal);
  const live = Object.values(installed).filter((object) => object !== undefined);
  const looking = preflight(cluster, settings, { live, ...run }, context);
  const [planned, looked] = await Promise.allSettled([plan(settings), looking]);
  // What may not be done at all comes before what would go wrong.
  if (planned.status === "rejected") throw planned.reason;
  if (looked.status === "rejected") throw looked.reason;
  if (!looked.value.ipv6Only || settings.nodeAccess !== "hostport")
    return { planned: planned.value, settings };
  const message = "no node has an IPv4 address: the node proxies go on the nodes' own network";
  report({ type: "warning", message });
  const chosen: InstallSettings = { ...settings, nodeAccess: "hostnetwork", ipv6: true };
  return { planned: await plan(chosen), settings: chosen };
}

/**
 * Waits for the registry and the proxies.
 *
 * @param onRunning - called when all their pods run
 * @throws KpushError of {@link waitForRollout}
 */
export async function waitStage(
  { cluster, settings, run, context }: Stage,
  onRunning?: () => void,
): Promise<void> {
  const { namespace, nodeAccess } = settings;
  const { timeout = usualTimeout } = run;
  const installation = { namespace, proxies: nodeAccess !== "none" };
  try {
    await waitForRollout(cluster, installation, { ...context, timeout, onRunning });
  } catch (error) {
    if (context.signal.aborted) {
      const message = "what was applied stays, and goes on without kpush";
      const hint = "kpush install again waits for it and proves it; kpush uninstall removes it";
      context.report({ type: "warning", message, hint });
    }
    throw error;
  }
}

/**
 * Proves a push and, where nodes have a way to the registry, a pull.
 *
 * @param early - the registry's pod need not be ready yet
 * @throws KpushError of {@link prove}
 */
export async function proofStage(
  stage: Stage,
  options: InstallOptions,
  early = false,
): Promise<Proof> {
  const { cluster, settings, run, context } = stage;
  const { timeout = usualTimeout, verifyNodes = "all" } = run;
  await using session = await sessionOf(cluster, settings, context, early);
  if (early) await untilItAnswers(session, context.signal);
  // What was opened with the signal is of no use once that is aborted: this one has its own cluster.
  const reopen = (signal: AbortSignal) =>
    openSession(
      { ...options, ...searchIn(settings) },
      { ...context, signal, report: quiet(context.report) },
    );
  const nodes = settings.nodeAccess === "none" ? "none" : verifyNodes;
  const proof: ProofOptions = {
    namespace: settings.namespace,
    pullAddress: pullAddressOf(settings),
    nodes,
  };
  return await prove(cluster, session, proof, { ...context, timeout, reopen });
}

/** A session with the registry that is being installed. */
export function sessionOf(
  cluster: Cluster,
  settings: Pick<InstallSettings, "namespace">,
  context: Context,
  unready = false,
): Promise<Session> {
  const search = { ...searchIn(settings), unready };
  return reachRegistry(cluster, search, { ...context, report: quiet(context.report) });
}

const searchIn = ({ namespace }: Pick<InstallSettings, "namespace">) => ({
  ...{ namespace, selector: registrySelector },
});

/** An installation tells in its own words which registry it works on. */
function quiet(report: Report): Report {
  return (event) => {
    if (event.type === "warning" || event.type === "debug") report(event);
  };
}

/** Between the start of its container and the first answer pass some hundred milliseconds. */
async function untilItAnswers({ registry }: Session, signal: AbortSignal): Promise<void> {
  const began = performance.now();
  for (;;) {
    try {
      await registry.ping();
      return;
    } catch (error) {
      if (signal.aborted || performance.now() - began > 10_000) throw error;
      await delay(100, undefined, { signal });
    }
  }
}

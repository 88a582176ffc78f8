import { getObject, refOf, type KubeObject } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";
import { mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import type { InstallRun, PlannedObject } from "../types.ts";
import { isSame } from "./bare.ts";
import { causesOf, type Written } from "./conflicts.ts";
import { isGoing } from "./ownership.ts";
import { isImmutable, isStrategySwitch, lacksNamespace, lacksRole } from "./refusals.ts";
import { tryOut, type Tried } from "./try-out.ts";

/** Kinds that hold nothing: they may be deleted and made anew. */
export const replaceable = new Set([
  ...["ConfigMap", "DaemonSet", "Deployment", "NetworkPolicy", "Role", "RoleBinding", "Service"],
]);

/** What is to be done about one object; or, where nothing helps, the answer that refuses it. */
export async function settle(
  cluster: Cluster,
  tried: Tried,
  run: Pick<InstallRun, "forceConflicts">,
  signal: AbortSignal,
): Promise<PlannedObject | Written> {
  const { object, live, answer } = tried;
  if (object.kind === "Secret" && answer.status === 409) return keptSecret(object);
  if (lacksNamespace(answer) || lacksRole(tried))
    return { object, live, next: undefined, action: live ? "change" : "create" };
  if (live && isGoing(live) && replaceable.has(object.kind))
    return { object, live, next: object, action: "recreate", note: "it was being deleted" };
  if (answer.status < 300) return planned(cluster, tried, answer.json as KubeObject, signal);
  if (live && object.kind === "Deployment" && isStrategySwitch(answer))
    return switchStrategy(cluster, tried, run, signal);
  if (live && replaceable.has(object.kind) && isImmutable(answer))
    return replace(cluster, tried, run, signal);
  return tried;
}

/**
 * A dry run has the version that it started from. Where it differs, somebody changed the object after it
 * was read (a claim was bound), and what they did is not to be taken for a change of ours.
 */
async function planned(
  cluster: Cluster,
  { object, live }: Tried,
  next: KubeObject,
  signal: AbortSignal,
): Promise<PlannedObject> {
  if (!live) return { object, live, next, action: "create" };
  const isStale = live.metadata.resourceVersion !== next.metadata.resourceVersion;
  const now =
    isStale && !isSame(live, next)
      ? ((await getObject(cluster, refOf(object), signal)) ?? live)
      : live;
  return { object, live: now, next, action: isSame(now, next) ? "keep" : "change" };
}

/** Its value is neither read nor shown. */
function keptSecret({ stringData: _, ...object }: KubeObject): PlannedObject {
  const secret = object;
  return { object: secret, live: secret, next: secret, action: "keep" };
}

/** Apply cannot do it, so the rest is tried without it. {@link strategyPatch} does it later. */
async function switchStrategy(
  cluster: Cluster,
  tried: Tried,
  run: Pick<InstallRun, "forceConflicts">,
  signal: AbortSignal,
): Promise<PlannedObject | Written> {
  const { object, live } = tried;
  const { strategy, ...spec } = mapping(object["spec"]);
  const { answer } = await tryOut(cluster, { ...object, spec }, run, signal);
  if (answer.status >= 300) return { object, answer };
  const next = answer.json as KubeObject;
  const switched = { ...next, spec: { ...mapping(next["spec"]), strategy } };
  return { object, live, next: switched, action: "change" };
}

/**
 * The patch that a Deployment needs before it can be applied with `Recreate`: `rollingUpdate` was set
 * by default, and nothing that is applied takes it out (422).
 */
export function strategyPatch({ object, live }: PlannedObject): object | undefined {
  const strategy = mapping(mapping(object["spec"])["strategy"]);
  const now = mapping(mapping(live?.["spec"])["strategy"]);
  const isNeeded =
    object.kind === "Deployment" &&
    strategy["type"] === "Recreate" &&
    now["rollingUpdate"] !== undefined;
  return isNeeded ? strategy : undefined;
}

/** Tried under another name, as the server would only say that there is one of this name. */
async function replace(
  cluster: Cluster,
  { object, live, answer }: Tried,
  run: Pick<InstallRun, "forceConflicts">,
  signal: AbortSignal,
): Promise<PlannedObject | Written> {
  const { name } = object.metadata;
  const other = { ...object, metadata: { ...object.metadata, name: `${name}-next` } };
  const again = await tryOut(cluster, other, run, signal);
  if (again.answer.status >= 300) return { object, answer: again.answer };
  const made = again.answer.json as KubeObject;
  const next = { ...made, metadata: { ...made.metadata, name } };
  const fields = causesOf(answer.json).map(({ field }) => plain(text(field) ?? "", 100));
  const note = `${fields.join(", ")} cannot be changed`;
  return { object, live, next, action: "recreate", note };
}

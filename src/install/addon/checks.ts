import { refOf, titleOf } from "../../cluster/objects.ts";
import { mapping, text } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { installedStorage, type Installed } from "../installed.ts";
import type { InstallOptions, InstallRun } from "../types.ts";
import { ownerKind, type Addon } from "./find.ts";
import { isOldProxy } from "./templates.ts";

type Options = InstallOptions & InstallRun;

/** What a replacement cannot do without. @throws KpushError `USAGE` */
export function checkOptions({ wait, nodeAccess }: Options): void {
  const usage = (message: string) => new KpushError("USAGE", `--replace-addon ${message}`);
  if (wait === false) throw usage("waits: it removes nothing before the new registry is proved");
  if (nodeAccess === "none")
    throw usage("takes the place of the proxies on the nodes too: leave out --node-access none");
}

/**
 * What keeps the addon from being replaced; nothing was changed yet.
 *
 * @throws KpushError `INSTALL_REFUSED`
 */
export function checkAddon(addon: Addon, installed: Installed, options: Options): void {
  const trouble =
    absence(addon, installed) ??
    ambiguity(addon) ??
    strayPods(addon) ??
    volumeTrouble(addon, options) ??
    otherRegistry(addon, installed);
  if (trouble) throw trouble;
}

const refused = (message: string, hint: string) =>
  new KpushError("INSTALL_REFUSED", message, { hint });

function absence({ namespace, workload, stray }: Addon, installed: Installed) {
  if (workload || installed.deployment || stray.length > 0) return undefined;
  return refused(
    `the old addon is not in namespace ${namespace}: nothing there runs pods with the label k8s-app=kube-registry or k8s-app=kube-registry-upstream`,
    "if it is elsewhere: -n NAMESPACE; if there is none: kpush install",
  );
}

function ambiguity({ workload, others, namespace }: Addon) {
  if (!workload || others.length === 0) return undefined;
  const all = [workload, ...others].map((one) => titleOf(refOf(one))).join(", ");
  return refused(
    `more than one runs an old registry: ${all}`,
    `delete those that are not in use: kubectl get rc,deployments,rs -n ${namespace}`,
  );
}

function strayPods({ stray, namespace }: Addon) {
  const [first] = stray;
  if (!first) return undefined;
  const pods = stray.map(({ metadata }) => plain(metadata.name, 253)).slice(0, 5);
  const isProxy = isOldProxy(first.metadata.labels, first["spec"]);
  const what = `${isProxy ? "proxies of the old addon" : "the old registry"} (pod ${pods.join(", ")})`;
  const node = plain(text(mapping(first["spec"])["nodeName"]) ?? "", 253);
  const owner = ownerKind(first);
  if (owner === "Node")
    return refused(
      `only somebody on the nodes can remove ${what}: they come from files there`,
      `delete the file, usually in /etc/kubernetes/manifests, on ${node} and each other such node; then run it again`,
    );
  const runner = owner === undefined ? "nothing" : `a ${plain(owner, 63)}, and nothing`;
  return refused(
    `${what}: run by ${runner} that kpush could replace`,
    isProxy
      ? `delete it by hand, and run it again: kubectl delete pod -n ${namespace} ${pods[0] ?? ""}`
      : "kpush pushes to it as it is; to have it replaced, run it by a Deployment on a claim",
  );
}

function volumeTrouble({ workload, store }: Addon, { storage }: Options) {
  if (!workload || !store) return undefined;
  const title = titleOf(refOf(workload));
  if (store.kind === "volume" && !storage?.startsWith("claim:"))
    return refused(
      `${title} keeps its images ${plain(store.words, 200)}, and the new registry needs a claim`,
      "make a PersistentVolume of the same place, and a claim of it; then --storage claim:NAME",
    );
  const own = store.kind === "claim" ? `claim:${store.name}` : undefined;
  if (own === undefined || storage === undefined || storage === own) return undefined;
  return refused(
    `${title} keeps its images on claim ${plain(own.slice(6), 253)}, and --storage names another place`,
    "leave out --storage: the new registry takes the same claim",
  );
}

/** A registry of kpush's beside the addon, with images of its own. */
function otherRegistry({ workload, store, namespace }: Addon, installed: Installed) {
  const { storage } = installedStorage(installed);
  if (!workload || !installed.deployment || store?.kind !== "claim") return undefined;
  if (storage === `claim:${store.name}`) return undefined;
  return refused(
    `kpush's own registry is in namespace ${namespace} already, with other images (${plain(storage ?? "", 300)})`,
    `kpush uninstall -n ${namespace} keeps its claim; then run it again`,
  );
}

import type { KubeObject } from "../../cluster/objects.ts";
import { plain } from "../../image/text.ts";
import type { ObjectResult } from "../../results.ts";
import { isOurs, makerOf } from "../apply/ownership.ts";
import { objectResult } from "../apply/results.ts";
import { defaultNamespace } from "../names.ts";
import { claimsOf, type Found } from "./found.ts";

/** What is to be removed, in this order, and what stays. */
export interface Removal {
  /** What runs: gone before the policies that guard it, and before the claim that it uses. */
  workloads: KubeObject[];
  others: KubeObject[];
  kept: ObjectResult[];
  /** The namespace, where it may go if nothing else is in it. */
  namespace: KubeObject | undefined;
}

/** Decides what goes and what stays, and why. */
export function planRemoval(found: Found, deleteData: boolean): Removal {
  const { ours, foreign } = found;
  const isWorkload = ({ kind }: KubeObject) => ["DaemonSet", "Deployment", "Pod"].includes(kind);
  const stays = ({ kind }: KubeObject) => kind === "PersistentVolumeClaim" && !deleteData;
  const claims = ours.filter(stays);
  const isEmptied = claims.length === 0 && found.namespace !== undefined && isOurs(found.namespace);
  return {
    workloads: ours.filter(isWorkload),
    others: ours.filter((object) => !isWorkload(object) && !stays(object)),
    kept: [
      ...claims.map((claim) => objectResult(claim, "kept", keptClaim(claim))),
      ...userClaims(found),
      ...foreign.map((object) => objectResult(object, "kept", makerOf(object))),
    ],
    namespace: isEmptied ? found.namespace : undefined,
  };
}

function keptClaim({ metadata: { namespace = "" } }: KubeObject): string {
  const where = namespace === defaultNamespace ? "" : ` -n ${namespace}`;
  return `holds the images: kpush install${where} uses it again, kpush uninstall${where} --delete-data deletes it`;
}

/** The claims that the registry used and that are the user's own. */
function userClaims({ ours, foreign }: Found): ObjectResult[] {
  const seen = [...ours, ...foreign].filter(({ kind }) => kind === "PersistentVolumeClaim");
  const known = new Set(seen.map(({ metadata }) => metadata.name));
  const registry = ours.find(({ kind }) => kind === "Deployment");
  const { namespace = "" } = registry?.metadata ?? {};
  return claimsOf(registry)
    .filter((name) => !known.has(name))
    .map((name) => ({
      ...{ kind: "PersistentVolumeClaim", namespace, name: plain(name, 253), action: "kept" },
      note: `holds the images, and is not kpush's: kpush install -n ${namespace} --storage claim:${plain(name, 253)} uses it again`,
    }));
}

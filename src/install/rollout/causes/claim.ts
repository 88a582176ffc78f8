import { mapping, text } from "../../../cluster/values.ts";
import { plain } from "../../../image/text.ts";
import type { Cause } from "./cause.ts";
import { eventsOf, type Snapshot } from "../snapshot.ts";

/**
 * Why the registry's claim gets no volume. A claim that waits for its first pod is well.
 */
export function claimCause({ namespace, details }: Snapshot): Cause | undefined {
  const claim = details?.claim;
  if (!claim) return undefined;
  const { name, uid, deletionTimestamp } = claim.metadata;
  const { storageClassName, volumeName } = mapping(claim["spec"]);
  const { phase } = mapping(claim["status"]);
  const title = `the registry's claim ${plain(name, 253)}`;
  const describe = `kubectl describe pvc -n ${namespace} ${plain(name, 253)}`;
  const cause = (patience: Cause["patience"], why: string, hint: string): Cause => ({
    ...{ key: "claim", patience, hint },
    message: `${title} ${why}`,
  });
  if (deletionTimestamp !== undefined)
    return cause("short", "is being deleted", `${describe} tells who holds it`);
  if (phase === "Lost") return cause("none", "has lost its volume", describe);
  if (phase !== "Pending") return undefined;
  const failed = eventsOf(details.events, uid, ["ProvisioningFailed"]).at(-1);
  if (failed !== undefined)
    return cause(
      /storageclass\S* "[^"]*" not found/i.test(failed) ? "none" : "short",
      `gets no volume: ${plain(failed, 500)}`,
      `${describe} shows its events; --storage-class takes another class, --storage emptydir none`,
    );
  if (text(storageClassName) === undefined && text(volumeName) === undefined)
    return cause(
      "short",
      "gets no volume: it names no StorageClass, the cluster has no default one, and no volume made by hand fits",
      "--storage-class NAME takes a class (kubectl get storageclass); --storage emptydir needs none",
    );
  return undefined;
}

/** That the claim is not bound, with the last that was heard of it; for who waited long enough. */
export function claimOutlook({ details }: Snapshot): string | undefined {
  const claim = details?.claim;
  const phase = text(mapping(claim?.["status"])["phase"]);
  if (!claim || phase === undefined || phase === "Bound") return undefined;
  const last = eventsOf([...details.earlier, ...details.events], claim.metadata.uid).at(-1);
  return `claim ${plain(claim.metadata.name, 253)} is ${plain(phase, 30)}${last === undefined ? "" : `: ${plain(last, 500)}`}`;
}

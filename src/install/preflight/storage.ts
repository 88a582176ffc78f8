import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";

const defaultAnnotations = [
  "storageclass.kubernetes.io/is-default-class",
  "storageclass.beta.kubernetes.io/is-default-class",
];
const otherWays =
  "--storage claim:NAME takes a claim of yours; --storage emptydir keeps images as long as the pod lives";

/**
 * Why a claim of this class would never be bound.
 *
 * @param storageClass - as the user named it; undefined for the default one; `""` is for volumes made
 *   by hand, which need no class
 * @returns the `INSTALL_REFUSED` to throw
 */
export function classTrouble(
  classes: readonly KubeObject[],
  storageClass: string | undefined,
): KpushError | undefined {
  if (storageClass === "") return undefined;
  const known = classes.map(({ metadata }) => plain(metadata.name, 253));
  const available = known.length > 0 ? `there are ${known.join(", ")}` : "there is none at all";
  const hint =
    known.length > 0 ? `--storage-class NAME takes one of them; ${otherWays}` : otherWays;
  const refused = (message: string) => new KpushError("INSTALL_REFUSED", message, { hint });
  if (storageClass !== undefined)
    return classes.some(({ metadata }) => metadata.name === storageClass)
      ? undefined
      : refused(`StorageClass ${plain(storageClass, 253)} is not there (${available})`);
  return classes.some(isDefault)
    ? undefined
    : refused(
        `the cluster has no default StorageClass (${available}): the registry's claim would wait for a volume for ever`,
      );
}

const isDefault = ({ metadata }: KubeObject): boolean =>
  defaultAnnotations.some((name) => metadata.annotations?.[name] === "true");

/**
 * Why the registry cannot keep its data in a claim that is there, or is not.
 *
 * @returns the `INSTALL_REFUSED` to throw
 */
export function claimTrouble(
  claim: KubeObject | undefined,
  { namespace, name }: { namespace: string; name: string },
): KpushError | undefined {
  const title = `claim ${plain(name, 253)} in namespace ${namespace}`;
  const look = `kubectl get pvc -n ${namespace}`;
  const refused = (message: string, hint: string) =>
    new KpushError("INSTALL_REFUSED", message, { hint });
  if (!claim) return refused(`there is no ${title}`, `${look} lists those there are`);
  if (claim.metadata.deletionTimestamp !== undefined)
    return refused(
      `${title} is being deleted`,
      `wait until it is gone (${look}), then run kpush install again`,
    );
  const { accessModes, volumeMode } = mapping(claim["spec"]);
  const modes = list(accessModes).flatMap((mode) => text(mode) ?? []);
  if (!modes.some((mode) => mode.startsWith("ReadWrite")))
    return refused(
      `${title} can only be read (${plain(modes.join(", "), 100)})`,
      "the registry needs a claim with access mode ReadWriteOnce",
    );
  if (volumeMode === "Block")
    return refused(
      `${title} is a block device`,
      "the registry needs a claim with volume mode Filesystem",
    );
  if (mapping(claim["status"])["phase"] === "Lost")
    return refused(
      `the volume of ${title} is gone`,
      `kubectl describe pvc -n ${namespace} ${plain(name, 253)}`,
    );
  return undefined;
}

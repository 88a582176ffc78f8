import type { KubeObject } from "../../cluster/objects.ts";
import { mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import type { ApiAnswer } from "../../cluster/types.ts";
import { bytesOf } from "../quantity.ts";

interface Claim {
  size: string;
  storageClass: string | undefined;
  isBound: boolean;
}

/**
 * Why a claim cannot become what is asked, with what is there and what was asked; undefined where it
 * can. A claim is never made anew: it holds the data.
 *
 * @param answer - of the dry run
 */
export function claimProblem(
  asked: KubeObject,
  live: KubeObject,
  answer: ApiAnswer,
): string | undefined {
  const [is, wanted] = [claimOf(live), claimOf(asked)];
  const { namespace = "", name } = live.metadata;
  const there = `claim ${namespace}/${name} has ${is.size}${is.storageClass === undefined ? "" : ` of class ${is.storageClass}`}`;
  if (wanted.storageClass !== undefined && wanted.storageClass !== is.storageClass)
    return `${there}, and class ${wanted.storageClass} was asked for: the class of a claim cannot change`;

  const more = (bytesOf(wanted.size) ?? 0) - (bytesOf(is.size) ?? 0);
  const clause = `${there}, and ${wanted.size} were asked for`;
  if (more < 0) return `${clause}: a claim cannot shrink`;
  if (more === 0 || answer.status < 300) return undefined;
  // The class is not read: not everybody may, and the server knows.
  if (answer.status === 403) return `${clause}: its class does not let claims grow`;
  if (answer.status === 422 && !is.isBound)
    return `${clause}: it is not bound to a volume yet, and cannot grow before it is`;
  return undefined;
}

function claimOf({ spec, status }: KubeObject): Claim {
  const { resources, storageClassName } = mapping(spec);
  const size = text(mapping(mapping(resources)["requests"])["storage"]) ?? "0";
  return {
    size: plain(size, 40),
    storageClass: typeof storageClassName === "string" ? plain(storageClassName, 253) : undefined,
    isBound: mapping(status)["phase"] === "Bound",
  };
}

import { KpushError } from "../../errors.ts";
import type { PlannedObject } from "../types.ts";
import { isOurs } from "./ownership.ts";
import { isForbidden, lacksNamespace } from "./refusals.ts";
import type { Tried } from "./try-out.ts";

/** Without a Namespace that others made, or that is there and may not be touched. */
export function withoutForeignNamespace(tried: readonly Tried[]): Tried[] {
  const own = tried.find(({ object }) => object.kind === "Namespace");
  const others = tried.filter((one) => one !== own);
  const isAbsent = others.some(({ answer }) => lacksNamespace(answer));
  if (!own) {
    if (isAbsent) throw noNamespace(others[0]?.object.metadata.namespace ?? "");
    return others;
  }
  if (own.live) return isOurs(own.live) && !isForbidden(own.answer) ? [...tried] : others;
  const isThere = !isAbsent && others.some(({ answer }) => !isForbidden(answer));
  return isThere && own.answer.status !== 201 ? others : [...tried];
}

function noNamespace(namespace: string): KpushError {
  return new KpushError("INSTALL_REFUSED", `there is no namespace ${namespace}`, {
    hint: `kubectl create namespace ${namespace}`,
  });
}

/**
 * Who may not make Roles can still install: the Role only lets others push. Where somebody is to be
 * bound to it, it is needed.
 */
export function splitSkipped(tried: readonly Tried[]): { skipped: PlannedObject[]; rest: Tried[] } {
  const isBound = tried.some(({ object }) => object.kind === "RoleBinding");
  const isSkipped = ({ object, answer }: Tried) =>
    object.kind === "Role" && !isBound && isForbidden(answer);
  const note = "you may not make roles: who else is to push needs one from an administrator";
  return {
    rest: tried.filter((one) => !isSkipped(one)),
    skipped: tried
      .filter(isSkipped)
      .map(({ object, live }) => ({ object, live, next: live, action: "skip", note })),
  };
}

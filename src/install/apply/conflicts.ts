import type { ApiAnswer } from "../../cluster/types.ts";
import { refOf, titleOf, type KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";

/** An object, and how the server answered when it was to be written. */
export interface Written {
  object: KubeObject;
  answer: ApiAnswer;
}

/** Whether an apply was refused for fields that another manager set. */
export function isConflict({ status, json }: ApiAnswer): boolean {
  return status === 409 && causesOf(json).some(({ reason }) => reason === "FieldManagerConflict");
}

/** `INSTALL_CONFLICT`: all fields that other managers set to something else, by object and manager. */
export function conflictError(conflicts: readonly Written[]): KpushError {
  const clauses = conflicts.map(({ object, answer }) => {
    const found = conflictsOf(answer);
    const managers = new Set(found.map(({ manager }) => manager));
    const owners = [...managers].map((manager) => {
      const fields = found.filter((one) => one.manager === manager).map(({ field }) => field);
      return `${fields.join(", ")} (set by ${manager})`;
    });
    return `${titleOf(refOf(object))}: ${owners.join("; ")}`;
  });
  return new KpushError(
    "INSTALL_CONFLICT",
    `someone else set what kpush would change: ${clauses.join("; ")}`,
    {
      hint: "undo it there, or take these fields over with --force-conflicts; see what would change with --diff --force-conflicts",
    },
  );
}

/** Messages are such as `conflict with "kubectl" with subresource "scale" using apps/v1`. */
function conflictsOf({ json }: ApiAnswer): { manager: string; field: string }[] {
  const found = causesOf(json).map(({ message, field }) => {
    const [, manager = "someone", , subresource] =
      /conflict with "(.*?)"( with subresource "(.*?)")?/.exec(text(message) ?? "") ?? [];
    const by = subresource === undefined ? manager : `${manager} by ${subresource}`;
    return { manager: plain(by, 128), field: plain(text(field) ?? "", 300) };
  });
  // The server tells them in any order.
  return found.toSorted((one, other) => (one.field < other.field ? -1 : 1));
}

/** The single findings of a refusal; see `StatusDetails` of the API. */
export function causesOf(json: unknown): Record<string, unknown>[] {
  return list(mapping(mapping(json)["details"])["causes"]).map(mapping);
}

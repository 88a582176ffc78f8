import type { KubeObject } from "../../cluster/objects.ts";
import { plain } from "../../image/text.ts";
import type { ObjectAction } from "../../events.ts";
import type { ObjectResult, PlannedObject } from "../types.ts";

const actions: Record<PlannedObject["action"], ObjectAction> = {
  create: "created",
  change: "changed",
  recreate: "changed",
  keep: "unchanged",
  remove: "removed",
  skip: "kept",
};

/** What became, or with a dry run would become, of a planned object. */
export function resultOf({ object, action, note }: PlannedObject): ObjectResult {
  const why = action === "recreate" ? `deleted and made anew: ${note ?? ""}` : note;
  return objectResult(object, actions[action], why);
}

/** What became of one object. */
export function objectResult(
  { kind, metadata: { namespace, name } }: Pick<KubeObject, "kind" | "metadata">,
  action: ObjectAction,
  note?: string,
): ObjectResult {
  return {
    ...{ kind, name, action },
    ...(namespace === undefined ? {} : { namespace }),
    ...(note === undefined ? {} : { note: plain(note, 500) }),
  };
}

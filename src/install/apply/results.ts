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
  const { namespace, name } = object.metadata;
  const why = action === "recreate" ? `deleted and made anew: ${note ?? ""}` : note;
  return {
    kind: object.kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    action: actions[action],
    ...(why === undefined ? {} : { note: plain(why, 300) }),
  };
}

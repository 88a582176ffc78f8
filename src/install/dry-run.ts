import { refOf, type KubeObject } from "../cluster/objects.ts";
import type { Report } from "../events.ts";
import { resultOf } from "./apply/results.ts";
import type { ObjectResult, PlannedObject } from "./types.ts";

/**
 * What a run would do, reported as if it had been done, with a note that it was not.
 *
 * @param objects - as planned by the server's dry runs, or only as rendered: all of them are then told
 *   as created, as nothing else is known
 */
export function dryResults(
  objects: readonly (PlannedObject | KubeObject)[],
  kind: "client" | "server",
  report: Report,
): ObjectResult[] {
  const note = kind === "client" ? "dry run: nothing was asked" : "dry run: nothing was changed";
  return objects.map((object) => {
    const result = "object" in object ? resultOf(object as PlannedObject) : created(object);
    const told = { ...result, note: result.note === undefined ? note : `${result.note}; ${note}` };
    report({ type: "object", ...told });
    return told;
  });
}

function created(object: KubeObject): ObjectResult {
  const { kind, namespace, name } = refOf(object);
  return { kind, name, action: "created", ...(namespace !== undefined && { namespace }) };
}

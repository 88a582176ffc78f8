import { refOf, type KubeObject } from "../cluster/objects.ts";
import type { Report } from "../events.ts";
import { resultOf } from "./apply/results.ts";
import type { ObjectResult, PlannedObject } from "./types.ts";

/**
 * What a run would do, reported as if it had been done, and behind it that it was not.
 *
 * @param objects - as planned by the server's dry runs, or only as rendered: all of them are then told
 *   as created, as nothing else is known
 */
export function dryResults(
  objects: readonly (PlannedObject | KubeObject)[],
  kind: "client" | "server",
  report: Report,
): ObjectResult[] {
  const results = objects.map((object) =>
    "object" in object ? resultOf(object as PlannedObject) : created(object),
  );
  for (const result of results) report({ type: "object", ...result });
  const text =
    kind === "client" ? "the cluster was not asked, and is as it was" : "nothing was changed";
  report({ type: "step", label: "dry run", text });
  return results;
}

function created(object: KubeObject): ObjectResult {
  const { kind, namespace, name } = refOf(object);
  return { kind, name, action: "created", ...(namespace !== undefined && { namespace }) };
}

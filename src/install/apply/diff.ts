import { stringify } from "yaml";
import { refOf, titleOf, type KubeObject } from "../../cluster/objects.ts";
import { mapping } from "../../cluster/values.ts";
import type { PlannedObject } from "../types.ts";
import { bare } from "./bare.ts";
import { compareLines, hunks } from "./line-diff.ts";

/**
 * What a plan would change, as lines of YAML marked `-` and `+`, without status and the server's
 * bookkeeping. What is new and what goes is shown whole, and no value of a Secret ever.
 *
 * @returns `""` where nothing changes
 */
export function diffText(planned: readonly PlannedObject[]): string {
  return planned.map(objectDiff).join("");
}

function objectDiff(planned: PlannedObject): string {
  const { object, live, next = object, action } = planned;
  if (action === "keep" || action === "skip") return "";
  const before = live ? yamlLines(live) : [];
  const after = action === "remove" ? [] : yamlLines(next);
  const lines = compareLines(before, after);
  const shown = live && action !== "remove" ? hunks(lines) : hunks(lines, 0);
  return [`# ${titleOf(refOf(object))}: ${headline(planned)}`, ...shown, ""].join("\n");
}

function headline({ action, note }: PlannedObject): string {
  switch (action) {
    case "create":
      return "new";
    case "remove":
      return "removed";
    case "recreate":
      return `deleted and made anew${note === undefined ? "" : ` (${note})`}`;
    default:
      return "changed";
  }
}

function yamlLines(object: KubeObject): string[] {
  const shown = bare(object.kind === "Secret" ? withoutValues(object) : object);
  return stringify(shown, { lineWidth: 0 }).trimEnd().split("\n");
}

function withoutValues(secret: KubeObject): KubeObject {
  const hidden = (values: unknown) =>
    Object.fromEntries(Object.keys(mapping(values)).map((key) => [key, "(hidden)"]));
  const { data, stringData, ...rest } = secret;
  return {
    ...rest,
    ...(data === undefined ? {} : { data: hidden(data) }),
    ...(stringData === undefined ? {} : { stringData: hidden(stringData) }),
  };
}

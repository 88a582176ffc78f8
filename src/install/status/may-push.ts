import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import { names } from "../names.ts";

/** Who is bound to the Role for pushes, as `--allow-push` writes it: `group:developers`. */
export function mayPush(bindings: readonly KubeObject[]): string[] {
  const subjects = bindings
    .filter((binding) => {
      const { kind, name } = mapping(binding["roleRef"]);
      return kind === "Role" && name === names.pushRole;
    })
    .flatMap((binding) =>
      list(binding["subjects"]).map((subject) => wordsOf(mapping(subject), binding)),
    );
  return [...new Set(subjects)].sort();
}

function wordsOf(subject: Record<string, unknown>, { metadata }: KubeObject): string {
  const name = plain(text(subject["name"]) ?? "", 253);
  if (subject["kind"] !== "ServiceAccount")
    return `${plain(String(subject["kind"]), 20).toLowerCase()}:${name}`;
  const namespace = text(subject["namespace"]) ?? metadata.namespace ?? "";
  return `serviceaccount:${plain(namespace, 63)}:${name}`;
}

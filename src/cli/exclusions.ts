import { KpushError } from "../errors.ts";
import { optionOf } from "./options.ts";
import type { Given } from "./values.ts";

/** What cannot stand together on a command line. */
const pairs = [
  ["--quiet", "--verbose"],
  // Each of them is all that is printed.
  ["--output", "--diff"],
  ["--output", "--list-images"],
  ["--diff", "--list-images"],
  ["--output", "--json"],
  ["--diff", "--json"],
  ["--list-images", "--json"],
  // These ask no cluster.
  ["--output", "--dry-run=server"],
  ["--list-images", "--dry-run=server"],
  ["--output", "--replace-addon"],
  ["--list-images", "--replace-addon"],
  // The plan that is shown tells what would be done.
  ["--diff", "--replace-addon"],
  ["--verify-nodes", "--no-verify"],
  ["--verify-nodes", "--wait=false"],
] as const;

/** @throws KpushError `USAGE` where two options contradict each other */
export function checkExclusions(given: Given): void {
  const said = new Set<string>();
  for (const [name, value] of given) {
    if (value === false) said.add(`--${name}=false`);
    else said.add(`--${name}`);
    const { bare } = optionOf(name);
    if (bare !== undefined && typeof value === "object") said.add(`--${name}=${value.join()}`);
  }
  for (const [one, other] of pairs) {
    if (!said.has(one) || !said.has(other)) continue;
    throw new KpushError("USAGE", `${one} and ${other} exclude each other`, {
      hint: "leave one out",
    });
  }
}

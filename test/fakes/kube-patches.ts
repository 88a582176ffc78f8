import { isDeepStrictEqual } from "node:util";
import { mapping } from "../../src/cluster/values.ts";

type Mapping = Record<string, unknown>;
const isMapping = (value: unknown): value is Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The value at a path such as `spec.nodeName`. */
export function valueAt(object: unknown, path: string): unknown {
  return path.split(".").reduce((value, key) => mapping(value)[key], object);
}

/** RFC 7386: null removes. */
export function mergePatched(live: unknown, patch: unknown): unknown {
  if (!isMapping(patch)) return patch;
  const next: Mapping = isMapping(live) ? { ...live } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(next, key);
    else next[key] = mergePatched(next[key], value);
  }
  return next;
}

/**
 * Server-side apply, as far as one manager goes: what it applied before and no longer does goes, the
 * rest of the object stays. Lists are replaced whole.
 */
export function applied(live: unknown, before: unknown, now: unknown): unknown {
  if (!isMapping(now)) return now;
  const next: Mapping = isMapping(live) ? { ...live } : {};
  for (const key of Object.keys(mapping(before)))
    if (!(key in now)) Reflect.deleteProperty(next, key);
  for (const [key, value] of Object.entries(now))
    next[key] = applied(next[key], mapping(before)[key], value);
  return next;
}

/** RFC 6902 with add, replace, remove and test, on mappings only; undefined where it does not apply. */
export function jsonPatched(live: unknown, operations: unknown): unknown {
  let next: unknown = structuredClone(live);
  for (const operation of operations as { op: string; path: string; value?: unknown }[]) {
    const keys = operation.path.slice(1).split("/").map(unescaped);
    const last = keys.pop() ?? "";
    const parent = keys.reduce((value: unknown, key) => mapping(value)[key], next);
    if (!isMapping(parent)) return undefined;
    if (operation.op === "test" && !isDeepStrictEqual(parent[last], operation.value))
      return undefined;
    if (operation.op === "remove") Reflect.deleteProperty(parent, last);
    else if (operation.op !== "test") parent[last] = operation.value;
    next = { ...(next as Mapping) };
  }
  return next;
}

const unescaped = (key: string) => key.replaceAll("~1", "/").replaceAll("~0", "~");

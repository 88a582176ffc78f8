import { isRepository } from "../image/reference.ts";

/** Names of a `_catalog` answer; what is no name of a repository is left out. */
export function repositoriesOf(body: Buffer): string[] {
  return namesIn(body, "repositories").filter(isRepository);
}

/** Names of a `tags/list` answer; `tags` is null where all of them were deleted. */
export function tagsOf(body: Buffer): string[] {
  return namesIn(body, "tags").filter((tag) => /^\w[\w.-]{0,127}$/.test(tag));
}

function namesIn(body: Buffer, key: string): string[] {
  let document: unknown;
  try {
    document = JSON.parse(body.toString());
  } catch {
    return [];
  }
  const names = (Object(document) as Record<string, unknown>)[key];
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}

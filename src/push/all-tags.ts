import { listImageNames } from "../engine/list.ts";
import { isSameName } from "../image/reference.ts";
import type { ImageRequest } from "./request.ts";
import type { Context, PushOptions } from "./types.ts";

/**
 * One request for each tag that the engine has in the repositories that were asked for, each in the order
 * of its tags. A repository without any stays as it is: the engine then says that it has no such image.
 *
 * @throws KpushError `ENGINE_*` where the engine cannot tell
 */
export async function everyTag(
  requests: readonly ImageRequest[],
  options: PushOptions,
  { surroundings, signal }: Context,
): Promise<ImageRequest[]> {
  const names = await listImageNames(options, surroundings, signal, { ssh: true, strict: true });
  const all = requests.flatMap((request): ImageRequest[] => {
    if (request.kind !== "image") return [request];
    const tags = names
      .map((name) => name.slice(name.lastIndexOf(":") + 1))
      .filter((tag, at) => isSameName(names[at] ?? "", `${request.reference}:${tag}`));
    const images = [...new Set(tags)].sort().map((tag) => `${request.reference}:${tag}`);
    const every = images.map((image) => ({ kind: "image" as const, image, reference: image }));
    return every.length > 0 ? every : [request];
  });
  // A name may have been given twice.
  return all.filter(({ image }, at) => all.findIndex((other) => other.image === image) === at);
}

import { KpushError } from "../errors.ts";
import { parseImageArgument } from "../image/argument.ts";
import { checkTag, destinationOf, parseReference } from "../image/reference.ts";
import { plain } from "../image/text.ts";
import type { Surroundings } from "../cluster/types.ts";
import type { Source } from "./sources.ts";
import type { PushOptions, Target } from "./types.ts";

/** One image that the user asked for; `image` is how it was written. */
export type ImageRequest =
  | { kind: "image"; image: string; reference: string }
  | { kind: "archive"; image: string; path: string }
  | { kind: "stdin"; image: string };

/** A source that can be pushed. */
export type ReadySource = Exclude<Source, { kind: "missing" }>;

/** A source with its place in the registry, or why there is nothing to push. */
export type Claim =
  | { kind: "placed"; source: ReadySource; target: Target }
  | { kind: "refused"; image: string; error: unknown };

/**
 * Reads the images of a push, and refuses what no cluster and no engine need be asked about.
 *
 * @throws KpushError `USAGE` or `BAD_REFERENCE`
 */
export function parseRequests(
  { images, name, tags = [], allTags = false }: PushOptions,
  { stdin }: Pick<Surroundings, "stdin">,
): ImageRequest[] {
  if (images.length === 0)
    throw new KpushError("USAGE", "no image is named", { hint: "kpush myapp:dev" });
  if (name !== undefined) {
    if (images.length > 1) {
      throw new KpushError("USAGE", "--name is for one image only", {
        hint: "push the images one by one",
      });
    }
    parseReference(name);
  }
  for (const tag of tags) checkTag(tag);
  if (allTags) checkAllTags(images, name, tags);
  if (images.filter((image) => image === "-").length > 1) {
    throw new KpushError("USAGE", "- is there twice, and standard input can be read but once", {
      hint: "save one of the images to a file",
    });
  }
  return images.map((image) => {
    const argument = parseImageArgument(image);
    switch (argument.kind) {
      case "image":
        checkName(argument.reference, name);
        return { kind: "image", image, reference: argument.reference };
      case "archive":
        return { kind: "archive", image, path: argument.path };
      case "oci":
        return { kind: "archive", image, path: argument.path };
      case "stdin":
        if (!stdin) throw noStandardInput();
        return { kind: "stdin", image };
    }
  });
}

function checkAllTags(
  images: readonly string[],
  name: string | undefined,
  tags: readonly string[],
): void {
  const other = name !== undefined ? "--name" : tags.length > 0 ? "--tag" : undefined;
  if (other !== undefined) {
    const message = `--all-tags and ${other} exclude each other: every image keeps its own tag`;
    throw new KpushError("USAGE", message, { hint: "leave one out" });
  }
  for (const image of images) {
    const { kind } = parseImageArgument(image);
    const named = kind === "image" ? parseReference(image) : undefined;
    if (named && named.tag === undefined && named.digest === undefined) continue;
    const what = named ? "has one, or a digest" : "is an archive";
    throw new KpushError(
      "USAGE",
      `--all-tags takes a name without a tag; "${plain(image, 300)}" ${what}`,
      {
        hint: "kpush --all-tags myapp pushes myapp:dev, myapp:v1 and so on",
      },
    );
  }
}

export function noStandardInput(): KpushError {
  return new KpushError(
    "USAGE",
    "standard input is a terminal, or not there: no image can be read from it",
    {
      hint: "pipe one into it: docker save myapp:dev | kpush -",
    },
  );
}

/** An id, or a name with a digest, gets its place from the image's own names: the engine must tell. */
function checkName(reference: string, name: string | undefined): void {
  if (/^(?:sha256:)?[0-9a-f]{1,64}$/.test(reference)) return;
  const { digest } = parseReference(reference);
  if (digest === undefined)
    destinationOf({ reference, id: undefined, names: [], name, pullAddress: "" });
}

/**
 * Gives each source its place in the registry. Two images with one place are refused before anything
 * is sent: which of them the tag would name in the end, no one could say.
 *
 * @throws KpushError `SAME_TARGET`
 */
export function claimTargets(
  sources: readonly Source[],
  options: PushOptions,
  pullAddress: string,
): Claim[] {
  const taken = new Map<string, string>();
  return sources.map((source): Claim => {
    const { image } = source.request;
    if (source.kind === "missing") return { kind: "refused", image, error: source.error };
    let target: Target;
    try {
      target = targetOf(source, options, pullAddress);
    } catch (error) {
      return { kind: "refused", image, error };
    }
    for (const tag of target.tags) {
      const place = `${target.repository}:${tag}`;
      const other = taken.get(place);
      if (other !== undefined && other !== image) throw sameTarget(other, image, place);
      taken.set(place, image);
    }
    return { kind: "placed", source, target };
  });
}

function targetOf(source: ReadySource, options: PushOptions, pullAddress: string): Target {
  const { name, tags = [] } = options;
  const described = source.kind === "engine" ? source.local : source.archive;
  const { repository, tag } = destinationOf({
    reference: source.request.kind === "image" ? source.request.reference : undefined,
    id: described.id,
    names: described.names,
    name,
    pullAddress,
  });
  return { repository, tags: [tag, ...tags.filter((more) => more !== tag)], pullAddress };
}

function sameTarget(one: string, other: string, place: string): KpushError {
  return new KpushError(
    "SAME_TARGET",
    `${one} and ${other} would both become ${place} in the registry`,
    {
      hint: "push one of them with --name NAME[:TAG]",
    },
  );
}

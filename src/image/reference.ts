import { KpushError, messageOf } from "../errors.ts";
import { isDigest } from "./digest.ts";
import { plain } from "./text.ts";

/** A name of an image, taken apart as docker does; nothing is dropped yet. */
export interface Reference {
  /** `ghcr.io`, `localhost:5000`, `[::1]:5000`; undefined where the name has none. */
  domain: string | undefined;
  /** Without the domain, e.g. `acme/app`. */
  path: string;
  tag: string | undefined;
  digest: string | undefined;
}

/** Where in a registry an image goes. */
export interface Destination {
  repository: string;
  tag: string;
}

const nameLimit = 255;
const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const tagSyntax = /^\w[\w.-]{0,127}$/;
const domainSyntax =
  /^(?:\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::[0-9]+)?$/;

/**
 * Takes an image's name apart; grammar of github.com/distribution/reference.
 *
 * @throws KpushError `BAD_REFERENCE` that says which part is wrong, and how it should be
 */
export function parseReference(text: string): Reference {
  if (text === "") throw bad("an image name is empty", "name an image, for example myapp:dev");
  if (text.length > nameLimit + 1 + 128 + 1 + 135) throw tooLong(text);
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw bad(
      `"${show(text)}": what follows the @ is no digest`,
      "a digest is sha256: and 64 hex digits",
    );
  }
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const tagged = colon > named.lastIndexOf("/");
  const tag = tagged ? checkTag(named.slice(colon + 1), text) : undefined;
  const name = tagged ? named.slice(0, colon) : named;
  if (name.length > nameLimit) throw tooLong(text);

  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(0, slash));
  if (slash === -1 || !looksLikeDomain(first))
    return { domain: undefined, path: checkPath(name, text), tag, digest };
  if (!domainSyntax.test(first)) {
    throw bad(
      `"${show(text)}": "${show(first)}" is no registry address`,
      "an address is written like ghcr.io or localhost:5000",
    );
  }
  return { domain: first, path: checkPath(name.slice(slash + 1), text), tag, digest };
}

/**
 * A tag as it may follow a name.
 *
 * @param within - the text it stands in, for the error
 * @throws KpushError `BAD_REFERENCE`
 */
export function checkTag(tag: string, within = tag): string {
  if (tagSyntax.test(tag)) return tag;
  throw bad(
    tag === ""
      ? `"${show(within)}": the tag after the colon is empty`
      : `"${show(within)}": "${show(tag)}" is no valid tag`,
    "a tag has up to 128 letters, digits, dots, dashes and underscores, and begins with none of . and -",
  );
}

/**
 * The one way of writing a name, for comparing: `busybox`, `busybox:latest` and
 * `docker.io/library/busybox` are the same.
 *
 * @param pullAddress - the registry's own, which is dropped too
 */
function normalizeReference(reference: Reference, pullAddress?: string): Destination {
  const { path, tag = "latest" } = reference;
  const parts = [...(reference.domain === undefined ? [] : [reference.domain]), ...path.split("/")];
  for (;;) {
    const [first = "", second] = parts;
    const dropped =
      ["docker.io", "index.docker.io", "library", "localhost", pullAddress].includes(first) &&
      second !== undefined;
    if (!dropped) break;
    parts.shift();
  }
  return { repository: parts.join("/"), tag };
}

/** Whether a text may stand as a repository in a URL of the registry. */
export function isRepository(text: string): boolean {
  return text.length <= nameLimit && text.split("/").every((part) => component.test(part));
}

/** What {@link destinationOf} works with. */
export interface DestinationFacts {
  /** The image as the user named it; undefined for an archive. */
  reference: string | undefined;
  /** The image's id and names as the engine or the archive says; the id is `sha256:…`. */
  id: string | undefined;
  names: readonly string[];
  /** `--name NAME[:TAG]` */
  name: string | undefined;
  /** e.g. `localhost:5000` */
  pullAddress: string;
}

/**
 * Where an image goes, by the design's rule of names. Ids and `name@sha256:…` take the image's first
 * tag as their name.
 *
 * @throws KpushError `NAME_NEEDED`, `BAD_REFERENCE`
 */
export function destinationOf({
  reference,
  id,
  names,
  name,
  pullAddress,
}: DestinationFacts): Destination {
  if (name !== undefined) {
    const parsed = parseReference(name);
    if (parsed.digest === undefined) return checkDestination(parsed, name, pullAddress);
    throw bad(
      `--name ${show(name)}: a name in the registry has no digest`,
      "give --name NAME[:TAG]",
    );
  }
  const chosen = reference === undefined ? names[0] : chooseName(reference, id, names);
  try {
    if (chosen !== undefined) return checkDestination(parseReference(chosen), chosen, pullAddress);
  } catch (error) {
    if (reference !== undefined) throw error;
    throw bad(`the archive's own name for its image will not do: ${messageOf(error)}`, wayOut);
  }
  throw new KpushError(
    "NAME_NEEDED",
    reference === undefined
      ? "the archive does not say what its image is called"
      : `the image ${show(reference)} has no name of its own`,
    { hint: "add --name NAME[:TAG]" },
  );
}

/** Whether the text names an image by its id, whole or shortened: names that look the same go first. */
export function isIdOf(text: string, id: string | undefined, names: readonly string[]): boolean {
  const hex = /^(?:sha256:)?([0-9a-f]{1,64})$/.exec(text)?.[1];
  if (hex === undefined) return false;
  // No name may look like these two.
  if (text.startsWith("sha256:") || hex.length === 64) return true;
  return id?.startsWith(`sha256:${hex}`) === true && !names.some((name) => isSameName(name, text));
}

function chooseName(
  reference: string,
  id: string | undefined,
  names: readonly string[],
): string | undefined {
  if (isIdOf(reference, id, names)) return names[0];
  const parsed = parseReference(reference);
  if (parsed.digest === undefined || parsed.tag !== undefined) return reference;
  const { repository } = normalizeReference(parsed);
  return names.find((name) => repositoryOf(name) === repository) ?? names[0];
}

/** Whether two texts name the same image: `app` and `docker.io/library/app:latest` do. */
export function isSameName(name: string, text: string): boolean {
  try {
    const [one, two] = [name, text].map((each) => normalizeReference(parseReference(each)));
    return one?.repository === two?.repository && one?.tag === two?.tag;
  } catch {
    return false;
  }
}

function repositoryOf(name: string): string | undefined {
  try {
    return normalizeReference(parseReference(name)).repository;
  } catch {
    return undefined;
  }
}

function checkDestination(reference: Reference, text: string, pullAddress: string): Destination {
  const { repository, tag } = normalizeReference(reference, pullAddress);
  const [first = "", ...rest] = repository.split("/");
  const path = [first.replaceAll(":", "-"), ...rest].join("/");
  if (!path.split("/").every((part) => component.test(part))) {
    throw bad(
      `"${show(text)}" cannot be a name in the registry: "${show(first)}" is no valid part of one`,
      wayOut,
    );
  }
  if (`${pullAddress}/${path}`.length > nameLimit) throw tooLong(text);
  return { repository: path, tag };
}

const wayOut = "choose a name with --name NAME[:TAG]";

function looksLikeDomain(first: string): boolean {
  return /[.:[\]]/.test(first) || first === "localhost" || first !== first.toLowerCase();
}

function checkPath(path: string, text: string): string {
  if (path.split("/").every((part) => component.test(part))) return path;
  const lower = path.toLowerCase();
  if (lower !== path && lower.split("/").every((part) => component.test(part))) {
    throw bad(
      `"${show(text)}": an image name has lower-case letters only`,
      `did you mean ${show(text.replace(path, lower))}?`,
    );
  }
  throw bad(
    `"${show(text)}" is no image name`,
    "names have lower-case letters and digits, with single . _ or - in between, like team/my-app:dev",
  );
}

function tooLong(text: string): KpushError {
  return bad(
    `"${show(text, 40)}" is longer than the ${nameLimit} characters that a name may have`,
    "give it a shorter name",
  );
}

function show(text: string, most = 120): string {
  return plain(text, most);
}

function bad(message: string, hint: string): KpushError {
  return new KpushError("BAD_REFERENCE", message, { hint });
}

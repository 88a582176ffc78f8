import { KpushError } from "../../errors.ts";
import type { Report } from "../../events.ts";
import { destinationOf } from "../../image/reference.ts";
import { plain } from "../../image/text.ts";
import type { Archive, OpenArchive } from "./source.ts";

/** An image of an archive that is to be pushed, under the first of its names. */
export interface ChosenImage {
  /** How to call it: the archive as the user named it, and which image of it where there are several. */
  label: string;
  archive: Archive;
}

/**
 * Which images of an archive are pushed, and as what: all of them under all their names, as `docker load`
 * has it; or the only one, under the name that the user gives it.
 *
 * @param what - the archive as the user named it
 * @param name - `--name`
 * @throws KpushError `USAGE`, `NAME_NEEDED`, `ARCHIVE_INVALID`
 */
export function chooseImages(
  what: string,
  { images }: OpenArchive,
  name: string | undefined,
  report: Report,
): ChosenImage[] {
  const [first, ...others] = images;
  if (name !== undefined && others.length > 0) {
    throw new KpushError(
      "USAGE",
      `${plain(what, 300)} holds several images, and --name is for one only: ${list(images)}`,
      { hint: "leave out --name: each goes by the name that it has" },
    );
  }
  const named = name === undefined ? images.flatMap(byName) : [];
  if (named.length === 0) {
    if (others.length === 0) return [{ label: what, archive: first }];
    throw new KpushError(
      "NAME_NEEDED",
      `${plain(what, 300)} holds several images, of which none has a name`,
      { hint: "save each to an archive of its own, and push it with --name NAME[:TAG]" },
    );
  }
  checkPlaces(what, named);
  if (images.some(({ names }) => names.length === 0)) {
    const message = `an image of ${plain(what, 300)} is left out: it has no name there`;
    report({ type: "warning", message });
  }
  const label = ({ names: [own = ""] }: Archive) =>
    named.length === 1 ? what : `${short(own)} of ${what}`;
  return named.map((archive) => ({ label: label(archive), archive }));
}

/** The image once for each of its names; two ways of writing one name are one. */
function byName(archive: Archive): Archive[] {
  const names = new Map(archive.names.toReversed().map((name) => [placeOf(name), name]));
  return [...names.values()].toReversed().map((name) => ({ ...archive, names: [name] }));
}

function checkPlaces(what: string, images: readonly Archive[]): void {
  const places = new Set(images.map(({ names: [name = ""] }) => placeOf(name)));
  if (places.size === images.length) return;
  throw new KpushError(
    "ARCHIVE_INVALID",
    `${plain(what, 300)} gives several images one name: ${list(images)}`,
    { hint: "save each image to an archive of its own" },
  );
}

/** What two names have in common that lead to one place in a registry. */
function placeOf(name: string): string {
  try {
    const facts = { reference: undefined, id: undefined, name: undefined, pullAddress: "" };
    const { repository, tag } = destinationOf({ ...facts, names: [name] });
    return `${repository}:${tag}`;
  } catch {
    return name; // told when its turn comes
  }
}

function list(images: readonly Archive[]): string {
  const names = images.flatMap((image) => (image.names.length > 0 ? image.names : ["one without"]));
  return plain(names.map(short).join(", "), 300);
}

/** As docker shows it. */
function short(name: string): string {
  return plain(name.replace(/^docker\.io\/(?:library\/)?/, ""), 300);
}

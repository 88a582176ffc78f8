import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";

/**
 * A name or id of an image as it stands in a URL: its slashes stay, and it cannot climb.
 *
 * @throws KpushError `BAD_REFERENCE`
 */
export function pathOfImage(name: string): string {
  const parts = name.split("/");
  if (parts.some((part) => /^\.{0,2}$/.test(part))) {
    throw new KpushError("BAD_REFERENCE", `"${plain(name, 200)}" is no image name`, {
      hint: "list what is there: docker images",
    });
  }
  return parts
    .map((part) => encodeURIComponent(part).replaceAll("%3A", ":").replaceAll("%40", "@"))
    .join("/");
}

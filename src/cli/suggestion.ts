import { KpushError } from "../errors.ts";
import { nearest } from "./nearest.ts";

/** What a lone word on the command line may have been meant to be. */
const commandWords = [
  "push",
  "tunnel",
  "demo",
  "install",
  "uninstall",
  "status",
  "doctor",
  "gc",
  "completion",
];

/** What people try first on a command that they do not know. */
const switches: Record<string, string> = { help: "--help", version: "--version" };

/**
 * `kpush instal` is an image name, until it turns out that there is no such image: then the hint
 * offers the command. Other errors, and other words, stay as they are.
 */
export function withNearestCommand(error: unknown, image: string): unknown {
  if (!(error instanceof KpushError) || error.code !== "IMAGE_NOT_FOUND") return error;
  const meant = switches[image] ?? nearest(image, commandWords);
  if (meant === undefined) return error;
  const { code, message, cause } = error;
  return new KpushError(code, message, { hint: `kpush ${meant}, if the command is meant`, cause });
}

import { KpushError } from "../errors.ts";
import { matchesPlatform } from "../image/platform.ts";
import { plain } from "../image/text.ts";
import type { LocalImage } from "./types.ts";

/**
 * The platform of the image that `wanted` names, as the image itself writes it.
 *
 * @param tool - the program that a hint names
 * @throws KpushError `PLATFORM_NOT_FOUND`, `IMAGE_UNSUPPORTED`, `USAGE`
 */
export function choosePlatform(
  name: string,
  { platform, manifests }: LocalImage,
  wanted: string,
  tool: string,
): string {
  const images = manifests.filter((one) => one.kind === "image");
  const have =
    images.length > 0
      ? images.map(({ platform: of, available }) => ({ platform: of || platform, available }))
      : [{ platform, available: true }];
  const fitting = have.filter((one) => matchesPlatform(wanted, one.platform));
  const there = fitting.find((one) => one.available);
  if (!there) throw platformNotFound(name, wanted, have, tool);
  if (there.platform.startsWith("windows")) throw imageNotFit(name, there.platform);
  return there.platform;
}

/** As the engine's API takes a platform. */
export function platformJson(platform: string): string {
  const [os, architecture, variant] = platform.split("/");
  return JSON.stringify({ os, architecture, ...(variant && { variant }) });
}

/** The image is for a system that no node of kpush's registry could run, or whose layers it cannot send. */
export function imageNotFit(name: string, platform: string): KpushError {
  return new KpushError("IMAGE_UNSUPPORTED", `${plain(name, 200)} is an image for ${platform}`, {
    hint: "kpush pushes Linux images; switch the engine to Linux containers and build it there",
  });
}

/** The image has not the platform that was asked for, or it is not here. */
function platformNotFound(
  name: string,
  wanted: string,
  have: readonly { platform: string; available: boolean }[],
  tool: string,
): KpushError {
  const list = have
    .map(({ platform, available }) => `${platform || "unknown"}${available ? "" : " (not pulled)"}`)
    .join(", ");
  const image = plain(name, 200);
  return new KpushError(
    "PLATFORM_NOT_FOUND",
    `${image} is not here for ${plain(wanted, 100)}; it has ${list}`,
    { hint: `get it: ${tool} pull --platform ${plain(wanted, 100)} ${image}, or build it` },
  );
}

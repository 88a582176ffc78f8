import { KpushError } from "../errors.ts";
import { plain } from "./text.ts";

const aliases: Record<string, string> = {
  x86_64: "amd64",
  "x86-64": "amd64",
  aarch64: "arm64",
  armhf: "arm",
};

/** The variant that an architecture has where none is named. */
const usualVariants: Record<string, string> = { amd64: "v1", arm64: "v8", arm: "v7" };

/**
 * Whether an image for the platform `have` is what `wanted` asks for; both `os/architecture[/variant]`,
 * and `wanted` may be an architecture alone, as docker reads it. A variant that is not asked for is
 * not looked at.
 *
 * @throws KpushError `USAGE` where `wanted` is no platform
 */
export function matchesPlatform(wanted: string, have: string): boolean {
  const want = parse(wanted);
  const [os, architecture = "", variant] = have.toLowerCase().split("/");
  if (want.os !== os || want.architecture !== known(architecture)) return false;
  return (
    want.variant === undefined || want.variant === (variant ?? usualVariants[known(architecture)])
  );
}

/** What machines run besides their own: the 32 bit programs of their kind. */
const alsoRuns = new Map([
  ["amd64", "386"],
  ["arm64", "arm"],
]);

/**
 * Whether a node of a platform (`linux/amd64`) runs an image for another. Variants do not count: nodes do not
 * tell theirs.
 */
export function runsOn(node: string, image: string): boolean {
  const [os = "", architecture = ""] = node.split("/");
  return [architecture, alsoRuns.get(architecture)].some(
    (one) => one !== undefined && matchesPlatform(`${os}/${one}`, image),
  );
}

/**
 * Refuses an image of another platform than `wanted`, and one for Windows, whose base layers are not
 * in it.
 *
 * @throws KpushError `PLATFORM_NOT_FOUND`, `IMAGE_UNSUPPORTED`
 */
export function requirePlatform(
  wanted: string | undefined,
  have: string | undefined,
  what: string,
): void {
  if (have?.startsWith("windows/")) {
    throw new KpushError(
      "IMAGE_UNSUPPORTED",
      `${plain(what, 300)} holds a Windows image; kpush pushes images for Linux nodes`,
    );
  }
  if (wanted === undefined || have === undefined || matchesPlatform(wanted, have)) return;
  throw platformNotFound(wanted, [have], what);
}

export function platformNotFound(
  wanted: string,
  have: readonly string[],
  what: string,
): KpushError {
  const holds = have.length > 0 ? `; it holds ${plain(have.join(", "), 300)}` : "";
  return new KpushError(
    "PLATFORM_NOT_FOUND",
    `${plain(what, 300)} holds no image for ${plain(wanted, 100)}${holds}`,
    {
      hint:
        have.length > 0
          ? `try --platform ${plain(have[0] ?? "", 100)}`
          : "build or pull it with --platform",
    },
  );
}

function parse(platform: string): {
  os: string;
  architecture: string;
  variant: string | undefined;
} {
  const parts = platform.toLowerCase().split("/");
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]+$/.test(part))) {
    throw new KpushError("USAGE", `"${plain(platform, 100)}" is no platform`, {
      hint: "a platform is written like linux/amd64 or linux/arm64/v8",
    });
  }
  if (parts.length === 1)
    return { os: "linux", architecture: known(parts[0] ?? ""), variant: undefined };
  const [os = "", architecture = "", variant] = parts;
  return { os, architecture: known(architecture), variant };
}

function known(architecture: string): string {
  return aliases[architecture] ?? architecture;
}

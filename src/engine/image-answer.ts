import { KpushError } from "../errors.ts";
import { isDigest } from "../image/digest.ts";
import { plain } from "../image/text.ts";
import type { ImageStore, LocalImage, LocalManifest } from "./types.ts";

interface PlatformAnswer {
  os?: string;
  architecture?: string;
  variant?: string;
}

/** What `GET /images/NAME/json?manifests=1` answers, as far as it is read. Nothing in it is trusted. */
interface ImageAnswer {
  Id?: unknown;
  RepoTags?: unknown;
  RepoDigests?: unknown;
  Os?: unknown;
  Architecture?: unknown;
  Variant?: unknown;
  Size?: unknown;
  RootFS?: { Layers?: unknown } | null;
  Descriptor?: unknown;
  Manifests?: ManifestAnswer[] | null;
}

interface ManifestAnswer {
  Available?: unknown;
  Kind?: unknown;
  Descriptor?: { digest?: unknown; mediaType?: unknown; platform?: PlatformAnswer };
  Size?: { Content?: unknown } | null;
  ImageData?: { Platform?: PlatformAnswer; Size?: { Unpacked?: unknown } | null } | null;
}

/**
 * Reads what an engine says of an image, and by the way how it stores images: only a containerd store
 * has a `Descriptor` (since Docker 28), and only there the Id is a manifest's digest, as in `RepoDigests`.
 *
 * @param podman - the answer is Podman's
 * @throws KpushError `ENGINE_FAILED` where it is no image's description
 */
export function readImageAnswer(
  text: string,
  podman: boolean,
): { image: LocalImage; store: ImageStore } {
  const answer = parseAnswer(text);
  const id = typeof answer.Id === "string" ? answer.Id.replace(/^(?:sha256:)?/, "sha256:") : "";
  if (!isDigest(id)) throw notAnImage();
  const containerd =
    answer.Descriptor !== undefined ||
    strings(answer.RepoDigests).some((name) => name.endsWith(`@${id}`));
  return {
    image: {
      id,
      names: strings(answer.RepoTags).filter((name) => !name.includes("<none>")),
      platform: platformText({
        os: asText(answer.Os),
        architecture: asText(answer.Architecture),
        variant: asText(answer.Variant),
      }),
      size: typeof answer.Size === "number" ? answer.Size : 0,
      diffIds: strings(answer.RootFS?.Layers).filter(isDigest),
      manifests: Array.isArray(answer.Manifests) ? answer.Manifests.flatMap(readManifest) : [],
    },
    store: podman ? "podman" : containerd ? "containerd" : "graph",
  };
}

function parseAnswer(text: string): ImageAnswer {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Told below.
  }
  throw notAnImage();
}

function readManifest({
  Available,
  Kind,
  Descriptor,
  Size,
  ImageData,
}: ManifestAnswer): LocalManifest[] {
  if (!isDigest(Descriptor?.digest)) return [];
  const [stored, unpacked] = [Size?.Content, ImageData?.Size?.Unpacked];
  const sized = typeof stored === "number" && typeof unpacked === "number" && unpacked > 0;
  return [
    {
      digest: Descriptor.digest,
      mediaType: asText(Descriptor.mediaType),
      platform: platformText(ImageData?.Platform ?? Descriptor.platform ?? {}),
      available: Available === true,
      kind: Kind === "image" || Kind === "attestation" ? Kind : "unknown",
      ...(sized && { compressed: stored < 0.9 * unpacked }),
    },
  ];
}

function platformText({ os, architecture, variant }: PlatformAnswer): string {
  if (!os || !architecture || os === "unknown") return "";
  return plain([os, architecture, ...(variant ? [variant] : [])].join("/"), 100);
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function notAnImage(): KpushError {
  return new KpushError("ENGINE_FAILED", "what answered does not speak the Docker API", {
    hint: "see what listens there: docker version",
  });
}

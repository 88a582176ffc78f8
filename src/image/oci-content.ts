import { KpushError } from "../errors.ts";
import type { ArchiveIndex } from "./archive-index.ts";
import type { ImageContent } from "./content.ts";
import type { Node, OciImage } from "./oci-layout.ts";
import { matchesPlatform, platformNotFound, requirePlatform } from "./platform.ts";
import { plain } from "./text.ts";

/**
 * Chooses what to push of it: the image for the platform that is asked for; else all, where all is
 * there; else the one platform that is there whole.
 *
 * @throws KpushError `ARCHIVE_INVALID`, `PLATFORM_NOT_FOUND`, `IMAGE_UNSUPPORTED`
 */
export function assembleOciImage(
  index: ArchiveIndex,
  { root }: OciImage,
  wanted: string | undefined,
): ImageContent {
  if (root.children.length === 0) {
    requirePlatform(wanted, root.platform, index.what);
    return contentOf(whole(index, root));
  }
  const images = imagesOf(root);
  if (wanted !== undefined) {
    const fitting = images.filter(
      ({ platform }) => platform !== undefined && matchesPlatform(wanted, platform),
    );
    const chosen = fitting.find(isWhole) ?? fitting[0];
    if (!chosen) throw platformNotFound(wanted, platforms(images.filter(isWhole)), index.what);
    requirePlatform(undefined, chosen.platform, index.what);
    return { ...contentOf(whole(index, chosen)), onlyPlatform: wanted };
  }
  if (isWhole(root)) return contentOf(root);
  const [only, ...more] = images.filter(isWhole);
  if (!only) return contentOf(whole(index, root));
  if (more.length > 0) {
    const have = platforms([only, ...more]);
    throw new KpushError(
      "PLATFORM_NOT_FOUND",
      `${plain(index.what, 300)} holds only some of its platforms: ${plain(have.join(", "), 300)}`,
      {
        hint: `choose one with --platform, for example --platform ${plain(have[0] ?? "", 100)}`,
      },
    );
  }
  requirePlatform(undefined, only.platform, index.what);
  return { ...contentOf(only), onlyPlatform: only.platform ?? "unknown" };
}

function contentOf(node: Node): ImageContent {
  const all = [...flatten(node)];
  const blobs = new Map(all.flatMap((one) => one.blobs).map((blob) => [blob.digest, blob]));
  const { configDigest } = node;
  const documents = new Map(
    all.map(({ digest, mediaType, bytes }) => [digest, { digest, mediaType, bytes }]),
  );
  documents.delete(node.digest);
  return {
    manifests: [...documents.values(), node],
    blobs: [...blobs.values()],
    configDigest,
    platforms: platformsOf(node),
    onlyPlatform: undefined,
  };
}

/** Children first. */
function flatten(node: Node): Node[] {
  return [...node.children.flatMap(flatten), node];
}

function leaves(node: Node): Node[] {
  return flatten(node).filter(({ children }) => children.length === 0);
}

function imagesOf(node: Node): Node[] {
  return leaves(node).filter(({ attestation }) => !attestation);
}

function platformsOf(node: Node): string[] {
  const known = imagesOf(node).map(({ platform }) => platform);
  return known.every((one) => one !== undefined) ? known : [];
}

function isWhole({ missing }: Node): boolean {
  return missing.length === 0;
}

function whole(index: ArchiveIndex, node: Node): Node {
  const [first, ...more] = node.missing;
  if (first === undefined) return node;
  throw index.damaged(`${first} is missing${more.length > 0 ? `, and ${more.length} more` : ""}`);
}

function platforms(nodes: readonly Node[]): string[] {
  return [...new Set(nodes.map(({ platform }) => platform ?? "unknown"))];
}

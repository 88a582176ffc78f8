import { KpushError } from "../errors.ts";
import type { ArchiveIndex } from "./archive-index.ts";
import type { ImageBlob, ImageContent, ImageDocument } from "./content.ts";
import { digestOf } from "./digest.ts";
import { readEntry, severalImages } from "./docker-archive.ts";
import {
  indexDepth,
  isAttestation,
  mediaTypes,
  parseDocument,
  parseManifest,
  platformOf,
  type Descriptor,
  type ImageIndex,
} from "./manifest.ts";
import { matchesPlatform, platformNotFound, requirePlatform } from "./platform.ts";
import { plain } from "./text.ts";

/** The one image of an OCI image layout: what its index.json leads to. */
export interface OciImage {
  root: Node;
  names: string[];
}

/** A manifest or an index with all below it that the archive holds. */
interface Node extends ImageDocument {
  /** Undefined for an index. */
  platform: string | undefined;
  attestation: boolean;
  configDigest: string | undefined;
  children: Node[];
  blobs: ImageBlob[];
  /** Digests of what it names and the archive lacks; those of its children too. */
  missing: string[];
}

/**
 * Reads an OCI image layout (image-spec 1.1, image-layout.md) and follows it down to the blobs.
 *
 * @throws KpushError `ARCHIVE_INVALID`, or `IMAGE_UNSUPPORTED` where there are several images
 */
export async function readOciLayout(index: ArchiveIndex): Promise<OciImage> {
  const bytes = await readEntry(index, "index.json");
  const layout = parseManifest(bytes, mediaTypes.ociIndex, "index.json");
  if (layout.kind !== "index") throw index.damaged("its index.json is no index");
  const { manifests } = layout;
  const names = [...new Set(manifests.map(nameOf).filter((name) => name !== undefined))];
  const [first, ...others] = manifests;
  if (!first) throw index.damaged("its index.json lists no image");
  if (others.every(({ digest }) => digest === first.digest)) {
    const root = await readNode(index, first, 0);
    if (root) return { root, names };
    throw index.damaged(`${first.digest} is missing`);
  }
  // Some tools list the platforms of one image in index.json itself.
  const isOne = names.length < 2 && manifests.every(({ platform }) => platform !== undefined);
  if (!isOne) throw severalImages(index, names);
  const document = { digest: digestOf(bytes), mediaType: mediaTypes.ociIndex, bytes };
  return { root: await readIndex(index, layout, document, 0), names };
}

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
  const images = leaves(root).filter(({ attestation }) => !attestation);
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

async function readNode(
  index: ArchiveIndex,
  descriptor: Descriptor,
  depth: number,
): Promise<Node | undefined> {
  const { digest, size, mediaType } = descriptor;
  const name = blobName(digest);
  if (index.find(name)?.size !== size) {
    if (!index.find(name)) return undefined;
    throw index.damaged(`${digest} has not the size that it should have`);
  }
  const bytes = await readEntry(index, name);
  if (digestOf(bytes, digest) !== digest)
    throw index.damaged(`the content of ${digest} is another`);
  const parsed = parseManifest(bytes, mediaType, digest);
  const document: ImageDocument = { digest, mediaType: parsed.mediaType, bytes };
  if (parsed.kind === "index") return readIndex(index, parsed, document, depth);

  const attestation = isAttestation(descriptor);
  const blobs: ImageBlob[] = [];
  const missing: string[] = [];
  for (const one of [parsed.config, ...parsed.layers]) {
    const entry = index.find(blobName(one.digest));
    if (!entry) {
      if (!one.foreign) missing.push(one.digest);
      continue;
    }
    if (entry.size !== one.size)
      throw index.damaged(`${one.digest} has not the size that it should have`);
    const kind = one === parsed.config ? "config" : attestation ? "attestation" : "layer";
    blobs.push({ digest: one.digest, size: one.size, kind, entry });
  }
  const platform =
    descriptor.platform ?? (attestation ? undefined : await configPlatform(index, parsed.config));
  return {
    ...document,
    platform,
    attestation,
    configDigest: parsed.config.digest,
    children: [],
    blobs,
    missing,
  };
}

async function readIndex(
  index: ArchiveIndex,
  { manifests }: ImageIndex,
  document: ImageDocument,
  depth: number,
): Promise<Node> {
  if (depth >= indexDepth) throw index.damaged(`its indexes lie more than ${indexDepth} deep`);
  const children: Node[] = [];
  const missing: string[] = [];
  for (const descriptor of manifests) {
    const child = await readNode(index, descriptor, depth + 1);
    if (child) children.push(child);
    missing.push(...(child?.missing ?? [descriptor.digest]));
  }
  return {
    ...document,
    platform: undefined,
    attestation: false,
    configDigest: undefined,
    children,
    blobs: [],
    missing,
  };
}

/** What the config says, where it is an image's (Helm charts and the like have others). */
async function configPlatform(
  index: ArchiveIndex,
  { mediaType, digest, size }: Descriptor,
): Promise<string | undefined> {
  const entry = index.find(blobName(digest));
  if (!entry || ![mediaTypes.ociConfig, mediaTypes.dockerConfig].some((type) => type === mediaType))
    return undefined;
  if (entry.size !== size) return undefined;
  return platformOf(parseDocument(await readEntry(index, blobName(digest)), digest));
}

/** The full name of an image, which containerd, Docker and BuildKit note down; `ref.name` may be a tag alone. */
function nameOf({ annotations }: Descriptor): string | undefined {
  const name =
    annotations["io.containerd.image.name"] ?? annotations["org.opencontainers.image.ref.name"];
  return name !== undefined && /[/:]/.test(name) ? name : undefined;
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

function blobName(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

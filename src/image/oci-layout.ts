import type { ArchiveIndex } from "./archive-index.ts";
import type { ImageBlob, ImageDocument } from "./content.ts";
import { digestOf } from "./digest.ts";
import { readEntry } from "./docker-archive.ts";
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

/** One image of an OCI image layout. */
export interface OciImage {
  root: Node;
  names: string[];
}

/** A manifest or an index with all below it that the archive holds. */
export interface Node extends ImageDocument {
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
 * Reads an OCI image layout (image-spec 1.1, image-layout.md), in the order of its index.json, and
 * follows it down to the blobs. One image that it lists under several names is one.
 *
 * @throws KpushError `ARCHIVE_INVALID`
 */
export async function readOciLayout(index: ArchiveIndex): Promise<[OciImage, ...OciImage[]]> {
  const bytes = await readEntry(index, "index.json");
  const layout = parseManifest(bytes, mediaTypes.ociIndex, "index.json");
  if (layout.kind !== "index") throw index.damaged("its index.json is no index");
  index.checkListed(layout.manifests.length, "index.json");
  const listed = byDigest(layout.manifests);
  const budget = new Budget(index);
  const names = [...new Set(listed.flatMap((one) => one.names))];
  // Some tools list the platforms of one image in index.json itself.
  const isOne =
    listed.length > 1 &&
    names.length < 2 &&
    listed.every(({ descriptor }) => descriptor.platform !== undefined);
  if (isOne) {
    const document = { digest: digestOf(bytes), mediaType: mediaTypes.ociIndex, bytes };
    return [{ root: await readIndex(budget, layout, document, 0), names }];
  }
  const images: OciImage[] = [];
  for (const one of listed) {
    const root = await readNode(budget, one.descriptor, 0);
    if (!root) throw index.damaged(`${one.descriptor.digest} is missing`);
    images.push({ root, names: one.names });
  }
  const [first, ...others] = images;
  if (!first) throw index.damaged("its index.json lists no image");
  return [first, ...others];
}

/** Bytes that all manifests, indexes and configs of a layout may come to, and their number, as often as they are named. */
const mostBytes = 64 * 1024 * 1024;
const mostDocuments = 10_000;

/** Reads a layout's documents, of which indexes that name one another could make any number. */
class Budget {
  readonly index: ArchiveIndex;
  #documents = 0;
  #bytes = 0;

  constructor(index: ArchiveIndex) {
    this.index = index;
  }

  async read(name: string, size: number): Promise<Buffer> {
    this.#documents += 1;
    this.#bytes += size;
    if (this.#documents > mostDocuments || this.#bytes > mostBytes)
      throw this.index.damaged("its indexes name more manifests than any image has");
    return readEntry(this.index, name);
  }
}

interface Listed {
  descriptor: Descriptor;
  names: string[];
}

function byDigest(manifests: readonly Descriptor[]): Listed[] {
  const listed = new Map<string, Listed>();
  for (const descriptor of manifests) {
    const name = nameOf(descriptor);
    const names = new Set(listed.get(descriptor.digest)?.names);
    if (name !== undefined) names.add(name);
    listed.set(descriptor.digest, { descriptor, names: [...names] });
  }
  return [...listed.values()];
}

async function readNode(
  budget: Budget,
  descriptor: Descriptor,
  depth: number,
): Promise<Node | undefined> {
  const { digest, size, mediaType } = descriptor;
  const { index } = budget;
  const name = blobName(digest);
  if (index.find(name)?.size !== size) {
    if (!index.find(name)) return undefined;
    throw index.damaged(`${digest} has not the size that it should have`);
  }
  const bytes = await budget.read(name, size);
  if (digestOf(bytes, digest) !== digest)
    throw index.damaged(`the content of ${digest} is another`);
  const parsed = parseManifest(bytes, mediaType, digest);
  const document: ImageDocument = { digest, mediaType: parsed.mediaType, bytes };
  if (parsed.kind === "index") return readIndex(budget, parsed, document, depth);

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
    descriptor.platform ?? (attestation ? undefined : await configPlatform(budget, parsed.config));
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
  budget: Budget,
  { manifests }: ImageIndex,
  document: ImageDocument,
  depth: number,
): Promise<Node> {
  if (depth >= indexDepth)
    throw budget.index.damaged(`its indexes lie more than ${indexDepth} deep`);
  const children: Node[] = [];
  const missing: string[] = [];
  for (const descriptor of manifests) {
    const child = await readNode(budget, descriptor, depth + 1);
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
  budget: Budget,
  { mediaType, digest, size }: Descriptor,
): Promise<string | undefined> {
  const entry = budget.index.find(blobName(digest));
  if (!entry || ![mediaTypes.ociConfig, mediaTypes.dockerConfig].some((type) => type === mediaType))
    return undefined;
  if (entry.size !== size) return undefined;
  return platformOf(parseDocument(await budget.read(blobName(digest), size), digest));
}

/** The full name of an image, which containerd, Docker and BuildKit note down; `ref.name` may be a tag alone. */
function nameOf({ annotations }: Descriptor): string | undefined {
  const name =
    annotations["io.containerd.image.name"] ?? annotations["org.opencontainers.image.ref.name"];
  return name !== undefined && /[/:]/.test(name) ? name : undefined;
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

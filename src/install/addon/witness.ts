import { createHash } from "node:crypto";
import { KpushError } from "../../errors.ts";
import { isAttestation, parseManifest, type ImageManifest } from "../../image/manifest.ts";
import type { Manifest, RegistryClient } from "../../registry/types.ts";
import { proofRepository } from "../prove/proof-image.ts";

/** An image of the old registry by which the new one shows that it has the old images. */
export interface Witness {
  repository: string;
  tag: string;
  /** Of the manifest or index that the tag named. */
  digest: string;
  /** Digest of its smallest layer, which is read. */
  layer: string;
}

/** `none`: the old registry was empty. `unknown`: it did not run when it was to be asked. */
export type Evidence = Witness | "none" | "unknown";

/** Images that are looked at; of these the one with the smallest layer is taken. */
const enough = 8;
/** Repositories that are looked at, as all of their tags may have been deleted. */
const mostRepositories = 1000;
const page = 100;

/**
 * Chooses an image that the registry serves with all its blobs.
 *
 * @returns undefined where there is none
 * @throws KpushError `REGISTRY_*`, and what a tunnel throws
 */
export async function findWitness(registry: RegistryClient): Promise<Witness | undefined> {
  const found: Sized[] = [];
  for await (const repository of repositoriesOf(registry)) {
    for (const tag of await registry.listTags(repository, 3)) {
      const witness = await witnessOf(registry, repository, tag);
      if (witness) found.push(witness);
      if (witness) break;
    }
    if (found.length >= enough) break;
  }
  const [best] = found.toSorted((one, other) => one.size - other.size);
  return best?.witness;
}

interface Sized {
  witness: Witness;
  /** Of its smallest layer, in bytes. */
  size: number;
}

async function* repositoriesOf(registry: RegistryClient): AsyncGenerator<string> {
  let last: string | undefined;
  for (let seen = 0; seen < mostRepositories; seen += page) {
    const names = await registry.listRepositories(page, last);
    yield* names.filter((name) => name !== proofRepository);
    if (names.length < page) return;
    last = names.at(-1);
  }
}

async function witnessOf(
  registry: RegistryClient,
  repository: string,
  tag: string,
): Promise<Sized | undefined> {
  const top = await registry.getManifest(repository, tag);
  const image = top && (await imageOf(registry, repository, top));
  if (!top || !image) return undefined;
  const blobs = [image.config, ...image.layers].filter(({ foreign }) => !foreign);
  const held = await Promise.all(blobs.map(({ digest }) => registry.hasBlob(repository, digest)));
  const [smallest] = image.layers
    .filter(({ foreign }) => !foreign)
    .toSorted((one, other) => one.size - other.size);
  if (!held.every(Boolean) || !smallest) return undefined;
  const { digest: layer, size } = smallest;
  return { witness: { repository, tag, digest: top.digest, layer }, size };
}

/** The manifest itself, or the first of an index that is there; undefined for what is no image of today. */
async function imageOf(
  registry: RegistryClient,
  repository: string,
  { bytes, mediaType }: Manifest,
): Promise<ImageManifest | undefined> {
  const parsed = parsedOf(bytes, mediaType);
  if (parsed?.kind !== "index") return parsed;
  for (const descriptor of parsed.manifests.filter((one) => !isAttestation(one))) {
    const child = await registry.getManifest(repository, descriptor.digest);
    const image = child && parsedOf(child.bytes, child.mediaType);
    if (image?.kind === "manifest") return image;
  }
  return undefined;
}

function parsedOf(bytes: Buffer, mediaType: string) {
  try {
    return parseManifest(bytes, mediaType, "a manifest");
  } catch {
    return undefined; // schema 1, or an artifact
  }
}

/**
 * Checks that a registry serves the image: its manifest, that its tag still names one, and a layer,
 * each byte of it.
 *
 * @throws KpushError `VERIFY_FAILED`, `REGISTRY_*`
 */
export async function checkServed(registry: RegistryClient, witness: Witness): Promise<void> {
  const { repository, tag, digest, layer } = witness;
  const [manifest, tagged] = await Promise.all([
    registry.getManifest(repository, digest),
    registry.headManifest(repository, tag),
  ]);
  if (!manifest || !tagged) throw notServed(witness, "it has no such image");
  if (!(await registry.hasBlob(repository, layer))) throw notServed(witness, "a layer is missing");
  const hash = createHash(layer.startsWith("sha512:") ? "sha512" : "sha256");
  for await (const chunk of await registry.getBlob(repository, layer)) hash.update(chunk as Buffer);
  const read = `${layer.split(":", 1)[0] ?? ""}:${hash.digest("hex")}`;
  if (read !== layer) throw notServed(witness, `layer ${layer} came as ${read}`);
}

function notServed({ repository, tag }: Witness, why: string): KpushError {
  return new KpushError(
    "VERIFY_FAILED",
    `the new registry does not serve ${repository}:${tag} as the old one did: ${why}`,
    {
      hint: "it may run on another node than the old one did, on a volume that is a node's own disk: kubectl get pods -o wide, and --node-selector",
    },
  );
}

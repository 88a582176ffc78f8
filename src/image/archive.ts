import { KpushError } from "../errors.ts";
import type { ArchiveIndex } from "./archive-index.ts";
import type { ImageContent } from "./content.ts";
import { assembleDockerImage, readDockerArchive, type DockerImage } from "./docker-archive.ts";
import { assembleOciImage } from "./oci-content.ts";
import { readOciLayout } from "./oci-layout.ts";
import { plain } from "./text.ts";

/** An image of an archive, understood but for the choice of a platform. */
export interface ArchiveImage {
  /** Full names that it has there, e.g. `myapp:dev`. */
  names: string[];
  /**
   * What to push of it.
   *
   * @param platform - undefined: all that is there
   * @throws KpushError `ARCHIVE_INVALID`, `PLATFORM_NOT_FOUND`, `IMAGE_UNSUPPORTED`
   */
  content(platform: string | undefined): Promise<ImageContent>;
}

/**
 * Understands the archives of `docker save` (20.10: v1 ids; 25 and later: an OCI layout that has a
 * manifest.json too), Podman's docker-archive, and OCI image layouts. Where there is a layout it goes first: its
 * manifests have the digests by which the engine knows the image.
 *
 * @throws KpushError `ARCHIVE_INVALID`
 */
export async function readArchiveImages(
  index: ArchiveIndex,
): Promise<[ArchiveImage, ...ArchiveImage[]]> {
  const docker = index.find("manifest.json") ? await readDockerArchive(index) : undefined;
  const fromDocker = (image: DockerImage): ArchiveImage => ({
    names: image.names,
    content: (platform) => assembleDockerImage(index, image, platform),
  });
  if (index.find("index.json")) return await readOciImages(index, docker);
  if (docker) {
    const [first, ...others] = docker;
    return [fromDocker(first), ...others.map(fromDocker)];
  }
  throw new KpushError(
    "ARCHIVE_INVALID",
    `${plain(index.what, 300)} is no image archive: it has neither a manifest.json nor an index.json`,
    {
      hint: "make one with docker save (docker export writes a file system, not an image)",
    },
  );
}

/**
 * {@link readArchiveImages} of an archive that is to hold one.
 *
 * @throws KpushError `ARCHIVE_INVALID`, or `IMAGE_UNSUPPORTED` where there are several
 */
export async function readArchiveImage(index: ArchiveIndex): Promise<ArchiveImage> {
  const [image, ...others] = await readArchiveImages(index);
  if (others.length === 0) return image;
  const names = [image, ...others].flatMap((one) => one.names);
  throw new KpushError(
    "IMAGE_UNSUPPORTED",
    `${plain(index.what, 300)} holds several images: ${plain(names.join(", "), 300)}`,
  );
}

async function readOciImages(
  index: ArchiveIndex,
  docker: DockerImage[] | undefined,
): Promise<[ArchiveImage, ...ArchiveImage[]]> {
  const [first, ...others] = await readOciLayout(index);
  // manifest.json has a multi-platform image once for each platform.
  const short = others.length === 0 ? new Set(docker?.flatMap((image) => image.names)) : [];
  const understand = (image: typeof first, names: string[]): ArchiveImage => ({
    names,
    content: (platform) => Promise.resolve().then(() => assembleOciImage(index, image, platform)),
  });
  return [
    understand(first, [...short].length > 0 ? [...short] : first.names),
    ...others.map((image) => understand(image, image.names)),
  ];
}

import { KpushError } from "../errors.ts";
import type { ArchiveIndex } from "./archive-index.ts";
import type { ImageContent } from "./content.ts";
import { assembleDockerImage, readDockerArchive } from "./docker-archive.ts";
import { assembleOciImage, readOciLayout } from "./oci-layout.ts";
import { plain } from "./text.ts";

/** The image of an archive, understood but for the choice of a platform. */
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
 * @throws KpushError `ARCHIVE_INVALID`, `IMAGE_UNSUPPORTED`
 */
export async function readArchiveImage(index: ArchiveIndex): Promise<ArchiveImage> {
  const docker = index.find("manifest.json") ? await readDockerArchive(index) : undefined;
  if (index.find("index.json")) {
    const oci = await readOciLayout(index);
    return {
      names: docker && docker.names.length > 0 ? docker.names : oci.names,
      content: (platform) => Promise.resolve().then(() => assembleOciImage(index, oci, platform)),
    };
  }
  if (docker)
    return {
      names: docker.names,
      content: (platform) => assembleDockerImage(index, docker, platform),
    };
  throw new KpushError(
    "ARCHIVE_INVALID",
    `${plain(index.what, 300)} is no image archive: it has neither a manifest.json nor an index.json`,
    {
      hint: "make one with docker save (docker export writes a file system, not an image)",
    },
  );
}

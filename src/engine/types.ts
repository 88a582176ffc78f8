import type { Readable } from "node:stream";
import type { HistoryEntry } from "../image/layer-steps.ts";

export interface EngineOptions {
  /** `-H/--host`: as DOCKER_HOST. */
  host?: string | undefined;
  dockerContext?: string | undefined;
}

/** How the engine stores images, which decides what its image Id means and how it pushes. */
export type ImageStore = "graph" | "containerd" | "podman";

/** One manifest that a containerd-store image consists of (`Manifests[]` of the image inspect answer). */
export interface LocalManifest {
  digest: string;
  mediaType: string;
  platform: string;
  available: boolean;
  kind: "image" | "attestation" | "unknown";
  /** Whether its layers lie there compressed, where the engine tells their sizes. */
  compressed?: boolean;
}

/** An image as the engine describes it. */
export interface LocalImage {
  /** `sha256:…`: the config's digest (graph, podman) or the top manifest's (containerd). */
  id: string;
  /** Full names that the image has, e.g. `myapp:dev`. */
  names: string[];
  /** `linux/amd64`, `linux/arm64/v8`, `windows/amd64`; empty where the engine does not say. */
  platform: string;
  /** Bytes, unpacked, as the engine counts. */
  size: number;
  /** diff_ids of the layers, lowest first. */
  diffIds: string[];
  /** Only from a containerd store. */
  manifests: LocalManifest[];
}

/** One line of a push, already validated; sizes in bytes. */
export type PushProgress = {
  id: string;
  state: "waiting" | "sending" | "sent" | "present";
  sentBytes: number;
  totalBytes: number;
};

export interface EnginePush {
  /** Local image to push, an id or a name. */
  image: string;
  /** `127.0.0.1:PORT/repository:tag`. */
  target: string;
  username: string;
  password: string;
  platform?: string | undefined;
  onProgress: (progress: PushProgress) => void;
  signal: AbortSignal;
}

/** One container engine that answered. */
export interface Engine extends Disposable {
  /** e.g. `Docker 28.5.2 at unix:///var/run/docker.sock`. */
  readonly name: string;
  /** Identifies it in the journal of temporary tags, e.g. `unix:///var/run/docker.sock`. */
  readonly endpoint: string;
  readonly store: ImageStore;
  /** @throws KpushError `IMAGE_NOT_FOUND`, `PLATFORM_NOT_FOUND`, `ENGINE_*` */
  inspect(name: string, platform?: string): Promise<LocalImage>;
  /** The steps that made an image, oldest first; `platform` as `inspect` tells it, of one that has several. */
  history(name: string, platform?: string): Promise<HistoryEntry[]>;
  tag(image: string, repository: string, tag: string): Promise<void>;
  /**
   * Removes one name; never the last one of an image, which would remove the image: then it is `kept`.
   * Goes on when the push was interrupted, within a time limit of its own.
   *
   * @param passing - other names that will not stay either
   */
  untag(name: string, passing?: readonly string[]): Promise<"removed" | "absent" | "kept">;
  /** Has the engine try to open a connection to 127.0.0.1:port. The caller looks whether one arrived. */
  probe(port: number): Promise<void>;
  /**
   * Pushes; resolves with the digest that the engine says it pushed.
   * @throws KpushError `PUSH_REJECTED` with the engine's words
   */
  push(push: EnginePush): Promise<{ digest: string; onlyPlatform?: string | undefined }>;
  /** `docker save` of one image as a tar stream. */
  export(name: string, platform?: string): Promise<Readable>;
}

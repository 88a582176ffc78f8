/** How a layer (or the config) of an image gets, or got, into the registry. */
export type LayerState = "waiting" | "sending" | "sent" | "present";

/** The way an image takes: the engine pushes, kpush uploads, or nothing had to be sent. */
export type RouteName = "daemon" | "direct" | "none";

/** `kept` was left alone on purpose; `absent` was not there to be removed. */
export type ObjectAction = "created" | "changed" | "unchanged" | "removed" | "kept" | "absent";

/**
 * What happens during an operation, as data; a reporter draws it. Order: `registry` and `engine` once
 * (in either order), then for each image `plan`, any number of `layer`, and one `done` or `failed`. Where
 * images go to several contexts, all but `engine` comes once for each of these.
 */
export type KpushEvent = Happening & {
  /** Which one of several contexts it concerns, where images go to several. */
  context?: string;
};

type Happening =
  /** Something began that may take a moment; replaced by the next event of the kind. For spinners. */
  | { type: "phase"; text: string }
  | {
      type: "registry";
      context: string;
      namespace: string;
      pod: string;
      /** What nodes put in front of a repository to pull, e.g. `localhost:5000`. */
      pullAddress: string;
    }
  /** Where images come from, e.g. `Docker 28.5.2 at unix:///var/run/docker.sock`. */
  | { type: "engine"; name: string }
  | { type: "plan"; image: string; route: RouteName; reason: string }
  | {
      type: "layer";
      image: string;
      /** The engine's short id or the blob's digest; unique within one image. */
      id: string;
      state: LayerState;
      /** Bytes so far, as counted by the sender; at most `totalBytes` where that is known (> 0). */
      sentBytes: number;
      totalBytes: number;
    }
  /** Bytes that went to the registry so far, from an engine that tells nothing of its layers (Podman). */
  | { type: "bytes"; image: string; sentBytes: number }
  /** For `-v`: what was sent of one image, lowest layer first. */
  | { type: "layers"; image: string; layers: LayerReport[] }
  /** The push of one image began anew: what was reported of its layers no longer holds. */
  | { type: "restart"; image: string; reason: string }
  | { type: "done"; image: PushedImage }
  | { type: "failed"; image: string; error: unknown }
  /** What became of an object of the cluster; `note` says why, or how to get it back. */
  | {
      type: "object";
      action: ObjectAction;
      kind: string;
      namespace?: string;
      name: string;
      note?: string;
    }
  /** How far something is that takes its time, e.g. `registry`, `0 of 1 ready: pulling image`; the next of this label replaces it. */
  | { type: "progress"; label: string; text: string }
  /** Something was done: a line that stays. */
  | { type: "step"; label: string; text: string }
  | { type: "warning"; message: string; hint?: string }
  /** For reports of bugs: a version or a choice, never a name or an address. */
  | {
      type: "fact";
      /** `engine address` is its scheme, `way` how the registry's pod is reached, `nodes` their version. */
      what: "engine" | "store" | "engine address" | "registry" | "way" | "nodes";
      value: string;
    }
  /** For `-v`: requests, choices, timings; one line. */
  | { type: "debug"; message: string };

/** One layer of an image, as `--dry-run` and `-v` tell of it. */
export interface LayerReport {
  /** Its diff_id, or its digest in an archive. */
  id: string;
  /** Undefined where the engine does not tell what it sent. */
  state: "new" | "present" | "sent" | undefined;
  /** Unpacked in an engine, as it lies there in an archive, and of a sent one what went; undefined where that is not certain. */
  bytes: number | undefined;
  /** The build step that made it, e.g. `COPY . .`, safe to show; undefined where that is not certain. */
  step: string | undefined;
}

/** What would become of an image that is not pushed, as `--dry-run` was given. */
export interface PlannedImage {
  /** As the user named it. */
  image: string;
  /** Where it would go, if several contexts were asked for. */
  context?: string;
  /** `localhost:5000/myapp:dev`, without the digest that only a push brings. */
  target: string;
  /** All the tags that would name it. */
  tags: string[];
  /** `none` where the registry serves this very image already. */
  route: RouteName;
  /** Why this route. */
  reason: string;
  /** Lowest first. */
  layers: LayerReport[];
}

/** Receives events in order. Must not throw and must not block. */
export type Report = (event: KpushEvent) => void;

/** What became of one image that was pushed. */
export interface PushedImage {
  /** As the user named it. */
  image: string;
  /** Where it went, if several contexts were asked for. */
  context?: string;
  /** What any node can pull: `localhost:5000/myapp:dev@sha256:…`. */
  pullRef: string;
  /** Digest of the top manifest that the registry serves under the tag: `sha256:` and 64 hex digits. */
  digest: string;
  /** All the tags that now name this digest in the repository. */
  tags: string[];
  route: RouteName;
  layers: { total: number; sent: number };
  /** Bytes that were sent, and bytes of the whole image; 0 where the engine did not tell. */
  sentBytes: number;
  totalBytes: number;
  milliseconds: number;
}

import type { ImageStore } from "../engine/types.ts";
import { far } from "./direct/packer.ts";

/** What an image's push comes to, as far as it can be known before. */
export interface Work {
  store: ImageStore;
  /** Bytes of the image as the engine stores it. */
  bytes: number;
  layers: number;
  /** Layers that the registry has in no form. */
  missing: number;
  /** Layers that the engine would send: it knows nothing of those that kpush has packed. */
  missingForEngine: number;
  /** Whether the engine stores the layers compressed. */
  compressed: boolean;
  /** Milliseconds of a round trip to the registry. */
  roundTrip: number;
  cores: number;
}

const MB = 1_000_000;

/**
 * Bytes a second. Measured: the exports of Docker's stores, dockerd's packing, and kpush's own (86 and 37 MB
 * for a CPU second with gzip's levels 1 and 6, less what else a push needs). Guessed: all of Podman's, and the link.
 */
const speeds = {
  /** Export: all of the image, whatever is missing. */
  export: { graph: 180 * MB, containerd: 85 * MB, podman: 100 * MB },
  /** The same for each core, which packing wants as well. */
  exportCore: { graph: 130 * MB, containerd: 50 * MB, podman: 80 * MB },
  /** Engines that compress while they push: dockerd on one core, Podman on all of them. */
  enginePack: { graph: 33 * MB, podman: 60 * MB },
  /** kpush's own packing, for each core: near with the quickest level, far with the usual one. */
  pack: { near: 60 * MB, far: 30 * MB },
  /** A tunnel on a link that is not the bottleneck. */
  link: 150 * MB,
};

/** Threads of libuv's pool, unless UV_THREADPOOL_SIZE says otherwise: more cores do not pack faster. */
const packingThreads = 4;

/** Of layers, when they are compressed. */
const packedPart = 0.45;
/** Bytes that are under way in a round trip, which bounds a far link. Near, a round trip tells only how busy machines are. */
const flight = 0.5 * MB;
/** Seconds that an engine takes to begin. */
const engineStart = 0.3;

/** Seconds that either route will take. The sizes of layers are not known: each counts the same. */
export function estimate(work: Work): { daemon: number; direct: number } {
  const { store, bytes, layers, missing, missingForEngine, compressed, roundTrip, cores } = work;
  const share = bytes / Math.max(1, layers);
  const isNear = roundTrip < far;
  const link = isNear ? speeds.link : Math.min(speeds.link, flight / (roundTrip / 1000));

  const own = share * missingForEngine;
  const daemon =
    store === "containerd"
      ? own / link
      : Math.max(own / speeds.enginePack[store], (own * packedPart) / link);

  const sent = share * missing;
  const packCore = isNear ? speeds.pack.near : speeds.pack.far;
  const pack = Math.min(cores, packingThreads) * packCore;
  const sending = compressed ? sent / link : Math.max(sent / pack, (sent * packedPart) / link);
  const exporting = bytes / speeds.export[store];
  // The engine and kpush share the cores, as a rule.
  const computing = (bytes / speeds.exportCore[store] + (compressed ? 0 : sent / packCore)) / cores;
  return { daemon: engineStart + daemon, direct: Math.max(exporting, sending, computing) };
}

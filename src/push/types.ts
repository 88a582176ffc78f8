import type { ClusterOptions, RegistryOptions, Surroundings } from "../cluster/types.ts";
import type { EngineOptions } from "../engine/types.ts";
import type { PushedImage, Report } from "../events.ts";

export interface PushOptions
  extends Omit<ClusterOptions, "context">, RegistryOptions, EngineOptions {
  /** Of several, each gets the images; what is read of them is read once. */
  context?: string | readonly string[] | undefined;
  /** Image names, ids, or archive files, as on the command line. */
  images: readonly string[];
  /** `NAME[:TAG]` in the registry; with one image only. */
  name?: string | undefined;
  /** More tags in the same repository. */
  tags?: readonly string[] | undefined;
  /** The images are repositories, of which each tag is pushed that the engine has. */
  allTags?: boolean | undefined;
  platform?: string | undefined;
  /** Sends an image for a platform that no node has, and does not ask which they have. */
  force?: boolean | undefined;
  /** `auto` unless given; for tests, and to work round an engine. */
  route?: "auto" | "daemon" | "direct" | undefined;
  /** Of layers that the direct route finds plain; `auto` unless given. */
  compression?: string | undefined;
  /** Reports a `layers` event of each image that was sent; asks the engine for its history. */
  tellLayers?: boolean | undefined;
  /** Bound of the whole push in milliseconds. */
  timeout?: number | undefined;
}

/** What surrounds a use case: everything it may touch besides its options. */
export interface Context {
  surroundings: Surroundings;
  report: Report;
  signal: AbortSignal;
}

/** Where in the registry an image goes. */
export interface Target {
  repository: string;
  /** The first is the one of the printed reference. */
  tags: [string, ...string[]];
  pullAddress: string;
}

/** What a route says it pushed. */
export interface RouteResult {
  /** Digest of the manifest that the target's first tag must now name. */
  digest: string;
}

/** An image that could not be pushed; `error` says why. */
export interface FailedOutcome {
  image: string;
  /** Where it could not be pushed to, if several contexts were asked for. */
  context?: string;
  error: unknown;
}

export type ImageOutcome = PushedImage | FailedOutcome;

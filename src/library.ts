import type { PushedImage } from "./events.ts";

/** What kpush needs of an AbortSignal: the one of browsers and of Node fits. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** What to push, where to, and what may be used for it. The names are those of the command line. */
export interface LibraryOptions {
  /** Image names, ids, or archive files (`./app.tar`). */
  images: readonly string[];
  /** Environment variables for kubeconfig, engine, proxies and plugins, e.g. `process.env`. */
  env: Readonly<Record<string, string | undefined>>;
  /** Home directory; `HOME`, or `USERPROFILE` on Windows, of `env` unless given. */
  home?: string;
  /** What relative paths start from; the working directory unless given. */
  cwd?: string;
  signal?: AbortSignalLike;
  kubeconfig?: string;
  context?: string;
  namespace?: string;
  selector?: string;
  registryPort?: string;
  as?: string;
  asGroup?: readonly string[];
  asUid?: string;
  host?: string;
  dockerContext?: string;
  /** `NAME[:TAG]` in the registry; with one image only. */
  name?: string;
  tags?: readonly string[];
  platform?: string;
  route?: "auto" | "daemon" | "direct";
  /** Milliseconds; none unless given. */
  timeout?: number;
  /** Whether credential plugins may read the terminal; `ignore` unless given. */
  pluginStdin?: "inherit" | "ignore";
  /** Receives what credential plugins print to stderr. */
  pluginStderr?: (chunk: Uint8Array) => void;
}

/** An image that could not be pushed. */
export interface FailedImage {
  image: string;
  error: unknown;
}

/** In the order of `options.images`; `ok` where none failed. */
export interface PushResult {
  ok: boolean;
  images: PushedImage[];
  failed: FailedImage[];
}

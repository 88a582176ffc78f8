import type { PlannedImage, PushedImage } from "./events.ts";

/** What kpush needs of an AbortSignal: the one of browsers and of Node fits. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: "abort", listener: () => void): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** What kpush may use; it prints nothing and reads nothing of the process. */
export interface LibrarySurroundings {
  /** Environment variables for kubeconfig, engine, proxies and plugins, e.g. `process.env`. */
  env: Readonly<Record<string, string | undefined>>;
  /** Home directory; `HOME`, or `USERPROFILE` on Windows, of `env` unless given. */
  home?: string;
  /** What relative paths start from; the working directory unless given. */
  cwd?: string;
  signal?: AbortSignalLike;
  /** Whether credential plugins may read the terminal; `ignore` unless given. */
  pluginStdin?: "inherit" | "ignore";
  /** Receives what credential plugins print to stderr. */
  pluginStderr?: (chunk: Uint8Array) => void;
}

/** Which cluster, and which namespace of it. The names are those of the command line. */
export interface ClusterChoice {
  kubeconfig?: string;
  context?: string;
  as?: string;
  asGroup?: readonly string[];
  asUid?: string;
  /** Of the registry. */
  namespace?: string;
}

/** What to push, where to, and what may be used for it. The names are those of the command line. */
export interface LibraryOptions extends LibrarySurroundings, Omit<ClusterChoice, "context"> {
  /**
   * A list has the images pushed to each of its contexts, at the same time, and read once; each result
   * then names its `context`. One that cannot be reached fails its own results only.
   */
  context?: string | readonly string[];
  /** Image names, ids, archive files (`./app.tar`), or `-` for the archive that comes as `stdin`. */
  images: readonly string[];
  stdin?: AsyncIterable<Uint8Array>;
  selector?: string;
  registryPort?: string;
  host?: string;
  dockerContext?: string;
  /** `NAME[:TAG]` in the registry; with one image only. */
  name?: string;
  tags?: readonly string[];
  /** The images are repositories, of which each tag is pushed that the engine has. */
  allTags?: boolean;
  platform?: string;
  /** Sends an image all the same that no node of the cluster could run (`PLATFORM_MISMATCH`). */
  force?: boolean;
  route?: "auto" | "daemon" | "direct";
  /** Of layers that kpush uploads and finds plain: `auto`, `none`, `gzip[:1-9]` or `zstd[:1-19]`. */
  compression?: string;
  /** Milliseconds; none unless given. */
  timeout?: number;
}

/**
 * What to install. Each call says everything: an option left out has its default again; only `storage`,
 * `size` and `runAsUser` stay what they are unless given.
 */
export interface InstallLibraryOptions extends LibrarySurroundings, ClusterChoice {
  image?: string;
  proxyImage?: string;
  imagePullSecret?: string;
  /** `pvc`, `emptydir` or `claim:NAME`. */
  storage?: string;
  /** Quantity such as `20Gi`. */
  size?: string;
  storageClass?: string;
  runAsUser?: number;
  nodeAccess?: "hostport" | "hostnetwork" | "none";
  nodePort?: number;
  /** Lets whoever is on a node push too. */
  nodePush?: boolean;
  /** Namespaces whose pods may reach the registry. */
  allowFrom?: readonly string[];
  /** Who may push: `user:NAME`, `group:NAME` or `serviceaccount:NAMESPACE:NAME`. */
  allowPush?: readonly string[];
  /** `KEY[=VALUE][:EFFECT]` */
  tolerations?: readonly string[];
  /** `KEY=VALUE` */
  nodeSelector?: readonly string[];
  priorityClass?: string;
  /** File with settings of the registry. */
  config?: string;
  /** Changes nothing; `server` asks what would change. */
  dryRun?: "client" | "server";
  /** Waits until all is ready; true unless given. */
  wait?: boolean;
  /** Proves a push, and a pull on the nodes; true unless given. */
  verify?: boolean;
  /** On how many nodes; all unless given. */
  verifyNodes?: number;
  /** Milliseconds for the wait, and for the proof; five minutes unless given. */
  timeout?: number;
  forceConflicts?: boolean;
  takeOwnership?: boolean;
  /** Takes the old addon's place, without asking. */
  replaceAddon?: boolean;
}

/** What to uninstall. */
export interface UninstallLibraryOptions extends LibrarySurroundings, ClusterChoice {
  /** Deletes the claim with all images too, without asking. */
  deleteData?: boolean;
  /** Changes nothing. */
  dryRun?: boolean;
  /** Waits until all is gone; true unless given. */
  wait?: boolean;
  /** Milliseconds; five minutes unless given. */
  timeout?: number;
}

/** Which registry to tell the status of. */
export interface StatusLibraryOptions extends LibrarySurroundings, ClusterChoice {}

/** An image that could not be pushed. */
export interface FailedImage {
  image: string;
  /** Where it could not be pushed to, if several contexts were asked for. */
  context?: string;
  error: unknown;
}

/** In the order of `options.images`, for each context in turn; `ok` where none failed. */
export interface PushResult {
  ok: boolean;
  images: PushedImage[];
  failed: FailedImage[];
}

/** What a push would do, in the order of `options.images`; `ok` where nothing failed. */
export interface DryRunResult {
  ok: boolean;
  images: PlannedImage[];
  failed: FailedImage[];
}

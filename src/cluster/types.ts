import type { Readable } from "node:stream";
import type { KubeConfig } from "@kubernetes/client-node";
import type { Report } from "../events.ts";

/** What kpush takes from the process that runs it; `cli/run.ts` fills it, library users may. */
export interface Surroundings {
  /** Environment variables; nothing else is read from the process. */
  env: Readonly<Record<string, string | undefined>>;
  /** Home directory, absolute. */
  home: string;
  /** Directory that relative paths start from, absolute. */
  cwd: string;
  platform: NodeJS.Platform;
  /** Where exec credential plugins and ssh may prompt. `inherit` only on a real terminal. */
  pluginStdin: "inherit" | "ignore";
  /** Receives what such plugins print to stderr, as it comes. */
  pluginStderr: (chunk: Uint8Array) => void;
  /** Files in place of `ca.pem`, `cert.pem` and `key.pem` of DOCKER_CERT_PATH, as docker's own options name them. */
  engineTls?: { ca?: string; cert?: string; key?: string } | undefined;
  /** Opens standard input, once; undefined where it is a terminal, or there is none. */
  stdin?: (() => Readable) | undefined;
}

/** How the user names a cluster: kubectl's options of the same names. */
export interface ClusterOptions {
  kubeconfig?: string | undefined;
  context?: string | undefined;
  as?: string | undefined;
  asGroup?: readonly string[] | undefined;
  asUid?: string | undefined;
}

/** One answer of the API server. `json` is undefined where the body is no JSON. */
export interface ApiAnswer {
  status: number;
  json: unknown;
  /** The body as text, at most 64 KiB of it where it is an error. */
  text: string;
}

/** What a request to the API server may have besides method and path. */
export interface RequestOptions {
  /** Sent as JSON. */
  body?: unknown;
  /** Of the body; `application/json` unless given. Patches differ by it. */
  contentType?: string;
  /** Media type of the answer; `application/json` unless given. */
  accept?: string;
  /** Only good to know: a 401 is an answer like others, and no new login is sought. */
  optional?: boolean;
  signal?: AbortSignal | undefined;
}

/** An opened connection to one cluster: a chosen context, its credentials, one keep-alive agent. */
export interface Cluster extends Disposable {
  /** Name of the context, or `in-cluster`. */
  readonly context: string;
  /** This process runs in one of the cluster's own pods, and is logged in as its service account. */
  readonly inside?: boolean;
  /** The context's namespace, else `default`. */
  readonly namespace: string;
  /** Base address of the API server with its path prefix and without a trailing slash. */
  readonly server: string;
  /**
   * What client-node's WebSocketHandler needs. `applyToHTTPSOptions` fills in memoised headers, TLS
   * files and the one shared keep-alive agent; no exec plugin runs a second time.
   */
  readonly config: Pick<KubeConfig, "getCurrentCluster" | "applyToHTTPSOptions">;
  /**
   * Sends one request to the API server; a 401 refreshes the credentials once and repeats it.
   *
   * @param path - below the server's prefix, with query, percent-encoded
   * @throws KpushError `CLUSTER_UNREACHABLE`, `CLUSTER_TLS`, `CLUSTER_UNAUTHORIZED` or
   *   `CREDENTIALS_FAILED`; any other status is returned
   */
  request(method: string, path: string, options?: RequestOptions): Promise<ApiAnswer>;
  /**
   * Gets new credentials after a 401; many callers at once cause one refresh.
   * @returns false where there is nothing to refresh (a fixed token, a certificate)
   */
  refreshCredentials(): Promise<boolean>;
}

/** How the user narrows the search for the registry. */
export interface RegistryOptions {
  namespace?: string | undefined;
  selector?: string | undefined;
  /** Container port, by number or name. */
  registryPort?: string | undefined;
  /** Takes a pod that runs and is not ready yet; for whoever waits for it. */
  unready?: boolean | undefined;
}

/** The registry pod that a push is pinned to. */
export interface RegistryPod {
  namespace: string;
  name: string;
  uid: string;
  /** Container port the registry listens on. */
  port: number;
  /** The pod's own address, which only the inside of the cluster reaches. */
  ip?: string;
  /** What nodes put in front of the repository, e.g. `localhost:5000`. */
  pullAddress: string;
  /** Key of the discovery row: `kpush`, `kube-registry`, …, or `selector`. */
  kind: string;
  /** Who runs the pod, e.g. `Deployment/kpush-registry`: its replacement has the same. */
  owner?: string;
}

/** Opens the cluster that the options and the kubeconfig name. Makes no request by itself. */
export type OpenCluster = (
  options: ClusterOptions,
  surroundings: Surroundings,
  report: Report,
  signal: AbortSignal,
) => Promise<Cluster>;

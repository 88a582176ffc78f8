import type { Agent } from "node:http";
import type { Duplex } from "node:stream";
import type { KubeConfig } from "@kubernetes/client-node";
import type { KpushError } from "../errors.ts";
import type { Report } from "../events.ts";

/** A byte stream to the registry. Each call opens (or takes a spare) connection of its own. */
export type Connect = () => Promise<Duplex>;

/** An http.Agent over {@link Connect}, whose sockets may be taken for another use. */
export interface SocketAgent extends Agent {
  /** Takes a socket that no request needs now, if there is one. */
  takeIdle(): Duplex | undefined;
}

/** The one pod and port that new sockets go to. */
export interface TunnelTarget {
  namespace: string;
  name: string;
  uid: string;
  port: number;
  /** The pod's own address, for whoever is inside the cluster. */
  ip?: string | undefined;
}

/** All durations are in milliseconds; tests make them small. */
export interface TunnelTimings {
  handshake: number; // 20_000: upgrade answered
  portFrames: number; // 10_000: both port frames after the upgrade
  ping: number; // 20_000: between pings on an idle socket
  dead: number; // 60_000: nothing in or out and no pong, with an empty send queue
  stallWarn: number; // 120_000: queue not empty and no progress
  stallKill: number; // 300_000
  halfClose: number; // 5_000 without bytes after the local end
  close: number; // 2_000: close frame unanswered, then terminate
  backoff: [first: number, most: number]; // 250, 5_000
}

export interface TunnelOptions {
  config: Pick<KubeConfig, "getCurrentCluster" | "applyToHTTPSOptions">;
  /**
   * Says which pod sockets go to. Called once first, then again with `gone` whenever the pinned pod
   * may have been replaced; single-flight. `gone.error.code` is `POD_GONE` where the cluster said so;
   * otherwise a socket was lost for another reason, and the pod may well be the same.
   * Rejects with a KpushError when there is none.
   */
  pin: (gone?: { target: TunnelTarget; error: KpushError }) => Promise<TunnelTarget>;
  /** After a 401 on an upgrade; false where nothing can be refreshed. */
  refreshCredentials: () => Promise<boolean>;
  /** Makes the error for a 403 on an upgrade: asks which verb is missing. `status` is the body's message. */
  explainForbidden: (target: TunnelTarget, status: string) => Promise<KpushError>;
  /** Makes the error for a connection to the API server that failed: DNS, TLS, a proxy, a reset. */
  explainFailure: (error: unknown) => KpushError;
  report: Report;
  signal: AbortSignal;
  timings?: Partial<TunnelTimings>;
  /** Open WebSockets at most (32) and handshakes at once (8). */
  maxSockets?: number;
  maxHandshakes?: number;
}

export interface Tunnel extends AsyncDisposable {
  connect: Connect;
  /** Keeps at least this many unused sockets open for `connect()` from now on; 0 closes all. */
  keepSpares(count: number): void;
  /**
   * The first error that ended a socket since the last `takeError()`, or the one that tells that the
   * pod is gone; to be joined to an engine's "EOF".
   */
  takeError(): KpushError | undefined;
}

/** A port on 127.0.0.1 that hands each connection which knows the password to the registry. */
export interface Listener extends AsyncDisposable {
  readonly port: number;
  readonly username: string;
  readonly password: string;
  /** Connections accepted so far, whether they knew the password or not: proof that an engine reaches the port. */
  readonly connections: number;
  /** Bytes that came in on all connections. */
  readonly bytes: number;
}

import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { KpushError, messageOf } from "../errors.ts";
import type { Report } from "../events.ts";
import { plain } from "../image/text.ts";
import { registryClient } from "../registry/client.ts";
import { openProxyTunnel } from "../tunnel/pod-proxy.ts";
import type { Tunnel, TunnelOptions } from "../tunnel/types.ts";

/** Bytes of a request from which on another way is looked for. */
export const bulkBytes = 16 * 1024 * 1024;

export interface BulkOptions extends TunnelOptions {
  /** Milliseconds within which the way must have proven itself (500); uploads wait for it. */
  patience?: number;
}

/** A way for uploads of many bytes that costs a near cluster less than a port-forward does. */
export interface BulkWay extends AsyncDisposable {
  /**
   * A stream to the registry on which requests may be sent; undefined where there is no such way, or no
   * longer: what it lost goes on by the tunnel.
   *
   * @param bytes - of the upload that is to go by it
   */
  connect(bytes: number): Promise<Duplex | undefined>;
  /** What broke it, told once: `POD_GONE`, or `TUNNEL_FAILED` for all that the tunnel may do without. */
  takeError(): KpushError | undefined;
}

/**
 * The API server's proxy to pods, for whoever may use that as well. A port-forward passes the kubelet and the
 * container runtime, whose WebSocket server takes more CPU time than all else (measured with 400 MB: 1.9 of 4 CPU seconds); the proxy
 * leaves both out. Where cores are what is scarce, as on a cluster on the developer's own machine, that is a quarter of
 * the time of a push. It is asked for its rights, and for the registry, when the first large upload comes.
 *
 * @param allowed - whether the rights are there
 */
export function openBulkWay(
  { patience = 500, ...options }: BulkOptions,
  allowed: () => Promise<boolean>,
): BulkWay {
  let proving: Promise<Tunnel | undefined> | undefined;
  let opened: Tunnel | undefined;
  let failed = false;
  /** The last that was seen, and not yet told. */
  let error: KpushError | undefined;

  /** @returns true once anything has broken it */
  function isBroken(): boolean {
    const broken = opened?.takeError();
    if (broken && !failed) {
      failed = true;
      tell(options.report, broken.message);
    }
    if (broken) error ??= passing(broken);
    return failed;
  }

  async function prove(): Promise<Tunnel | undefined> {
    const tunnel = (opened = openProxyTunnel({ ...options, mistrusts: true }));
    const late = new AbortController();
    const proof = AbortSignal.any([options.signal, late.signal]);
    const client = registryClient({ connect: tunnel.connect, signal: proof });
    const answered = Promise.all([allowed(), client.ping()]).then(
      ([may]) => (may ? undefined : "it is not allowed"),
      (reason: unknown) => plain(messageOf(reason), 300),
    );
    const timer = new AbortController();
    const waited = sleep(patience, "it takes too long", { signal: timer.signal });
    waited.catch(() => undefined);
    const why = await Promise.race([answered, waited]);
    timer.abort();
    late.abort(new Error("the proof is over"));
    await client[Symbol.asyncDispose]();
    tunnel.takeError();
    tell(options.report, why);
    return why === undefined ? tunnel : undefined;
  }

  return {
    async connect(bytes) {
      if (bytes < bulkBytes || failed) return undefined;
      const tunnel = await (proving ??= prove());
      return isBroken() ? undefined : tunnel?.connect().catch(() => undefined);
    },
    takeError() {
      isBroken();
      const taken = error;
      error = undefined;
      return taken;
    },
    async [Symbol.asyncDispose]() {
      await opened?.[Symbol.asyncDispose]();
    },
  };
}

/** A right that is missing here, say, is no reason to give up. */
function passing(error: KpushError): KpushError {
  return error.code === "POD_GONE" ? error : error.as("TUNNEL_FAILED");
}

function tell(report: Report, why: string | undefined): void {
  const message =
    why === undefined
      ? "large uploads go by the proxy to pods"
      : `large uploads go by the port-forward, not by the proxy to pods: ${why}`;
  report({ type: "debug", message: `tunnel: ${message}` });
}

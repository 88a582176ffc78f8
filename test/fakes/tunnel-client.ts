import { networkError } from "../../src/cluster/network-error.ts";
import { KpushError } from "../../src/errors.ts";
import type { KpushEvent } from "../../src/events.ts";
import { openTunnel } from "../../src/tunnel/pool.ts";
import type { Tunnel, TunnelOptions, TunnelTarget, TunnelTimings } from "../../src/tunnel/types.ts";

/** Long enough never to matter, short enough not to hang; tests shorten what they are about. */
const patient: TunnelTimings = {
  handshake: 20_000,
  portFrames: 20_000,
  ping: 20_000,
  dead: 60_000,
  stallWarn: 60_000,
  stallKill: 60_000,
  halfClose: 20_000,
  close: 20_000,
  backoff: [1, 4],
};

export const target: TunnelTarget = {
  namespace: "kpush-system",
  name: "registry-0",
  uid: "uid-1",
  port: 5000,
};

/** What a tunnel asked of its owner. */
export interface TestTunnel extends Tunnel {
  events: KpushEvent[];
  pins: (KpushError | undefined)[];
  refreshes: number;
  forbidden: string[];
  warnings(): string[];
  abort(reason?: Error): void;
}

/** A tunnel as push.ts opens it, that keeps account; anything may be replaced. */
export function testTunnel(
  { config }: Pick<TunnelOptions, "config">,
  { timings, ...options }: Partial<TunnelOptions> = {},
): TestTunnel {
  const controller = new AbortController();
  const record = {
    events: [] as KpushEvent[],
    pins: [] as (KpushError | undefined)[],
    refreshes: 0,
    forbidden: [] as string[],
    warnings: () =>
      record.events.flatMap((event) => (event.type === "warning" ? [event.message] : [])),
    abort: (reason?: Error) => controller.abort(reason),
  };
  const { pin = () => Promise.resolve(target), refreshCredentials = () => Promise.resolve(false) } =
    options;
  const tunnel = openTunnel({
    config,
    explainForbidden: (_target, text) => {
      record.forbidden.push(text);
      return Promise.resolve(new KpushError("CLUSTER_FORBIDDEN", `explained: ${text}`));
    },
    explainFailure: (error) => networkError(error, config.getCurrentCluster()?.server ?? ""),
    report: (event) => record.events.push(event),
    signal: controller.signal,
    ...options,
    pin: (gone) => {
      record.pins.push(gone?.error);
      return pin(gone);
    },
    refreshCredentials: () => {
      record.refreshes += 1;
      return refreshCredentials();
    },
    timings: { ...patient, ...timings },
  });
  return Object.assign(record, {
    connect: tunnel.connect,
    keepSpares: (count: number) => tunnel.keepSpares(count),
    takeError: () => tunnel.takeError(),
    [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose](),
  });
}

import type { TunnelTimings } from "./types.ts";

/**
 * Below the idle limits of load balancers (60 s and more), above what a busy registry takes to read
 * on. Measured reasons stand in docs and at each use.
 */
export const defaultTimings: TunnelTimings = {
  handshake: 20_000,
  portFrames: 10_000,
  ping: 20_000,
  dead: 60_000,
  stallWarn: 120_000,
  stallKill: 300_000,
  halfClose: 5_000,
  close: 2_000,
  backoff: [250, 5_000],
};

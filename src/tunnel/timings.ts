import type { TunnelTimings } from "./types.ts";

/**
 * The ping is below the idle limits of load balancers (60 s and more); the stall limits are above what
 * a busy registry may take before it reads on.
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

import { openListener } from "../tunnel/listener.ts";
import type { ClusterOptions, RegistryOptions } from "../cluster/types.ts";
import { openSession } from "./session.ts";
import type { Context } from "./types.ts";

export interface TunnelOptions extends ClusterOptions, RegistryOptions {
  /** Local port; any free one where undefined. */
  port?: number | undefined;
}

/** An open way to the registry for other tools, and the login that it asks for. */
export interface HeldTunnel {
  /** `127.0.0.1:PORT` */
  address: string;
  username: string;
  password: string;
}

/**
 * Holds a tunnel to the registry open until `context.signal` is aborted.
 *
 * @param onOpen - called once the registry has answered through it
 * @throws KpushError as {@link openSession}, `USAGE` where the port is taken; in the end the signal's reason
 */
export async function holdTunnel(
  options: TunnelOptions,
  context: Context,
  onOpen: (tunnel: HeldTunnel) => void,
): Promise<never> {
  const { signal, report } = context;
  await using session = await openSession(options, context);
  await session.registry.ping();
  await using listener = await openListener({
    connect: session.tunnel.connect,
    port: options.port,
    exactPort: options.port !== undefined,
    report,
    signal,
  });
  session.tunnel.keepSpares(1);
  onOpen({ address: `127.0.0.1:${listener.port}`, username: listener.username, password: listener.password });
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  signal.throwIfAborted();
  throw new Error("the signal was aborted without a reason");
}

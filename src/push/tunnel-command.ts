import type { ClusterOptions, RegistryOptions } from "../cluster/types.ts";
import { KpushError } from "../errors.ts";
import { openListener } from "../tunnel/listener.ts";
import type { Listener } from "../tunnel/types.ts";
import { openSession } from "./session.ts";
import type { Context } from "./types.ts";

/** `port` is the local one; any free one where undefined. */
export type RegistryTunnelOptions = ClusterOptions &
  RegistryOptions & { port?: number | undefined };

/** A way to the registry for other tools. */
export interface RegistryTunnel
  extends Pick<Listener, "port" | "username" | "password">, AsyncDisposable {
  /** What broke the way, where something did; told once. */
  takeError(): unknown;
}

/**
 * Opens a way to the registry for other tools: a port on 127.0.0.1 and the login that it asks for. The
 * registry has answered through it by then.
 *
 * @throws KpushError as {@link openSession} and the registry's client do; `USAGE` where the port is taken
 */
export async function openRegistryTunnel(
  options: RegistryTunnelOptions,
  context: Context,
): Promise<RegistryTunnel> {
  const session = await openSession(options, context);
  try {
    await session.registry.ping();
    const { report, signal } = context;
    const listener = await openListener({
      connect: session.tunnel.connect,
      relay: { agent: session.registry.agent, concurrency: session.concurrency },
      bulk: (bytes) => session.bulk?.connect(bytes),
      port: options.port,
      report,
      signal,
    });
    if (options.port !== undefined && listener.port !== options.port) {
      await listener[Symbol.asyncDispose]();
      throw new KpushError("USAGE", `port ${options.port} is in use on this machine`, {
        hint: "choose another, or leave out --port",
      });
    }
    session.tunnel.keepSpares(1);
    const { port, username, password } = listener;
    return {
      ...{ port, username, password },
      takeError: () => session.takeError(),
      async [Symbol.asyncDispose]() {
        await listener[Symbol.asyncDispose]();
        await session[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

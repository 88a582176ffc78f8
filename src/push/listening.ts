import type { Engine } from "../engine/types.ts";
import { openListener } from "../tunnel/listener.ts";
import type { Listener } from "../tunnel/types.ts";
import { engineReaches } from "./daemon-route.ts";
import type { Session } from "./session.ts";
import { openState } from "./state.ts";
import type { Context } from "./types.ts";

/** The local port that engines push to, opened when the first image needs it. */
export interface Listening extends AsyncDisposable {
  /**
   * Opens the port, and has the engine try to reach it: Docker Desktop, virtual machines, rootless and
   * remote engines cannot, and no setting tells. All images of a push share one port and one answer.
   */
  reach(engine: Engine): Promise<{ listener: Listener; reached: boolean }>;
}

/** Makes no port yet. */
export function openListening(
  session: Session,
  { surroundings, report, signal }: Context,
): Listening {
  let listening: Promise<Listener> | undefined;
  let reached: Promise<boolean> | undefined;

  async function listen(): Promise<Listener> {
    // A graph-store engine remembers which layers a registry has by its address, so the port stays the
    // same from push to push, as best effort.
    const state = openState(surroundings);
    const key = `${session.cluster.server} ${session.pod.namespace} ${session.pod.kind}`;
    const port = await state.localPort(key);
    const listener = await openListener({ connect: session.tunnel.connect, port, report, signal });
    if (listener.port !== port) await state.rememberLocalPort(key, listener.port);
    return listener;
  }

  return {
    async reach(engine) {
      listening ??= listen();
      const listener = await listening;
      reached ??= engineReaches(engine, listener);
      return { listener, reached: await reached };
    },
    async [Symbol.asyncDispose]() {
      const listener = await listening?.catch(() => undefined);
      await listener?.[Symbol.asyncDispose]();
    },
  };
}

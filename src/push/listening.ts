import type { Engine } from "../engine/types.ts";
import { openListener } from "../tunnel/listener.ts";
import type { LocalAnswer } from "../tunnel/local-answers.ts";
import type { Listener } from "../tunnel/types.ts";
import { engineReaches } from "./daemon-route.ts";
import type { Session } from "./session.ts";
import { openState } from "./state.ts";
import type { Context } from "./types.ts";

/** The local port that engines push to, opened when the first image needs it. */
export interface Listening extends AsyncDisposable {
  /**
   * Opens the port, and has the engine try to reach it: Docker Desktop, virtual machines, rootless and
   * remote engines cannot, and no setting tells. An engine that could before is not asked again. All
   * images of a push share one port and one answer.
   */
  reach(engine: Engine): Promise<{ listener: Listener; reached: boolean }>;
  /**
   * Has a repository of the port answered here and not by the registry, until it is disposed of. Waits
   * while another image has it.
   */
  serve(repository: string, answer: LocalAnswer): Promise<Disposable>;
  /** Whether the engine never came to the port after all: what was remembered of it is then forgotten. */
  wasMissed(engine: Engine): Promise<boolean>;
}

/** Makes no port yet. */
export function openListening(
  session: Session,
  { surroundings, report, signal }: Context,
): Listening {
  let listening: Promise<Listener> | undefined;
  let reached: Promise<boolean> | undefined;
  const state = openState(surroundings);
  const served = new Map<string, { answer: LocalAnswer; ended: Promise<void> }>();
  const local = (path: string) => {
    for (const [repository, { answer }] of served)
      if (ownPath.test(afterPrefix(path, `/v2/${repository}`))) return answer;
    return undefined;
  };

  async function listen(): Promise<Listener> {
    // A graph-store engine remembers which layers a registry has by its address, so the port stays the
    // same from push to push, as best effort.
    const key = `${session.cluster.server} ${session.pod.namespace} ${session.pod.kind}`;
    const port = await state.localPort(key);
    const listener = await openListener({
      connect: session.tunnel.connect,
      relay: { agent: session.registry.agent, concurrency: session.concurrency },
      bulk: (bytes) => session.bulk?.connect(bytes),
      ...{ local, port, report, signal },
    });
    if (listener.port !== port) await state.rememberLocalPort(key, listener.port);
    return listener;
  }

  async function prove(engine: Engine, listener: Listener): Promise<boolean> {
    if (await state.wasReached(engine.endpoint)) return true;
    const proven = await engineReaches(engine, listener);
    if (proven) await state.rememberReached(engine.endpoint);
    return proven;
  }

  return {
    async reach(engine) {
      listening ??= listen();
      const listener = await listening;
      reached ??= prove(engine, listener);
      return { listener, reached: await reached };
    },
    async serve(repository, answer) {
      for (let held = served.get(repository); held; held = served.get(repository)) await held.ended;
      const { promise: ended, resolve } = withResolvers();
      served.set(repository, { answer, ended });
      return {
        [Symbol.dispose]() {
          served.delete(repository);
          resolve();
        },
      };
    },
    async wasMissed(engine) {
      const listener = await listening;
      if (!listener || listener.connections > 0) return false;
      await state.forgetReached(engine.endpoint);
      return true;
    },
    async [Symbol.asyncDispose]() {
      const listener = await listening?.catch(() => undefined);
      await listener?.[Symbol.asyncDispose]();
    },
  };
}

/** What follows a repository's name. Of `app/blobs` and `app/manifests` it is longer, seen from `app`. */
const ownPath = /^\/(?:blobs\/uploads\/[^/]*|blobs\/[^/]+:[^/]+|manifests\/[^/]+)$/;

function afterPrefix(text: string, prefix: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : "";
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

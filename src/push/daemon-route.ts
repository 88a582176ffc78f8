import { KpushError } from "../errors.ts";
import type { Engine, LocalImage, PushProgress } from "../engine/types.ts";
import type { Report } from "../events.ts";
import type { Listener } from "../tunnel/types.ts";
import { openState } from "./state.ts";
import { sweepTemporaryTags, withTemporaryTag, type TagContext } from "./temporary-tags.ts";
import type { Context, RouteResult, Target } from "./types.ts";

/** What the daemon route works with. */
export interface DaemonRoute {
  /** As the user named it; for the events. */
  image: string;
  local: LocalImage;
  /** Only its first tag is pushed. */
  target: Target;
  engine: Engine;
  listener: Listener;
  /** Set where the user asked for one platform; `local.platform` is then the one that it means. */
  platform?: string | undefined;
  /** The tunnel's own error, which says more than the engine's "EOF". */
  because: () => KpushError | undefined;
  context: Context;
}

/**
 * Has the engine push to kpush's port, under a temporary tag; Podman pushes to an address without one.
 *
 * @throws KpushError `PUSH_REJECTED`, `ENGINE_*`, or with the code of what `because` gives
 */
export async function daemonRoute(route: DaemonRoute): Promise<RouteResult> {
  const { local, target, engine, listener, context } = route;
  const [tag] = target.tags;
  try {
    if (engine.store === "podman") {
      using counting = countBytes(route);
      return await push(route, `127.0.0.1:${listener.port}/${target.repository}:${tag}`);
    }
    const tags = {
      engine,
      listener,
      state: openState(context.surroundings),
      report: context.report,
    };
    await sweepOnce(tags, listener);
    const wanted = { image: local.id, repository: target.repository, tag };
    return await withTemporaryTag(wanted, tags, (name) => push(route, name));
  } catch (error) {
    context.signal.throwIfAborted();
    throw join(error, route.because());
  }
}

/**
 * Whether the engine reaches kpush's port, which no setting tells: it is asked to look at an image
 * there, and the port is watched. Virtual machines, rootless and remote engines have another loopback.
 */
export async function engineReaches(
  engine: Engine,
  listener: Pick<Listener, "port" | "connections">,
): Promise<boolean> {
  const before = listener.connections;
  await engine.probe(listener.port);
  return listener.connections > before;
}

/**
 * Whether an engine failed in words that hide what the registry said. Of a full disk, Docker and Podman
 * tell "500 Internal Server Error" or "invalid content range" (M); the direct route, tried next, reads
 * the registry's own answer.
 */
export function saysTooLittle(error: unknown): boolean {
  return (
    error instanceof KpushError &&
    error.code === "PUSH_REJECTED" &&
    /\b5\d\d\b|invalid content range/i.test(error.message)
  );
}

/**
 * Whether an engine failed because its connection ended before the answer, in its own words: behind the
 * tunnel it was the registry's, of which the tunnel knows no error.
 */
export function saysLost(error: unknown): boolean {
  return (
    error instanceof KpushError &&
    error.code === "PUSH_REJECTED" &&
    /\bEOF\b|connection reset by peer|broken pipe/.test(error.message)
  );
}

async function push(route: DaemonRoute, target: string): Promise<RouteResult> {
  const { image, local, engine, listener, platform, context } = route;
  const { report, signal } = context;
  const pushed = await engine.push({
    image: local.id,
    target,
    username: listener.username,
    password: listener.password,
    platform: platform === undefined ? undefined : local.platform,
    onProgress: (progress) => report(layerEvent(image, progress)),
    signal,
  });
  if (pushed.onlyPlatform !== undefined && platform === undefined) {
    report({
      type: "warning",
      message: `${image} is not here for all its platforms: only ${pushed.onlyPlatform} was pushed`,
      hint: "nodes of another kind need the others: pull or build them, and push again",
    });
  }
  return { digest: pushed.digest };
}

function layerEvent(image: string, progress: PushProgress) {
  return { type: "layer", image, ...progress } as const;
}

/** Podman's push tells nothing of its progress; what comes in at the port does. */
function countBytes({ image, listener, context }: DaemonRoute): Disposable {
  const before = listener.bytes;
  const count = () => context.report({ type: "bytes", image, sentBytes: listener.bytes - before });
  const timer = setInterval(count, 200);
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      count();
    },
  };
}

const swept = new WeakMap<Listener, Promise<void>>();

/** All the images of a push share one listener; one of them sweeps. */
function sweepOnce(tags: TagContext & { report: Report }, listener: Listener): Promise<void> {
  const sweeping = swept.get(listener) ?? sweepTemporaryTags(tags);
  swept.set(listener, sweeping);
  return sweeping;
}

function join(error: unknown, cause: KpushError | undefined): unknown {
  if (!cause || !(error instanceof KpushError)) return error;
  return new KpushError(cause.code, `${cause.message}; ${error.message}`, {
    hint: cause.hint,
    cause: error,
  });
}

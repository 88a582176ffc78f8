import type { Duplex } from "node:stream";
import type { KpushError } from "../errors.ts";
import type { Tunnel } from "./types.ts";

/**
 * One way to the registry, and another that takes its place for good when the first cannot be gone.
 *
 * @param first - the way that is tried
 * @param next - opens the other where an error of `connect()` calls for it, else undefined
 */
export function openFallback(
  first: Tunnel,
  next: (error: unknown) => Promise<Tunnel | undefined>,
): Tunnel {
  let spares = 0;
  let other: Tunnel | undefined;
  let changing: Promise<Tunnel | undefined> | undefined;
  const change = async (error: unknown) => {
    const opened = await next(error);
    if (!opened) return undefined;
    first.keepSpares(0);
    first.takeError(); // it is overcome
    opened.keepSpares(spares);
    return (other = opened);
  };
  return {
    async connect(): Promise<Duplex> {
      if (other) return other.connect();
      try {
        return await first.connect();
      } catch (error) {
        changing ??= change(error).finally(() => (changing = undefined));
        const opened = await changing;
        if (!opened) throw error;
        return opened.connect();
      }
    },
    keepSpares(count) {
      spares = count;
      (other ?? first).keepSpares(count);
    },
    takeError(): KpushError | undefined {
      return (other ?? first).takeError();
    },
    async [Symbol.asyncDispose]() {
      await first[Symbol.asyncDispose]();
      await other?.[Symbol.asyncDispose]();
    },
  };
}

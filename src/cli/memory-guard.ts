import { setFlagsFromString } from "node:v8";
import type { KpushEvent } from "../events.ts";

/** Keeps memory low while something is sent; disposed, V8 is as it was. */
export interface MemoryGuard extends Disposable {
  take(event: KpushEvent): void;
}

/**
 * A young generation that does not grow is collected often, and with it the buffers of what was sent: a
 * push of 300 MB then peaks some 25 MB lower, and takes no longer. Set only once something is to be sent, as V8
 * takes no code cache that was made under other flags.
 */
export function openMemoryGuard(): MemoryGuard {
  let low = false;
  return {
    take(event) {
      if (low || event.type !== "plan" || event.route === "none") return;
      low = true;
      setFlagsFromString("--semi-space-growth-factor=1");
    },
    [Symbol.dispose]() {
      if (low) setFlagsFromString("--semi-space-growth-factor=2");
    },
  };
}

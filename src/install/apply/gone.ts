import { setTimeout as sleep } from "node:timers/promises";
import { getObject, type ObjectRef } from "../../cluster/objects.ts";
import type { Cluster } from "../../cluster/types.ts";

export interface Polling {
  /** Milliseconds between two looks; 500 unless given. */
  interval?: number;
}

/** Waits until an object is gone, or another one has its name. */
export async function untilGone(
  cluster: Cluster,
  ref: ObjectRef & { name: string },
  uid: string | undefined,
  signal: AbortSignal,
  { interval = 500 }: Polling = {},
): Promise<void> {
  for (;;) {
    const found = await getObject(cluster, ref, signal);
    if (found === undefined || (uid !== undefined && found.metadata.uid !== uid)) return;
    await sleep(interval, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

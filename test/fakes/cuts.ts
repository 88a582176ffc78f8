import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** One cut: after so many bytes in one direction, counted from the cut before it. */
export interface Cut {
  direction: "up" | "down";
  after: number;
  /** By RST; else by FIN, as a proxy does it that is restarted. */
  reset: boolean;
}

/** What a link does to those who use it. */
export interface CutPlan {
  cuts: readonly Cut[];
  /** Whether nothing gets through any more after the last cut. */
  stays: boolean;
}

export interface CuttingProxy extends AsyncDisposable {
  readonly port: number;
  /** Cuts that were made so far. */
  readonly made: number;
  /** From now on all gets through. */
  mend(): void;
}

/** Numbers from 0 to 1 that the seed alone decides (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * One to three cuts, most of them on the way up, many of them among the first bytes.
 *
 * @param bytes - that go each way in a push which is not cut, at least
 * @param stays - the share of links that stay cut
 */
export function planOf(
  seed: number,
  bytes: Record<Cut["direction"], number>,
  stays = 0.06,
): CutPlan {
  const random = randomOf(seed);
  const cuts = Array.from({ length: 1 + Math.floor(random() * 3) }, (): Cut => {
    const direction = random() < 0.7 ? "up" : "down";
    const most = bytes[direction];
    const early = random() < 0.4;
    return {
      direction,
      after: Math.floor(early ? most ** random() : most * random()),
      reset: random() < 0.5,
    };
  });
  return { cuts, stays: random() < stays };
}

/**
 * The exit codes and error codes that may come of a push that is cut, in place of success: 4 where nothing got
 * through before the registry was found. An engine says less of what it met.
 */
export function endsOfCut(byEngine: boolean): { exit: number; code: string }[] {
  const lost = ["TUNNEL_FAILED", "REGISTRY_UNHEALTHY", ...(byEngine ? ["PUSH_REJECTED"] : [])];
  return [{ exit: 4, code: "CLUSTER_UNREACHABLE" }, ...lost.map((code) => ({ exit: 5, code }))];
}

/** A TCP proxy before a port, which cuts the connections that a plan names. */
export async function cuttingProxy(
  to: { host?: string; port: number },
  { cuts, stays }: CutPlan,
): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  const passed = { up: 0, down: 0 };
  let made = 0;
  let mended = false;
  const isDown = () => stays && made === cuts.length && !mended;

  /** Bytes of a chunk that still pass; fewer than all where the connection is cut in it. */
  function take(direction: Cut["direction"], length: number): { pass: number; cut?: Cut } {
    const next = mended ? undefined : cuts[made];
    passed[direction] += length;
    if (next?.direction !== direction || passed[direction] < next.after) return { pass: length };
    const pass = Math.max(0, length - (passed[direction] - next.after));
    made += 1;
    passed.up = passed.down = 0;
    return { pass, cut: next };
  }

  const server = createServer((near) => {
    if (isDown()) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(to.port, to.host ?? "127.0.0.1");
    const end = (reset: boolean) => {
      for (const socket of [near, far]) {
        if (reset) socket.resetAndDestroy();
        else socket.destroySoon();
      }
    };
    for (const [from, other, direction] of [
      [near, far, "up"],
      [far, near, "down"],
    ] as const) {
      sockets.add(from);
      from.on("data", (data: Buffer) => {
        const { pass, cut } = take(direction, data.length);
        if (pass > 0 && !other.write(data.subarray(0, pass)) && !cut) {
          from.pause();
          other.once("drain", () => from.resume());
        }
        if (!cut) return;
        from.removeAllListeners("data");
        end(cut.reset);
        if (isDown()) for (const socket of sockets) socket.resetAndDestroy();
      });
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        other.destroySoon();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get made() {
      return made;
    },
    mend: () => void (mended = true),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, "close");
      server.close();
      await closed;
    },
  };
}

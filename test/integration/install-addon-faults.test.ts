import { expect, test } from "vitest";
import { addonWorld, type AddonWorld } from "../fakes/old-addon.ts";

/**
 * A first run that ends at a write, each in turn, and a second one that nothing disturbs: wherever the
 * first one ended, the second must bring the cluster to what one undisturbed run makes of it.
 */
interface Fault {
  name: string;
  /** Called at the write; true refuses it. */
  strike: (cluster: AddonWorld, interrupt: AbortController) => boolean;
  /** Whether kpush may still put things back. */
  canPutBack: boolean;
}

const faults: Fault[] = [
  { name: "is refused", strike: () => true, canPutBack: true },
  {
    name: "is the last before kpush or the API server dies",
    strike(cluster) {
      cluster.isDown = true;
      return true;
    },
    canPutBack: false,
  },
  {
    name: "is carried out, and the API server dies",
    strike(cluster) {
      setImmediate(() => (cluster.isDown = true));
      return false;
    },
    canPutBack: false,
  },
  {
    name: "is interrupted by Ctrl-C",
    strike(_cluster, interrupt) {
      interrupt.abort(new Error("interrupted"));
      return true;
    },
    canPutBack: true,
  },
];

/** What is written in a run that nothing disturbs, in order. */
async function undisturbed(): Promise<{ writes: string[]; state: unknown }> {
  await using cluster = await addonWorld();
  const writes: string[] = [];
  cluster.onWrite = (what) => {
    writes.push(what);
    return false;
  };
  await cluster.replace();
  return { writes, state: cluster.state() };
}

const reference = await undisturbed();
const numbers = reference.writes.map((_, index) => index);
/** Clusters at a time: most of a run is waiting. */
const atOnce = 8;
const old = (cluster: AddonWorld) =>
  cluster.store.find("ReplicationController", "kube-registry-v0", "kube-system");

test("a run writes as much as the faults are put at", () => {
  expect(reference.writes.length).toBeGreaterThan(25);
  expect(reference.writes).toContain("PATCH replicationcontrollers/kube-registry-v0");
  expect(reference.writes.at(-2)).toBe("DELETE replicationcontrollers/kube-registry-v0");
});

/** One cluster: a run that ends at this write, and another one. */
async function disturb({ strike, canPutBack }: Fault, number: number): Promise<void> {
  await using cluster = await addonWorld();
  const interrupt = new AbortController();
  const seen: string[] = [];
  let [proved, struck] = [false, false];
  cluster.onWrite = (what) => {
    // From here on the new registry has proved itself.
    proved ||= what === "PATCH services/kube-registry";
    if (!proved) expect(old(cluster), `old registry before ${what}`).toBeDefined();
    seen.push(what);
    if (struck || seen.length <= number) return false;
    struck = true;
    return strike(cluster, interrupt);
  };
  const failed = await cluster.replace({}, { signal: interrupt.signal }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const place = `write ${number}, ${seen[number] ?? ""}; the first run: ${String(failed)}`;
  expect(struck, place).toBe(true);
  cluster.isDown = false;
  cluster.onWrite = undefined;
  if (failed !== undefined && canPutBack)
    expect(cluster.servesOldImage(), `an old image is served after ${place}`).toBe(true);

  await cluster.replace().catch((error: unknown) => {
    throw new Error(`the second run failed after ${place}`, { cause: error });
  });
  expect(cluster.state(), place).toEqual(reference.state);
  expect(cluster.servesOldImage()).toBe(true);
}

test.for(faults)(
  "wherever a write $name, running it again finishes the work",
  { timeout: 300_000 },
  async (fault) => {
    for (let first = 0; first < reference.writes.length; first += atOnce)
      await Promise.all(numbers.slice(first, first + atOnce).map((one) => disturb(fault, one)));
  },
);

import { expect, test } from "vitest";
import type { KpushEvent } from "../../../src/events.ts";
import { openTally } from "../../../src/push/tally.ts";

const layer = (
  id: string,
  state: "sending" | "sent" | "present",
  sentBytes: number,
  totalBytes = 100,
): KpushEvent => ({
  ...{ type: "layer", image: "app", id, state, sentBytes, totalBytes },
});

test("a tally counts what was sent, and the last word on each layer", () => {
  const seen: KpushEvent[] = [];
  const tally = openTally((event) => seen.push(event));
  for (const event of [
    layer("a", "sending", 50),
    layer("a", "sent", 100),
    layer("b", "present", 0),
  ])
    tally.report(event);
  expect(tally.totals()).toEqual({
    layers: { total: 2, sent: 1 },
    sentBytes: 100,
    totalBytes: 200,
  });
  expect(seen.filter((event) => event.type === "layer")).toHaveLength(3);
});

test("a push that starts over counts anew", () => {
  const tally = openTally(() => undefined);
  tally.report(layer("a", "sent", 100));
  tally.report({ type: "restart", image: "app", reason: "the pod was replaced" });
  tally.report(layer("b", "sent", 10));
  expect(tally.totals()).toEqual({ layers: { total: 1, sent: 1 }, sentBytes: 10, totalBytes: 100 });
});

test("an image has no size where the engine does not tell the sizes of layers that are there already", () => {
  const tally = openTally(() => undefined);
  tally.report(layer("a", "sent", 100));
  tally.report(layer("b", "present", 0, 0));
  expect(tally.totals()).toEqual({ layers: { total: 2, sent: 1 }, sentBytes: 100, totalBytes: 0 });
});

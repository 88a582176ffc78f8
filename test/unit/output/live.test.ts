import fc from "fast-check";
import { expect, test } from "vitest";
import type { KpushEvent, LayerState } from "../../../src/events.ts";
import { liveLines } from "../../../src/output/live.ts";
import { openProgress } from "../../../src/output/progress.ts";
import { widthOf } from "../../../src/output/width.ts";
import { registry } from "./events.ts";

const plan = (image: string): KpushEvent => ({ type: "plan", image, route: "direct", reason: "" });

function layer(
  id: string,
  state: LayerState,
  sentBytes: number,
  totalBytes: number,
  image = "app:v1",
): KpushEvent {
  return { type: "layer", image, id, state, sentBytes, totalBytes };
}

/** Draws what the events come to, one second apart. */
function draw(events: readonly KpushEvent[], size = { columns: 80, rows: 10 }): string[] {
  const progress = openProgress();
  events.forEach((event, second) => progress.take(event, second * 1000));
  return liveLines(progress, (events.length - 1) * 1000, size);
}

test("before there is an image, what is being done is shown", () => {
  expect(draw([{ type: "phase", text: "finding the registry" }])).toEqual([
    "finding the registry …",
  ]);
});

test("of several contexts those are named that are still waited for", () => {
  const phase = (context: string): KpushEvent => {
    return { type: "phase", text: "finding the registry", context };
  };
  const begun = [phase("staging"), phase("prod"), phase("test")];
  const found: KpushEvent = { ...registry, context: "staging" };
  const lost: KpushEvent = { type: "failed", image: "a:1", error: undefined, context: "prod" };
  expect(draw(begun)).toEqual(["staging, prod, test: finding the registry …"]);
  expect(draw([...begun, found])).toEqual(["prod, test: finding the registry …"]);
  expect(draw([...begun, found, lost])).toEqual(["test: finding the registry …"]);
});

test("an image without layers yet is being prepared", () => {
  expect(draw([plan("app:v1")])).toEqual(["app:v1  preparing"]);
});

test("share, bytes, rate and time left stand in one line", () => {
  const lines = draw([
    plan("app:v1"),
    layer("sha256:aaaaaaaaaaaaaaaa", "sending", 0, 40_000_000),
    layer("sha256:aaaaaaaaaaaaaaaa", "sending", 10_000_000, 40_000_000),
  ]);
  expect(lines).toEqual(["app:v1  25 %  10.0 MB of 40.0 MB  10.0 MB/s  3 s left"]);
});

test("layers that are being sent have lines of their own where there are several", () => {
  const lines = draw([
    plan("app:v1"),
    layer("sha256:0123456789abcdef", "sending", 1_000_000, 4_000_000),
    layer("b1b2b3b4b5b6", "sending", 5_000_000, 6_000_000),
    layer("c1c2c3c4c5c6", "sent", 10_000_000, 10_000_000),
  ]);
  expect(lines.slice(1)).toEqual([
    "  0123456789ab  25 %  1.0 MB of 4.0 MB",
    "  b1b2b3b4b5b6  83 %  5.0 MB of 6.0 MB",
  ]);
});

test("layers that the registry has do not count", () => {
  const [line] = draw([
    plan("app:v1"),
    layer("a", "present", 0, 500_000_000),
    layer("b", "sending", 1_000_000, 2_000_000),
  ]);
  expect(line).toContain("50 %  1.0 MB of 2.0 MB");
});

test("an engine that tells no sizes has layers and bytes shown", () => {
  expect(
    draw([plan("app:v1"), layer("a", "sending", 3_000_000, 0), layer("b", "waiting", 0, 0)])[0],
  ).toBe("app:v1  0 of 2 layers  3.0 MB");
});

test("when all bytes have left it waits for the registry's answer, and does not say 100 %", () => {
  const lines = draw([plan("app:v1"), layer("a", "sending", 2_000_000, 2_000_000)]);
  expect(lines).toEqual(["app:v1  99 %  2.0 MB of 2.0 MB  waiting for the registry"]);
});

test("no order of events shows 100 % of an image that is not done", () => {
  const state = fc.constantFrom("waiting", "sending", "sent", "present");
  const event = fc.tuple(fc.constantFrom("a", "b", "c"), state, fc.nat(1e9), fc.nat(1e9));
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const layers = events.map(([id, state, sent, total]) =>
        layer(id, state, Math.min(sent, total), total),
      );
      expect(draw([plan("app:v1"), ...layers]).join("\n")).not.toMatch(/100 %/);
    }),
  );
});

test("several images are drawn at once, and go when they end", () => {
  const two = [plan("api:dev"), plan("website:dev"), layer("a", "sending", 1, 2, "website:dev")];
  expect(draw(two)).toEqual(["api:dev      preparing", "website:dev  50 %  1 B of 2 B"]);
  expect(draw([...two, { type: "failed", image: "api:dev", error: undefined }])).toEqual([
    "website:dev  50 %  1 B of 2 B  0 B/s",
  ]);
});

test("a long name is cut before the numbers are", () => {
  const image = "registry.example.com/team/application:v1";
  const events = [plan(image), layer("a", "sending", 1_000_000, 4_000_000, image)];
  expect(draw(events, { columns: 40, rows: 5 })).toEqual([
    "registr…ation:v1  25 %  1.0 MB of 4.0 MB",
  ]);
  expect(draw(events, { columns: 17, rows: 5 })).toEqual(["reg…n:v1  25 %…"]);
});

test("long names that differ at their ends can be told from one another", () => {
  const context = (name: string) => `arn:aws:eks:eu-central-1:123456789012:cluster/${name}`;
  const events = ["staging", "prod"].map((name) => ({ ...plan("app:v1"), context: context(name) }));
  const [staging, prod] = draw(events, { columns: 57, rows: 5 });
  expect(staging).toMatch(/^app:v1.*….*staging {2}preparing$/);
  expect(prod).toMatch(/^app:v1.*….*prod {2}preparing$/);
});

test("more images than there is room for are counted", () => {
  const images = ["a:1", "b:1", "c:1"].map(plan);
  expect(draw(images, { columns: 80, rows: 2 })).toEqual(["a:1  preparing", "and 2 more images"]);
});

test("a push that starts over forgets its layers", () => {
  const begun = [plan("app:v1"), layer("a", "sending", 1, 2)];
  expect(draw([...begun, { type: "restart", image: "app:v1", reason: "the pod is gone" }])).toEqual(
    ["app:v1  preparing"],
  );
});

test("there are never more lines, nor wider ones, than there is room", () => {
  const images = fc.array(fc.string({ unit: "grapheme", minLength: 1 }), { maxLength: 6 });
  const size = fc.record({ columns: fc.nat(200), rows: fc.integer({ min: 1, max: 20 }) });
  fc.assert(
    fc.property(images, fc.nat(9), size, (names, layers, { columns, rows }) => {
      const events = names.flatMap((name) => [
        plan(name),
        ...Array.from({ length: layers }, (_, n) => layer(`l${n}`, "sending", n, 1e9, name)),
      ]);
      const lines = draw([{ type: "phase", text: "漢字" }, ...events], { columns, rows });
      expect(lines.length).toBeLessThanOrEqual(rows);
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
    }),
  );
});

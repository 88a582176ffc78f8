import { expect, test } from "vitest";
import type { LayerReport, PlannedImage } from "../../../src/events.ts";
import { layerLines, plannedText } from "../../../src/output/layer-lines.ts";

const layer = (
  state: LayerReport["state"],
  bytes: number | undefined,
  step: string | undefined,
): LayerReport => ({ id: "sha256:00", state, bytes, step });

const planned = (changes: Partial<PlannedImage>): PlannedImage => ({
  image: "myapp:dev",
  target: "localhost:5000/myapp:dev",
  tags: ["dev"],
  route: "daemon",
  reason: "the engine can push by itself",
  layers: [layer("present", 100e6, "ADD rootfs.tar /"), layer("new", 212e6, "COPY . .")],
  ...changes,
});

test("what would be sent is a head, a line for each layer, and a sum", () => {
  expect(plannedText(planned({}))).toBe(`\
localhost:5000/myapp:dev  sent by the engine: the engine can push by itself
  present  100 MB  ADD rootfs.tar /
  new      212 MB  COPY . .
  1 of 2 layers, 212 MB of 312 MB would be sent
`);
});

test("the tags that it would get besides are told", () => {
  const tags = ["dev", "v2", "latest"];
  const text = plannedText(planned({ tags }));
  expect(text).toMatch(/^localhost:5000\/myapp:dev {2}sent/);
  expect(text).toMatch(/ would be sent\n {2}also tagged: v2, latest\n$/);
});

test("an unchanged image says so", () => {
  const layers = [layer("present", 5, "ADD rootfs.tar /")];
  expect(plannedText(planned({ route: "none", reason: "it is there", layers }))).toBe(`\
localhost:5000/myapp:dev  unchanged: it is there
  present  5 B  ADD rootfs.tar /
  nothing would be sent
`);
});

test("what is not known is left blank, and out of the sum", () => {
  const layers = [layer("new", 5, "ADD x /"), layer("new", undefined, undefined)];
  expect(plannedText(planned({ route: "direct", layers }))).toContain(`
  new  5 B  ADD x /
  new
  2 of 2 layers would be sent
`);
});

test("a terminal's width is kept", () => {
  const layers = [layer("new", 212e6, "RUN apt-get update && apt-get install -y curl")];
  expect(plannedText(planned({ layers }), 48)).toBe(`\
localhost:5000/myapp:dev
  sent by the engine: the engine can push by it…
  new  212 MB  RUN apt-get update && apt-get in…
  1 of 1 layer, 212 MB of 212 MB would be sent
`);
  expect(plannedText(planned({ layers }), 100)).toMatch(/^localhost:5000\/myapp:dev {2}sent by/);
  expect(layerLines(layers)).toEqual([
    "new  212 MB  RUN apt-get update && apt-get install -y curl",
  ]);
});

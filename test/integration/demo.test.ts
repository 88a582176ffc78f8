import { expect, test } from "vitest";
import { runDemo } from "../../src/demo/demo.ts";
import type { Surroundings } from "../../src/cluster/types.ts";
import type { KpushEvent } from "../../src/events.ts";

const surroundings: Surroundings = {
  env: {
    HTTPS_PROXY: "http://127.0.0.1:9",
    KUBECONFIG: "/nowhere",
    DOCKER_HOST: "unix:///nowhere",
  },
  home: "/nowhere",
  cwd: "/nowhere",
  platform: "linux",
  pluginStdin: "ignore",
  pluginStderr: () => undefined,
};

test("the demo pushes an image, fetches it back, and finds it unchanged the second time", async () => {
  const events: KpushEvent[] = [];
  const lines: string[] = [];
  await runDemo({
    surroundings,
    report: (event) => events.push(event),
    signal: new AbortController().signal,
    write: (line) => lines.push(line),
  });
  const done = events.filter((event) => event.type === "done").map(({ image }) => image);
  expect(done.map(({ route, layers }) => [route, layers.sent])).toEqual([
    ["direct", 3],
    ["none", 0],
  ]);
  const digest = done[0]?.digest ?? "";
  expect(done[1]?.digest).toBe(digest);
  const story = lines.join("\n");
  expect(story).toContain(`localhost:5000/hello:v1@${digest}`);
  expect(story).toContain(`manifest  ${digest}`);
  expect(story).toContain("nothing was sent");
  expect(story).toContain("Done in");
});

test("an interrupted demo ends with the reason of the interruption", async () => {
  const interruption = new AbortController();
  const demo = runDemo({
    surroundings,
    report: () => undefined,
    signal: interruption.signal,
    write: (line) => {
      if (line.includes("$ kpush")) interruption.abort(new Error("SIGINT"));
    },
  });
  await expect(demo).rejects.toThrow("SIGINT");
});

import { describe, expect, test } from "vitest";
import type { KpushEvent, PushedImage } from "../../../src/events.ts";
import { openReporter, type ReporterOptions } from "../../../src/output/reporter.ts";
import { FakeTerminal } from "./fake-terminal.ts";
import { engine, pushed, registry } from "./events.ts";

/** Reports events, one second apart, to a pipe; returns what was written. */
function lines(events: readonly KpushEvent[], options: Partial<ReporterOptions> = {}): string {
  let text = "";
  let now = 0;
  using reporter = openReporter({
    stderr: { write: (chunk) => (text += String(chunk)) },
    env: {},
    platform: "linux",
    ...{ quiet: false, verbose: false, json: false, noColor: false },
    still: false,
    images: ["myapp:dev"],
    now: () => now,
    ...options,
  });
  for (const event of events) {
    reporter.report(event);
    now += 1000;
  }
  return text;
}

const plan: KpushEvent = { type: "plan", image: "myapp:dev", route: "daemon", reason: "it can" };
const sending = (sentBytes: number): KpushEvent => {
  return {
    type: "layer",
    image: "myapp:dev",
    id: "a",
    state: "sending",
    sentBytes,
    totalBytes: 1e9,
  };
};

test("a push is one line a step, in line", () => {
  const phase: KpushEvent = { type: "phase", text: "finding the registry" };
  const events: KpushEvent[] = [phase, registry, engine, plan, { type: "done", image: pushed() }];
  expect(lines(events)).toBe(`\
✔ registry   kpush-system/kpush-registry-7d9fc in context prod-eu
✔ engine     Docker 28.5.2 at unix:///run/d.sock
✔ myapp:dev  2 of 9 layers sent, 14.2 MB of 312 MB, 3.1 s
`);
});

describe("what became of an image", () => {
  const cases: [string, Partial<PushedImage>, string][] = [
    [
      "unchanged",
      { route: "none", layers: { total: 0, sent: 0 }, milliseconds: 240 },
      "unchanged, nothing sent, 0.2 s",
    ],
    [
      "one layer",
      { layers: { total: 1, sent: 1 }, sentBytes: 5e6, totalBytes: 5e6 },
      "1 of 1 layer sent, 5.0 MB of 5.0 MB, 3.1 s",
    ],
    [
      "no new layer",
      { layers: { total: 9, sent: 0 }, sentBytes: 0 },
      "pushed, no new layer among 9, 3.1 s",
    ],
    ["an engine that tells no total", { totalBytes: 0 }, "2 of 9 layers sent, 14.2 MB, 3.1 s"],
    [
      "an engine that tells nothing",
      { layers: { total: 0, sent: 0 }, sentBytes: 0, totalBytes: 0 },
      "pushed, 3.1 s",
    ],
    [
      "more tags",
      { tags: ["dev", "v1"] },
      "2 of 9 layers sent, 14.2 MB of 312 MB, tags dev, v1, 3.1 s",
    ],
  ];
  test.for(cases)("%s", ([, changes, text]) => {
    expect(lines([{ type: "done", image: pushed(changes) }])).toBe(`✔ myapp:dev  ${text}\n`);
  });
});

test("a longer name moves what follows, up to a point", () => {
  expect(lines([registry], { images: ["a-longer-name:v1"] })).toContain(
    "✔ registry          kpush-",
  );
  expect(lines([registry], { images: ["x".repeat(50)] })).toContain("✔ registry  kpush-");
  const image = pushed({ image: "x".repeat(50) });
  expect(lines([{ type: "done", image }])).toContain(`✔ ${image.image}  2 of 9`);
});

test("a warning has its hint, and says that it is one", () => {
  expect(lines([{ type: "warning", message: "a tag moved", hint: "use the digest" }])).toBe(
    "warning: a tag moved\nhint: use the digest\n",
  );
});

test("a push that starts over says so", () => {
  const reason = "the new pod is empty";
  expect(lines([{ type: "restart", image: "myapp:dev", reason }])).toBe(
    "warning: myapp:dev starts over: the new pod is empty\n",
  );
});

test("a failure is told at once only where there are several images", () => {
  const failed: KpushEvent = { type: "failed", image: "b:v1", error: new Error("no") };
  expect(lines([failed], { images: ["b:v1"] })).toBe("");
  expect(lines([failed], { images: ["a:v1", "b:v1"] })).toBe("✖ b:v1      failed\n");
});

test("a push that takes long shows that it goes on, but not at each write", () => {
  const events = Array.from({ length: 31 }, (_, second) => sending(second * 1e6));
  expect(lines(events)).toBe(`\
• myapp:dev  1 %  15.0 MB of 1.0 GB  1.0 MB/s  16 min 30 s left
• myapp:dev  3 %  30.0 MB of 1.0 GB  1.0 MB/s  16 min 10 s left
`);
});

test("-v shows choices, phases and requests with the time since the start", () => {
  const debug: KpushEvent = { type: "debug", message: "HEAD /v2/myapp/manifests/dev 200" };
  expect(lines([plan, debug], { verbose: true })).toBe(`\
· 0.000 s  myapp:dev: route daemon: it can
· 1.000 s  HEAD /v2/myapp/manifests/dev 200
`);
  expect(lines([plan, debug])).toBe("");
});

test.for(["quiet", "json"] as const)("%s says nothing of all this", (option) => {
  const warning: KpushEvent = { type: "warning", message: "a tag moved" };
  const events: KpushEvent[] = [registry, plan, warning, { type: "done", image: pushed() }];
  expect(lines(events, { [option]: true })).toBe("");
});

test("FORCE_COLOR colors the sign alone, so that words can be searched for", () => {
  expect(lines([engine], { env: { FORCE_COLOR: "1" } })).toBe(
    "\u001b[32m✔\u001b[39m engine     Docker 28.5.2 at unix:///run/d.sock\n",
  );
});

test.for([{ quiet: true }, { json: true }, {}])(
  "a plugin's prompt is always seen: %o",
  (options) => {
    let text = "";
    using reporter = openReporter({
      stderr: { write: (chunk) => (text += String(chunk)) },
      ...{ env: {}, platform: "linux", quiet: false, verbose: false, json: false, noColor: false },
      still: false,
      images: [],
      now: () => 0,
      ...options,
    });
    reporter.passThrough("Code: ");
    expect(text).toBe("Code: ");
  },
);

test("on a terminal nothing is redrawn where a command writes to stdout itself", () => {
  const terminal = new FakeTerminal();
  {
    using reporter = openReporter({
      ...{ stderr: terminal, env: {}, platform: "linux", images: [], now: () => 0 },
      ...{ quiet: false, verbose: false, json: false, noColor: true, still: true },
    });
    reporter.report(registry);
  }
  expect(terminal.raw).toBe("✔ registry  kpush-system/kpush-registry-7d9fc in context prod-eu\n");
});

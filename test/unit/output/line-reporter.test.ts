import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { KpushEvent, ObjectAction, PushedImage } from "../../../src/events.ts";
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

test("where images go to several contexts, each line names its own", () => {
  const context = "eu";
  const events: KpushEvent[] = [
    { ...sending(15e6), context },
    { type: "warning", message: "a tag moved", context },
    { type: "failed", image: "myapp:dev", error: new Error("no"), context: "prod" },
    { type: "done", context, image: pushed({ context }) },
  ];
  expect(lines(events, { contexts: [context, "prod"] })).toBe(`\
warning: eu: a tag moved
✖ myapp:dev in prod  failed
✔ myapp:dev in eu    2 of 9 layers sent, 14.2 MB of 312 MB, 3.1 s
`);
});

test("a push that takes long shows that it goes on, but not at each write", () => {
  const events = Array.from({ length: 31 }, (_, second) => sending(second * 1e6));
  expect(lines(events)).toBe(`\
• myapp:dev  1 %  15.0 MB of 1.0 GB  1.0 MB/s  16 min 30 s left
• myapp:dev  3 %  30.0 MB of 1.0 GB  1.0 MB/s  16 min 10 s left
`);
});

test("so does one of an engine that tells nothing of its layers", () => {
  const events = Array.from({ length: 16 }, (_, second): KpushEvent => {
    return { type: "bytes", image: "myapp:dev", sentBytes: second * 1e6 };
  });
  expect(lines(events)).toBe("• myapp:dev  15.0 MB sent  1.0 MB/s\n");
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

describe("objects", () => {
  const object = (action: ObjectAction, note?: string): KpushEvent => ({
    ...{ type: "object", action, kind: "Deployment", namespace: "kpush-system", name: "r" },
    ...(note !== undefined && { note }),
  });

  test("are a line each, in line", () => {
    const events = [object("created"), object("unchanged"), object("kept", "it has the images")];
    expect(lines(events, { images: [], labels: ["unchanged"] })).toBe(`\
✔ created    deployment kpush-system/r
✔ unchanged  deployment kpush-system/r
✔ kept       deployment kpush-system/r - it has the images
`);
  });

  test("of no namespace have none", () => {
    const namespace: KpushEvent = {
      ...{ type: "object", action: "removed", kind: "Namespace", name: "kpush-system" },
    };
    expect(lines([namespace])).toBe("✔ removed    namespace kpush-system\n");
  });
});

test("a step is a line", () => {
  expect(lines([{ type: "step", label: "proof", text: "pulled on 2 nodes" }])).toBe(
    "✔ proof      pulled on 2 nodes\n",
  );
});

describe("what is waited for", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const pulling = { type: "progress", label: "registry", text: "0 of 1 ready: pulling" } as const;
  const starting = { ...pulling, text: "0 of 1 ready: starting" };

  /** Reports each event at its second; returns what was written until the last second. */
  function watch(events: Record<number, KpushEvent>, seconds: number): string {
    let text = "";
    const stderr = { write: (chunk: string | Uint8Array) => (text += String(chunk)) };
    using reporter = openReporter({
      ...{ stderr, env: {}, platform: "linux", images: [], now: () => Date.now() },
      ...{ quiet: false, verbose: false, json: false, noColor: false, still: false },
    });
    for (let second = 0; second <= seconds; second += 1) {
      const event = events[second];
      if (event) reporter.report(event);
      vi.advanceTimersByTime(1000);
    }
    return text;
  }

  test("says nothing where it is soon over", () => {
    const done: KpushEvent = { type: "step", label: "registry", text: "ready" };
    expect(watch({ 0: pulling, 2: starting, 3: done }, 100)).toBe("✔ registry  ready\n");
  });

  test("is shown when it has changed, and not more often than every five seconds", () => {
    expect(watch({ 0: pulling, 1: starting, 6: pulling, 7: starting }, 50)).toBe(
      "• registry  0 of 1 ready: starting\n",
    );
    expect(watch({ 0: pulling, 6: starting }, 50)).toBe(
      "• registry  0 of 1 ready: pulling\n• registry  0 of 1 ready: starting\n",
    );
  });

  test("is shown again now and then, as CI systems end what is silent", () => {
    const line = "• registry  0 of 1 ready: pulling\n";
    expect(watch({ 0: pulling }, 60)).toBe(line);
    expect(watch({ 0: pulling }, 130)).toBe(line.repeat(3));
  });

  test("stands in a line each, where it is several things", () => {
    const nodes: KpushEvent = { type: "progress", label: "nodes", text: "0 of 2 ready" };
    expect(watch({ 0: pulling, 1: nodes }, 20)).toBe(
      "• registry  0 of 1 ready: pulling\n• nodes     0 of 2 ready\n",
    );
  });

  test("ends with the phase that it belongs to", () => {
    expect(watch({ 0: pulling, 1: { type: "phase", text: "proving" } }, 100)).toBe("");
  });
});

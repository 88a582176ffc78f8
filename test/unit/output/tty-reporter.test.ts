import { describe, expect, test } from "vitest";
import type { KpushEvent, ObjectAction } from "../../../src/events.ts";
import { styleFor, symbolsFor } from "../../../src/output/terminal.ts";
import { ttyReporter } from "../../../src/output/tty-reporter.ts";
import { engine, pushed, registry } from "./events.ts";
import { FakeTerminal } from "./fake-terminal.ts";

const sending: KpushEvent = {
  type: "layer",
  image: "myapp:dev",
  id: "sha256:a",
  state: "sending",
  sentBytes: 1_000_000,
  totalBytes: 4_000_000,
};
const plan: KpushEvent = { type: "plan", image: "myapp:dev", route: "direct", reason: "" };
const steps = `\
✔ registry   kpush-system/kpush-registry-7d9fc in context prod-eu
✔ engine     Docker 28.5.2 at unix:///run/d.sock
`;

function open(terminal: FakeTerminal, color = false, patience = 0, verbose = false) {
  const shown = {
    stderr: terminal,
    verbose,
    several: false,
    now: () => performance.now(),
    style: styleFor(color),
    symbols: symbolsFor({}, "linux"),
    labelWidth: 11,
  };
  return ttyReporter(shown, { patience, refresh: 1 });
}

test("what is under way is drawn below the steps, and gone in the end", async () => {
  const terminal = new FakeTerminal();
  {
    using reporter = open(terminal);
    reporter.report({ type: "phase", text: "finding the registry" });
    await terminal.shows(/^\S finding the registry …$/);
    reporter.report(registry);
    reporter.report(engine);
    reporter.report(plan);
    reporter.report(sending);
    await terminal.shows(/in context prod-eu\n.*d\.sock\n\S myapp:dev {2}25 % {2}1.0 MB of 4.0 MB/);
    expect(terminal.cursorVisible).toBe(false);
    reporter.report({ type: "done", image: pushed() });
  }
  const end = "✔ myapp:dev  2 of 9 layers sent, 14.2 MB of 312 MB, 3.1 s\n";
  expect(terminal.screen()).toBe(steps + end);
  expect(terminal.cursorVisible).toBe(true);
});

test("what is over soon never moves the cursor", () => {
  const terminal = new FakeTerminal();
  {
    using reporter = open(terminal, false, 60_000);
    for (const event of [registry, engine, plan]) reporter.report(event);
  }
  expect(terminal.raw).toBe(steps);
});

test("several lines are cleared with the rest", async () => {
  const terminal = new FakeTerminal();
  {
    using reporter = open(terminal);
    for (const id of ["aaaaaaaaaaaa", "bbbbbbbbbbbb"]) reporter.report({ ...sending, id });
    await terminal.shows(/myapp:dev .*\n {4}aaaaaaaaaaaa .*\n {4}bbbbbbbbbbbb /);
    reporter.report(registry);
    await terminal.shows(/^✔ registry .*\n\S myapp:dev .*\n {4}aaaaaaaaaaaa .*\n {4}bbbbbbbbbbbb /);
  }
  expect(terminal.screen()).toBe(`${steps.split("\n")[0]}\n`);
});

test.for([20, 10, 3, 1])("nothing wraps in %d columns", async (columns) => {
  const terminal = new FakeTerminal();
  terminal.columns = columns;
  {
    using reporter = open(terminal);
    reporter.report(plan);
    reporter.report(sending);
    await terminal.shows(columns > 3 ? /^\S mya/ : /^\S/);
    for (const line of terminal.screen().split("\n")) expect(line.length).toBeLessThan(columns + 1);
  }
  expect(terminal.screen()).toBe("");
});

test("a plugin's prompt is not drawn over, until the next step", async () => {
  const terminal = new FakeTerminal();
  using reporter = open(terminal);
  reporter.report({ type: "phase", text: "logging in" });
  await terminal.shows(/logging in …/);
  reporter.passThrough("Password: ");
  reporter.report({ type: "debug", message: "waiting" });
  expect(terminal.screen()).toBe("Password: ".trimEnd());
  expect(terminal.cursorVisible).toBe(true);
  terminal.write("\n");
  reporter.report(registry);
  await terminal.shows(/^Password:\n✔ registry .*\n\S working …$/);
});

test("without color nothing is colored, the spinner neither", async () => {
  const terminal = new FakeTerminal();
  {
    using reporter = open(terminal);
    reporter.report({ type: "phase", text: "finding the registry" });
    await terminal.shows(/finding/);
    reporter.report(registry);
  }
  // eslint-disable-next-line no-control-regex -- colors are what is looked for
  expect(terminal.raw).not.toMatch(/\u001b\[[\d;]*m/);
});

describe("objects", () => {
  const object = (action: ObjectAction, name: string, note?: string): KpushEvent => ({
    ...{ type: "object", action, kind: "Service", name },
    ...(note !== undefined && { note }),
  });
  const step: KpushEvent = { type: "step", label: "registry", text: "ready" };

  /** What stands on the terminal after these events. */
  function shown(events: readonly KpushEvent[], verbose = false): string {
    const terminal = new FakeTerminal();
    {
      using reporter = open(terminal, false, 60_000, verbose);
      for (const event of events) reporter.report(event);
    }
    return terminal.raw;
  }

  const all = [
    object("unchanged", "a"),
    object("changed", "b"),
    object("unchanged", "c"),
    object("unchanged", "d", "it is yours"),
    step,
  ];

  test("that are unchanged are counted, and what is said of one is said", () => {
    expect(shown(all)).toBe(`\
✔ changed    service b
✔ unchanged  service d - it is yours
✔ unchanged  2 objects
✔ registry   ready
`);
  });

  test("that are unchanged are listed with -v", () => {
    expect(shown(all, true)).toBe(`\
✔ unchanged  service a
✔ changed    service b
✔ unchanged  service c
✔ unchanged  service d - it is yours
✔ registry   ready
`);
  });

  test("are counted by what became of them, also where nothing follows", () => {
    const absent = [object("unchanged", "a"), object("absent", "b"), object("absent", "c")];
    expect(shown(absent)).toBe("✔ unchanged  service a\n✔ absent     2 objects\n");
  });
});

test("what is waited for is drawn in a line each, and gone with its step", async () => {
  const terminal = new FakeTerminal();
  terminal.columns = 24;
  using reporter = open(terminal);
  reporter.report({ type: "phase", text: "waiting" });
  reporter.report({ type: "progress", label: "registry", text: "0 of 1 ready: pulling image" });
  reporter.report({ type: "progress", label: "nodes", text: "1 of 2" });
  await terminal.shows(/^\S registry {2}0 of 1 re\w*…\n {2}nodes {5}1 of 2$/);
  reporter.report({ type: "step", label: "registry", text: "ready" });
  await terminal.shows(/^✔ registry {3}ready\n\S nodes {2}1 of 2$/);
  reporter.report({ type: "step", label: "nodes", text: "ready" });
  await terminal.shows(/ready\n✔ nodes {6}ready\n\S working …$/);
});

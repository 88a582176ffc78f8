import { expect, test } from "vitest";
import type { KpushEvent } from "../../../src/events.ts";
import { openBugReport } from "../../../src/output/bug-report.ts";
import { pushed } from "./events.ts";

const directory = "/home/jane/.npm/_npx/0123/node_modules/kpush";
const program = { version: "0.1.0", directory, node: "v22.12.0", system: "linux x64 6.8.0" };
const open = (more: Partial<typeof program> = {}) => openBugReport({ ...program, ...more });

/** An error as the runtime makes it, but for where it was made. */
function thrown(error: Error, ...frames: string[]): Error {
  error.stack = [`${error.name}: ${error.message}`, ...frames.map((one) => `    at ${one}`)].join(
    "\n",
  );
  return error;
}

test("it can be pasted into an issue as it is", () => {
  const report = open();
  report.command("push", ["--tag", "KPUSH_CONTEXT"]);
  const facts: [Extract<KpushEvent, { type: "fact" }>["what"], string][] = [
    ["engine", "Docker 28.5.2"],
    ["store", "containerd"],
    ["engine address", "ssh"],
    ["registry", "kube-registry"],
    ["way", "port-forward"],
    ["way", "pods/proxy"],
    ["nodes", "v1.33.1+k3s1"],
  ];
  for (const [what, value] of facts) report.take({ type: "fact", what, value });
  for (const route of ["daemon", "direct"] as const)
    report.take({ type: "plan", image: "myapp:dev", route, reason: "it is the quicker" });
  const inner = thrown(
    Object.assign(new Error("connect ECONNRESET 10.0.0.7:6443"), { code: "ECONNRESET" }),
    "TCP.onread (node:net:123:4)",
  );
  const error = thrown(
    new TypeError("reading 'jane'", { cause: inner }),
    `send (${directory}/dist/chunk-ABC.cjs:1:200)`,
    `async Object.push [as run] (${directory}/dist/chunk-DEF.cjs:3:4)`,
    "/srv/other/tool.js:5:6",
  );
  expect(report.text(error)).toBe(`\
\`\`\`text
kpush     0.1.0, by npx
node      v22.12.0, linux x64 6.8.0
command   kpush push --tag KPUSH_CONTEXT
engine    Docker 28.5.2, containerd store, by ssh
registry  kube-registry, by pods/proxy
route     daemon, direct
nodes     v1.33.1+k3s1
error     TypeError
    at send (dist/chunk-ABC.cjs:1:200)
    at async Object.push (dist/chunk-DEF.cjs:3:4)
    at (outside of kpush)
cause     Error ECONNRESET
    at TCP.onread (node:net:123:4)
\`\`\`
`);
});

test.for([
  ["/usr/lib/node_modules/kpush", "installed"],
  ["C:\\Users\\jane\\AppData\\npm-cache\\_npx\\12\\node_modules\\kpush", "by npx"],
  ["/home/jane/src/kpush", "from a checkout"],
] as const)("it says how kpush got to %s: %s", ([directory, how]) => {
  expect(open({ directory }).text(new Error())).toContain(`kpush     0.1.0, ${how}\n`);
});

test.for([
  ["C:\\Users\\jane\\kpush", "C:\\Users\\jane\\kpush\\dist\\a.cjs:1:2", "at run (dist/a.cjs:1:2)"],
  ["/home/jane/my kpush", "file:///home/jane/my%20kpush/dist/a.js:1:2", "at run (dist/a.js:1:2)"],
  ["/home/jane/kpush", "/home/jane/kpush-secret/a.js:1:2", "at (outside of kpush)"],
] as const)("of kpush in %s, %s is told as %s", ([directory, place, expected]) => {
  const error = thrown(new Error("x"), `run (${place})`);
  expect(open({ directory }).text(error)).toContain(`    ${expected}\n`);
});

const secret = "jane-hunter2";

/** One of each kind, with a secret wherever there is text. */
const events: { [Type in KpushEvent["type"]]: Extract<KpushEvent, { type: Type }> } = {
  phase: { type: "phase", text: secret },
  registry: {
    ...{ type: "registry", context: secret, namespace: secret, pod: secret, pullAddress: secret },
  },
  engine: { type: "engine", name: secret },
  plan: { type: "plan", image: secret, route: "none", reason: secret },
  layer: {
    ...{ type: "layer", image: secret, id: secret, state: "sent", sentBytes: 1, totalBytes: 1 },
  },
  bytes: { type: "bytes", image: secret, sentBytes: 1 },
  layers: {
    type: "layers",
    image: secret,
    layers: [{ id: secret, state: "sent", bytes: 1, step: secret }],
  },
  restart: { type: "restart", image: secret, reason: secret },
  done: { type: "done", image: pushed({ image: secret, pullRef: secret, tags: [secret] }) },
  failed: { type: "failed", image: secret, error: new Error(secret) },
  object: { type: "object", action: "kept", kind: secret, name: secret, note: secret },
  progress: { type: "progress", label: secret, text: secret },
  step: { type: "step", label: secret, text: secret },
  warning: { type: "warning", message: secret, hint: secret },
  fact: { type: "fact", what: "engine", value: secret },
  debug: { type: "debug", message: secret },
};
const facts = ["engine", "store", "engine address", "registry", "way", "nodes"] as const;

test.for([
  ...Object.values(events),
  ...facts.map((what) => ({ type: "fact", what, value: secret }) as const),
  { type: "fact", what: "engine", value: `Docker 28.5.2 ${secret}` },
  { type: "fact", what: "nodes", value: `v1.33.1-${secret}` },
  { type: "fact", what: "nodes", value: `v1.33.1+k3s1${secret}` },
] as const)("no names and no secrets of %o", (event) => {
  const report = open();
  report.take(event);
  expect(report.text(new Error("x"))).not.toContain(secret);
});

class Failure extends Error {
  constructor(more: object) {
    super(secret, {
      cause: thrown(new Error(`${secret}\n    at ${secret}`), "run (node:net:1:2)"),
    });
    Object.assign(this, more);
  }
}

test.for([
  {},
  { name: secret },
  { code: secret },
  { stack: secret },
  { stack: `${secret}: ${secret}\n    at ${secret} (/home/jane/${secret}.js:1:2)` },
  {
    stack: `Error: ${secret}\n    at ${directory}/dist/${secret}\n    at [${secret}] (node:net:1:2)`,
  },
  {
    stack: `Error: ${secret}\n    at eval (eval at ${secret} (/${secret}.js:1:2), <anonymous>:1:1)`,
  },
  { message: `${secret}\n    at ${secret} (node:net:1:2)` },
])("no names and no secrets of an error with %o", (more) => {
  const text = open().text(new Failure(more));
  expect(text).toContain("error     Failure\n");
  expect(text).toContain("cause     Error\n    at run (node:net:1:2)\n");
  expect(text).not.toContain("jane");
});

test.for([[secret], [{ secret }], [undefined], [null]])("even %o can be thrown", ([value]) => {
  const text = open().text(value);
  expect(text).toMatch(/^```text\nkpush [^]*\nerror {5}\w+\n```\n$/);
  expect(text).not.toContain(secret);
});

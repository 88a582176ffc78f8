import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cliCluster, type CliCluster } from "./cli-cluster.ts";

const program = join(import.meta.dirname, "../../bin/kpush.js");

let cluster: CliCluster;
beforeAll(async () => {
  cluster = await cliCluster();
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** Runs the built program on a terminal, and types the keys when it asks. */
async function answer(keys: string) {
  const { directory, kubeconfig } = cluster;
  const command = `'${process.execPath}' '${program}' demo --cluster`;
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    cwd: directory,
    env: { HOME: directory, KUBECONFIG: kubeconfig, PATH: process.env["PATH"], NO_COLOR: "1" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit") as Promise<[number | null]>;
  let shown = "";
  for await (const chunk of child.stdout) {
    if (!shown.includes("[y/N]") && (shown + String(chunk)).includes("[y/N]"))
      child.stdin.write(keys);
    shown += String(chunk);
  }
  const [status] = await ended;
  return { status, said: shown.slice(shown.indexOf("[y/N]")).replaceAll("\r", "") };
}

test.for([
  ["no", "n\n"],
  ["Enter", "\n"],
  ["Ctrl-D", "\u0004"],
] as const)("%s is a no", async ([, keys]) => {
  const { status, said } = await answer(keys);
  expect(said).toMatch(/^\[y\/N\] .*\nerror: nothing was done, as you said no\n/);
  expect(status).toBe(2);
});

test("Ctrl-C at a question is an interruption", async () => {
  const { status, said } = await answer("\u0003");
  expect(said).toMatch(/^\[y\/N\] .*\ninterrupted by SIGINT\n$/);
  expect(status).toBe(130);
});

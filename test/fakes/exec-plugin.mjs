#!/usr/bin/env node
// An exec credential plugin for tests. Each run adds a line of JSON to the file $PLUGIN_LOG; what it
// then does says $PLUGIN_MODE: print $PLUGIN_STATUS as the status of a credential (the default),
// `fail`, `hang`, `chatter`, or `stdin` for what it reads there as the token.
import { appendFileSync, readFileSync } from "node:fs";

const { PLUGIN_LOG, PLUGIN_MODE, PLUGIN_STATUS, KUBERNETES_EXEC_INFO, PLUGIN_OWN } = process.env;
const info = JSON.parse(KUBERNETES_EXEC_INFO ?? "{}");
appendFileSync(
  PLUGIN_LOG,
  `${JSON.stringify({ pid: process.pid, args: process.argv.slice(2), info, own: PLUGIN_OWN })}\n`,
);

const credential = (status) =>
  JSON.stringify({ kind: "ExecCredential", apiVersion: info.apiVersion, status });
switch (PLUGIN_MODE) {
  case "fail":
    process.stderr.write("\u001b[31mno session\u001b[0m\nrun login first\n");
    process.exitCode = 3;
    break;
  case "hang":
    setTimeout(() => undefined, 2 ** 30);
    break;
  case "chatter":
    process.stdout.write("x".repeat(2 * 1024 * 1024));
    break;
  case "stdin":
    process.stdout.write(credential({ token: `read:${readFileSync(0, "utf8")}` }));
    break;
  default:
    process.stderr.write("logging in\u001b[2J\n");
    process.stdout.write(credential(JSON.parse(readFileSync(PLUGIN_STATUS, "utf8"))));
}

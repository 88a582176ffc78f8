import { expect, test } from "vitest";
import { commands } from "../../../src/cli/commands/all.ts";
import { pushCommand } from "../../../src/cli/commands/push.ts";
import { commandHelp, mainHelp } from "../../../src/cli/help.ts";
import { fromDocker } from "../../../src/cli/plugins/docker.ts";
import { asTyped } from "../../../src/cli/program.ts";

const programs = ["kubectl kpush", "docker kpush"] as const;

test.for(programs)("the help of %s shows its commands so, within 80 columns", (program) => {
  const texts = [mainHelp(pushCommand, commands, program)];
  for (const command of commands) if (!command.reserved) texts.push(commandHelp(command, program));
  for (const line of texts.join("\n").split("\n")) {
    expect(line.length).toBeLessThanOrEqual(80);
    expect(line).not.toMatch(/(?:^ +|[|(] ?)kpush /);
  }
});

test.for([
  ["kpush --help lists the options", "kubectl kpush --help lists the options"],
  ["kpush status -v; kpush install", "kubectl kpush status -v; kubectl kpush install"],
  ["what kpush did not make", "what kpush did not make"],
  ["http://kpush:x@127.0.0.1, kpush-system", "http://kpush:x@127.0.0.1, kpush-system"],
] as const)("%j reads %j", ([text, expected]) => {
  expect(asTyped(text, "kubectl kpush")).toBe(expected);
  expect(asTyped(text, "kpush")).toBe(text);
});

test.for([
  [["kpush", "app:v1"], ["app:v1"], {}],
  [["-H", "tcp://b", "kpush", "app:v1"], ["--host=tcp://b", "app:v1"], {}],
  [["--context=build", "kpush", "-q", "app"], ["--docker-context=build", "-q", "app"], {}],
  [["-l", "kpush", "-D", "kpush", "-l", "a=b", "app"], ["-l", "a=b", "app"], {}],
  [
    ["--config", "/c", "--tlsverify", "kpush", "app"],
    ["app"],
    { DOCKER_CONFIG: "/c", DOCKER_TLS_VERIFY: "1" },
  ],
  [["-c", "x", "__complete", "kpush", "a", ""], ["__complete", "--docker-context=x", "a", ""], {}],
  [["help", "kpush", "install"], ["--help", "install"], {}],
] as const)("docker's %j is %j", ([argv, expected, env]) => {
  expect(fromDocker(argv, {})).toEqual({ argv: expected, env, engineTls: {} });
});

test("docker's options name the files that TLS towards the engine takes", () => {
  const argv = [
    "--tls",
    "--tlscacert=/a/ca",
    "--tlscert",
    "cert",
    "--tlskey",
    "k=1",
    "kpush",
    "app",
  ];
  expect(fromDocker(argv, {})).toEqual({
    argv: ["app"],
    env: { DOCKER_TLS: "1" },
    engineTls: { ca: "/a/ca", cert: "cert", key: "k=1" },
  });
});

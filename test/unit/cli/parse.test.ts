import { describe, expect, test } from "vitest";
import { commands } from "../../../src/cli/commands/all.ts";
import { pushCommand } from "../../../src/cli/commands/push.ts";
import { parse } from "../../../src/cli/parse.ts";
import { runMain } from "./run-main.ts";

/** What a command line comes to: the command, its words and its options. */
function read(...argv: string[]) {
  const { command, words, given } = parse(argv, commands, pushCommand);
  return { command: command.name, words, given: Object.fromEntries(given) };
}

describe("command lines", () => {
  test.for([
    [["app:v1"], "push", ["app:v1"], {}],
    [["a:1", "b:1"], "push", ["a:1", "b:1"], {}],
    [["push", "status"], "push", ["status"], {}],
    [["push", "push"], "push", ["push"], {}],
    [["app:v1", "status"], "push", ["app:v1", "status"], {}],
    [["--", "status"], "push", ["status"], {}],
    [["-q", "push", "a"], "push", ["a"], { quiet: true }],
    [["123"], "push", ["123"], {}],
    [["0x10"], "push", ["0x10"], {}],
    [["-"], "push", ["-"], {}],
    [["a", "--", "-n", "b"], "push", ["a", "-n", "b"], {}],
    [["a", "-n", "x"], "push", ["a"], { namespace: ["x"] }],
    [["-nx", "a"], "push", ["a"], { namespace: ["x"] }],
    [["-n=x", "a"], "push", ["a"], { namespace: ["x"] }],
    [["-nkube-system", "a"], "push", ["a"], { namespace: ["kube-system"] }],
    [["-qnx", "a"], "push", ["a"], { namespace: ["x"], quiet: true }],
    [["-Hunix:///a.sock", "a"], "push", ["a"], { host: ["unix:///a.sock"] }],
    [["-l", "app=x,y!=z", "a"], "push", ["a"], { selector: ["app=x,y!=z"] }],
    [["-lapp=x", "a"], "push", ["a"], { selector: ["app=x"] }],
    [["--name=x=y", "a"], "push", ["a"], { name: ["x=y"] }],
    [["--tag", "1", "--tag=2", "a"], "push", ["a"], { tag: ["1", "2"] }],
    [["--as-group", "g", "a", "b"], "push", ["a", "b"], { "as-group": ["g"] }],
    [["--no-color", "a"], "push", ["a"], { "no-color": true }],
    [["-v", "-v", "a"], "push", ["a"], { verbose: true }],
    [["--json=false", "a"], "push", ["a"], { json: false }],
    [["--context", "007", "a"], "push", ["a"], { context: ["007"] }],
    [["--context", "a", "--context=b", "x"], "push", ["x"], { context: ["a", "b"] }],
    [["tunnel", "--port", "5000"], "tunnel", [], { port: ["5000"] }],
    [["-n", "x", "tunnel"], "tunnel", [], { namespace: ["x"] }],
    [["doctor", "x", "--wait"], "doctor", ["x"], {}],
    [["install", "--wait=false"], "install", [], { wait: false }],
    [["install", "--wait=false", "--wait"], "install", [], { wait: true }],
    [["install", "--dry-run"], "install", [], { "dry-run": ["client"] }],
    [["--dry-run", "install"], "install", [], { "dry-run": ["client"] }],
    [["install", "--dry-run=server"], "install", [], { "dry-run": ["server"] }],
    [["install", "-oyaml"], "install", [], { output: ["yaml"] }],
    [["install", "-yo", "json"], "install", [], { yes: true, output: ["json"] }],
    [["install", "--run-as-user=0"], "install", [], { "run-as-user": ["0"] }],
    [["--no-verify", "install"], "install", [], { "no-verify": true }],
    [
      ["install", "--allow-push", "user:a", "--allow-push=group:b"],
      "install",
      [],
      { "allow-push": ["user:a", "group:b"] },
    ],
    [["uninstall", "--delete-data", "-y"], "uninstall", [], { "delete-data": true, yes: true }],
    [["status", "-n", "x"], "status", [], { namespace: ["x"] }],
    [["--dry-run", "a"], "push", ["a"], { "dry-run": true }],
    [["push", "--dry-run", "install"], "push", ["install"], { "dry-run": true }],
    [["a", "--dry-run", "--dry-run=false"], "push", ["a"], { "dry-run": false }],
    [["a", "--", "--dry-run"], "push", ["a", "--dry-run"], {}],
  ] as const)("%j", ([argv, command, words, given]) => {
    expect(read(...argv)).toEqual({ command, words, given });
  });
});

describe("usage errors", () => {
  test.for([
    [[], "no image is named"],
    [["--context"], "--context needs a value"],
    [["--context=", "a"], "--context needs a value"],
    [["--context", "", "a"], "--context needs a value"],
    [["-n", "-q", "a"], "--namespace needs a value"],
    [["-n", "x", "--namespace", "y", "a"], "--namespace is given 2 times; it takes one value"],
    [["tunnel", "--context", "a", "--context=b"], "--context is given 2 times; it takes one value"],
    [["install", "--context=a", "--context=a"], "--context is given 2 times; it takes one value"],
    [["--namspace", "x", "a"], "there is no option --namspace; is --namespace meant?"],
    [["--frobnicate", "a"], "there is no option --frobnicate"],
    [["-z", "a"], "there is no option -z"],
    [["--no-quiet", "a"], "there is no option --no-quiet"],
    [["--port", "1", "a"], "kpush push has no option --port"],
    [["tunnel", "--tag", "x"], "kpush tunnel has no option --tag"],
    [["tunnel", "app:v1"], "a command stands behind --, and app:v1 stands before"],
    [["demo", "app:v1"], "kpush demo takes no images"],
    [["demo", "-n", "x"], "--namespace says nothing to kpush demo without --cluster"],
    [["demo", "--yes"], "--yes says nothing to kpush demo without --cluster"],
    [["--quiet=yes", "a"], "--quiet takes no value"],
    [["-qv", "a"], "--quiet and --verbose exclude each other"],
    [["--route", "fast", "a"], '--route: "fast" is not auto, daemon or direct'],
    [["--platform", "Linux", "a"], '--platform: "Linux" is not a platform such as linux/amd64'],
    [["--timeout", "30", "a"], '--timeout: "30" is not a time such as 30s, 5m or 1h30m'],
    [["--timeout=-5s", "a"], '--timeout: "-5s" is not a time'],
    [["--registry-port", "70000", "a"], '--registry-port: "70000" is not a port number'],
    [["--registry-port=-", "a"], '--registry-port: "-" is not a port number'],
    [["tunnel", "--port", "0"], '--port: "0" is not a port number from 1 to 65535'],
    [["-H", "x", "--docker-context", "y", "a"], "--host and --docker-context both name an engine"],
    [["doctor"], "kpush has no doctor yet"],
    [["gc", "--help"], "kpush cannot collect a registry's garbage yet"],
    [["install", "app:v1"], "kpush install takes no images"],
    [
      ["install", "--dry-run", "server"],
      "kpush install takes no images; is --dry-run=server meant?",
    ],
    [["install", "--dry-run="], "--dry-run needs a value"],
    [["install", "--dry-run=maybe"], '--dry-run: "maybe" is not client or server'],
    [
      ["install", "--dry-run", "--dry-run=server"],
      "--dry-run is given 2 times; it takes one value",
    ],
    [["--dry-run=server", "a"], "--dry-run takes no value"],
    [["install", "-o", "wide"], '--output: "wide" is not yaml or json'],
    [["install", "--node-access", "nodeport"], '--node-access: "nodeport" is not hostport, hostne'],
    [["install", "--node-port", "0"], '--node-port: "0" is not a port number from 1 to 65535'],
    [["install", "--run-as-user", "root"], '--run-as-user: "root" is not a user id'],
    [["install", "--run-as-user", "4294967296"], '--run-as-user: "4294967296" is not a user id'],
    [["install", "--verify-nodes", "0"], '--verify-nodes: "0" is not a number of nodes, 1 or more'],
    [["install", "--wait=no"], "--wait takes no value"],
    [["install", "-l", "app=x"], "kpush install has no option --selector"],
    [["status", "--timeout", "1s"], "kpush status has no option --timeout"],
    [["--delete-data", "a"], "kpush push has no option --delete-data"],
    [["uninstall", "--diff"], "kpush uninstall has no option --diff"],
    [["install", "-qv"], "--quiet and --verbose exclude each other"],
    [["install", "-o", "yaml", "--diff"], "--output and --diff exclude each other"],
    [["install", "-o", "yaml", "--list-images"], "--output and --list-images exclude each other"],
    [["install", "--diff", "--list-images"], "--diff and --list-images exclude each other"],
    [["install", "-o", "yaml", "--dry-run=server"], "--output and --dry-run=server exclude each"],
    [["install", "-o", "yaml", "--replace-addon"], "--output and --replace-addon exclude each"],
    [["install", "--no-verify", "--verify-nodes=1"], "--verify-nodes and --no-verify exclude each"],
    [["install", "--wait=false", "--verify-nodes=1"], "--verify-nodes and --wait=false exclude"],
  ] as const)("%j", async ([argv, message]) => {
    const { status, stdout, stderr } = await runMain(argv);
    expect(stderr).toMatch(/^error: [^\n]*\nhint: [^\n]*\n$/);
    expect(stderr).toContain(`error: ${message}`);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });

  test("an option of control characters does not reach the terminal", async () => {
    const { stderr } = await runMain(["--\u001b[31mred\u0007", "a"]);
    expect(stderr).toContain("there is no option --[31mred\n");
  });

  test("--json has them as a document on stdout", async () => {
    const { status, stdout, stderr } = await runMain(["--json", "--frobnicate", "a"]);
    expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
    expect(JSON.parse(stdout)).toEqual({
      version: 1,
      ok: false,
      images: [],
      warnings: [],
      error: {
        code: "USAGE",
        message: "there is no option --frobnicate",
        hint: "kpush --help lists the options",
      },
    });
  });

  test.for([["-o", "yaml"], ["--diff"], ["--list-images"]])(
    "--json goes with no %s",
    async (argv) => {
      const { status, stdout } = await runMain(["install", "--json", ...argv]);
      expect(status).toBe(2);
      expect(JSON.parse(stdout)).toMatchObject({
        error: {
          message: expect.stringMatching(/^--\S+ and --json exclude each other$/) as string,
        },
      });
    },
  );

  test("--json behind -- is an image", async () => {
    const { stdout } = await runMain(["-z", "--", "--json"]);
    expect(stdout).toBe("");
  });
});

test.for(["doctor", "gc"])(
  "%s is kept for later, and an image of this name can be pushed",
  async (word) => {
    const { status, stderr } = await runMain([word]);
    expect(status).toBe(2);
    expect(stderr).toContain(`kpush push ${word} pushes an image of this name`);
  },
);

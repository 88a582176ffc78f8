import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const program = join(import.meta.dirname, "../../bin/kpush.js");
const exec = promisify(execFile);

/** A home with the program, a kubeconfig of two contexts, and an engine that lists these images. */
let home: string;
let env: Record<string, string>;
const images = [
  "myapp:dev",
  "myapp:prod",
  "localhost/podmans:v1",
  "<none>:<none>",
  "bad\u001b[2J:v1",
];
const engine = createServer((request, answer) => {
  if (request.url === "/images/json") answer.end(JSON.stringify([{ RepoTags: images }, {}, null]));
});
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "kpush-completion-"));
  await mkdir(join(home, "bin"));
  await symlink(program, join(home, "bin/kpush"));
  const context = (name: string) => ({ name, context: { cluster: "c", user: "u" } });
  const clusters = [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }];
  const contexts = [context("dev:eu"), context("dev:us"), context("staging")];
  await writeFile(join(home, "kubeconfig"), JSON.stringify({ clusters, contexts }));
  await new Promise<void>((resolve) => engine.listen(0, "127.0.0.1", resolve));
  const path = [join(home, "bin"), join(process.execPath, ".."), process.env["PATH"]];
  env = {
    HOME: home,
    PATH: path.join(delimiter),
    KUBECONFIG: join(home, "kubeconfig"),
    DOCKER_HOST: `tcp://127.0.0.1:${(engine.address() as AddressInfo).port}`,
    TERM: "dumb",
  };
});
afterAll(async () => {
  engine.closeAllConnections();
  engine.close();
  await rm(home, { recursive: true, force: true });
});

async function run(command: string, argv: readonly string[], more: Record<string, string> = {}) {
  const options = { env: { ...env, ...more }, cwd: home, timeout: 30_000 };
  const { stdout, stderr } = await exec(command, argv, options);
  expect(stderr).toBe("");
  return stdout.split("\n").filter((line) => line !== "");
}

/** What bash would put in place of its last word, which ends at a colon and an equals sign too. */
const bash = (line: string) =>
  run("bash", [
    "--norc",
    "-c",
    'source <(kpush completion bash); COMP_LINE=$1 COMP_POINT=${#1}; _kpush; printf "%s\\n" "${COMPREPLY[@]}"',
    "bash",
    line,
  ]);

const fish = async (line: string) =>
  (await run("fish", ["-c", `kpush completion fish | source; complete -C ${quoted(line)}`])).map(
    (one) => one.split("\t")[0] ?? "",
  );

/** In a terminal of its own, as zsh completes in none else; compadd tells what it was given. */
async function zsh(line: string): Promise<string[]> {
  const inner = [
    "autoload -Uz compinit; compinit -u -D; source <(kpush completion zsh)",
    'compadd() { local -a kept; builtin compadd -O kept "$@"; (( $#kept )) && print -rl -- $kept >>$HOME/offered; builtin compadd "$@" }',
    "list() { zle list-choices; print done >>$HOME/offered }; zle -N list; bindkey '^X' list; PS1='ready> '",
  ];
  await writeFile(join(home, "offered"), "");
  await writeFile(join(home, "inner.zsh"), inner.join("\n"));
  const outer = `zmodload zsh/zpty; zpty z zsh -f -i; zpty -w z "source $HOME/inner.zsh; print loa''ded"; zpty -r -m z buffer '*loaded*'
zpty -w -n z ${quoted(line)}$'\\x18'; until [[ "$(<$HOME/offered)" == *done* ]]; do zpty -r -t z buffer; read -t 0.05 <$TTY; done 2>/dev/null; zpty -d z; print -r -- "$(<$HOME/offered)"`;
  const lines = await run("zsh", ["-f", "-c", outer]);
  return [...new Set(lines)].filter((one) => one !== "done");
}

function quoted(text: string): string {
  return `'${text}'`;
}

const drivers = { bash, zsh, fish };
const missing = new Set<string>();
for (const shell of Object.keys(drivers)) {
  await exec(shell, ["-c", "exit"]).catch(() => {
    missing.add(shell);
    console.warn(`no ${shell} on this machine: its completion is not tested`);
  });
}

describe.for(Object.keys(drivers) as (keyof typeof drivers)[])(
  "%s",
  { timeout: 60_000 },
  (shell) => {
    const complete = drivers[shell];
    /** What stands before the last colon or equals sign stays in the line, and is in no reply of bash. */
    const whole = (all: string[], before: string) =>
      shell === "bash" ? all.map((one) => before + one) : all;

    test.skipIf(missing.has(shell))("completes commands and images", async () => {
      expect((await complete("kpush sta")).sort()).toEqual(["status"]);
      expect(await complete("kpush podm")).toEqual(["podmans:v1"]);
    });

    test.skipIf(missing.has(shell))("completes the options of the command at hand", async () => {
      expect((await complete("kpush --co")).sort()).toEqual(["--compression", "--context"]);
      expect(await complete("kpush tunnel --p")).toEqual(["--port"]);
    });

    test.skipIf(missing.has(shell))("completes names behind their colon", async () => {
      expect(whole(await complete("kpush myapp:d"), "myapp:")).toEqual(["myapp:dev"]);
    });

    test.skipIf(missing.has(shell))("completes contexts, also behind an equals sign", async () => {
      expect(await complete("kpush --context st")).toEqual(["staging"]);
      expect(whole(await complete("kpush --context=st"), "--context=")).toEqual([
        "--context=staging",
      ]);
    });
  },
);

const answer = (words: readonly string[], more?: Record<string, string>) =>
  run("kpush", ["__complete", ...words], more);

test("names that hold control characters are not offered", async () => {
  expect(await answer(["bad"])).toEqual([":0"]);
});

test("an engine that never answers and a cluster that is not there are silence", async () => {
  const dead = createServer(() => undefined);
  await new Promise<void>((resolve) => dead.listen(0, "127.0.0.1", resolve));
  const host = `tcp://127.0.0.1:${(dead.address() as AddressInfo).port}`;
  expect(await answer(["my"], { DOCKER_HOST: host })).toEqual([":0"]);
  expect(await answer(["--context", "staging", "-n", ""])).toEqual([":4"]);
  dead.closeAllConnections();
  dead.close();
});

test.for([
  [
    ["--route", ""],
    ["auto", "daemon", "direct", ":4"],
  ],
  [
    ["install", "--storage", ""],
    ["pvc", "emptydir", "claim:", ":4"],
  ],
  [
    ["install", "--dry-run="],
    ["--dry-run=client", "--dry-run=server", ":4"],
  ],
  [["install", "--config", ""], [":0"]],
  [
    ["completion", ""],
    ["bash", "zsh", "fish", ":4"],
  ],
  [
    ["--docker-context", ""],
    ["default", ":4"],
  ],
  [["push", "--", "--co"], [":0"]],
  [["-H", "unix:///none", "my"], [":0"]],
  [["--no-such", "--kubeconfig=none", "--context", ""], [":4"]],
] as const)("%j is answered by %j", async ([words, expected]) => {
  expect(await answer(words)).toEqual(expected);
});

test("--install says what it wrote and where, and the second time that nothing changed", async () => {
  const file = join(home, ".local/share/bash-completion/completions/kpush");
  const next = "the package bash-completion reads it in each new shell";
  expect(await run("kpush", ["completion", "--install", "bash"])).toEqual([`wrote ${file}`, next]);
  const again = await run("kpush", ["completion", "--install"], { SHELL: "/bin/bash" });
  expect(again).toEqual([`unchanged ${file}`, next]);
});

test("--install says where it could not write", async () => {
  const failed: unknown = await run("kpush", ["completion", "--install", "zsh"], {
    XDG_DATA_HOME: join(home, "kubeconfig"),
  }).catch((error: unknown) => error);
  expect(failed).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(
      /^error: .*_kpush cannot be written \(ENOTDIR\)\nhint: /,
    ) as string,
  });
});

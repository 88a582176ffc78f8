// Records what `kpush` prints in a real terminal: node picture/record.mjs (needs docker, kubectl, util-linux's
// script, the engine of DOCKER_HOST, and a cluster with a registry of `kpush install`).
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { columns, rows, commands } = JSON.parse(
  readFileSync(join(root, "picture/commands.json"), "utf8"),
);
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const image = "myapp:dev";
const MB = 1_000_000;

const built = [];
const work = mkdtempSync(join(tmpdir(), "kpush-picture-"));
const env = environment();
const run = (program, ...args) => execFileSync(program, args, { cwd: work, env, stdio: "pipe" });
try {
  for (let layer = 0; layer < 7; layer++) writeLayer(layer, 12);
  build();
  run("kpush", "-q", image);
  run("kubectl", "create", "deployment", "myapp", `--image=${image}`, "--replicas=0");
  build(); // The developer's change: the last two layers are new.
  const steps = [];
  for (const command of commands) steps.push({ command, output: await record(command) });
  const recording = { version, columns, rows, steps };
  writeFileSync(join(root, "picture/recording.json"), JSON.stringify(recording, null, 1) + "\n");
} finally {
  for (const [program, ...args] of [
    ["kubectl", "delete", "deployment", "myapp", "--ignore-not-found"],
    ["docker", "rmi", "-f", ...built],
  ]) {
    try {
      run(program, ...args);
    } catch (error) {
      console.error(String(error.stderr ?? error));
    }
  }
  rmSync(work, { recursive: true, force: true });
}

/** The user's own, with a home directory without anything in it and a context that is called `dev`. */
function environment() {
  mkdirSync(join(work, "bin"));
  symlinkSync(join(root, "bin/kpush.js"), join(work, "bin/kpush"));
  const config = join(work, "kubeconfig");
  writeFileSync(
    config,
    execFileSync("kubectl", ["config", "view", "--raw", "--flatten", "--minify"]),
  );
  const own = { ...process.env, KUBECONFIG: config, HOME: work, TERM: "xterm-256color" };
  delete own.CI;
  delete own.NO_COLOR;
  own.PATH = join(work, "bin") + delimiter + process.env.PATH;
  const current = execFileSync("kubectl", ["config", "current-context"], { env: own });
  const name = current.toString().trim();
  if (name !== "dev")
    execFileSync("kubectl", ["config", "rename-context", name, "dev"], { env: own });
  return own;
}

function writeLayer(number, megabytes) {
  writeFileSync(join(work, `layer${number}`), randomBytes(megabytes * MB));
}

function build() {
  writeLayer(7, 11);
  writeLayer(8, 3);
  const copies = Array.from({ length: 9 }, (_, layer) => `COPY layer${layer} /`);
  writeFileSync(join(work, "Dockerfile"), ["FROM scratch", ...copies, 'CMD ["/app"]'].join("\n"));
  writeFileSync(join(work, ".dockerignore"), "kubeconfig\nbin\n.*\n");
  built.push(run("docker", "build", "-q", "-t", image, ".").toString().trim());
}

/** Pairs of milliseconds since the start and what the terminal was sent. */
function record(command) {
  return new Promise((resolve, reject) => {
    const inside = `stty rows ${rows} cols ${columns}; ${command}`;
    const child = spawn("script", ["-qfec", inside, "/dev/null"], { cwd: work, env });
    const output = [];
    const start = performance.now();
    const decoder = new TextDecoder();
    child.stdout.on("data", (chunk) => {
      output.push([Math.round(performance.now() - start), decoder.decode(chunk, { stream: true })]);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command}: ${code}\n${output.map(([, text]) => text).join("")}`));
    });
  });
}

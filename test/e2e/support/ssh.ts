import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The SSH server's program; undefined where there is none. */
export const sshdPath = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].find((path) => existsSync(path));

/** An SSH server at a loopback port, for the current user, and the client's side of it. */
export interface SshServer extends AsyncDisposable {
  /** `ssh://user@127.0.0.1:PORT`; a path behind it is the engine's socket. */
  address: string;
  /** Its `ssh` has the key, and knows the host. */
  env: Record<string, string>;
  /** Process ids of every ssh that was run. */
  clients(): Promise<number[]>;
}

/** Keys and settings are made for the test, in a directory of its own. */
export async function sshServer(program: string): Promise<SshServer> {
  const directory = await mkdtemp(join(tmpdir(), "kpush-sshd-"));
  const file = (name: string) => join(directory, name);
  const { username } = userInfo();
  for (const name of ["host", "key"])
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file(name)]);
  await copyFile(file("key.pub"), file("authorized"));
  // sshd looks for it when it runs as root, and has no setting for it.
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true, mode: 0o755 });

  const settings = [
    ...[`HostKey=${file("host")}`, `AuthorizedKeysFile=${file("authorized")}`],
    ...["StrictModes=no", "UsePAM=no", "PasswordAuthentication=no", "PidFile=none"],
  ].flatMap((setting) => ["-o", setting]);
  // One process for each connection, as inetd starts it: so the port can be one of the system's choice.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    spawn(program, ["-i", "-f", "/dev/null", ...settings], { stdio: [socket, socket, "ignore"] });
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const hostKey = await readFile(file("host.pub"), "utf8");
  await writeFile(file("known"), `[127.0.0.1]:${port} ${hostKey}`);
  await writeFile(
    file("config"),
    [
      "IdentityFile " + file("key"),
      "IdentitiesOnly yes",
      "UserKnownHostsFile " + file("known"),
    ].join("\n"),
  );
  await mkdir(file("bin"));
  await writeFile(file("pids"), "");
  const lines = [
    "#!/bin/sh",
    `echo $$ >> '${file("pids")}'`,
    `exec ${await which("ssh")} -F '${file("config")}' "$@"`,
  ];
  await writeFile(file("bin/ssh"), `${lines.join("\n")}\n`);
  await chmod(file("bin/ssh"), 0o755);
  return {
    address: `ssh://${username}@127.0.0.1:${port}`,
    env: { PATH: `${file("bin")}${delimiter}${process.env["PATH"] ?? ""}` },
    clients: async () =>
      (await readFile(file("pids"), "utf8")).split("\n").filter(Boolean).map(Number),
    async [Symbol.asyncDispose]() {
      await new Promise((done) => server.close(done));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function which(name: string): Promise<string> {
  return (await run("sh", ["-c", `command -v ${name}`])).stdout.trim();
}

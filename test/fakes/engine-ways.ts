import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";
import { createServer, type TLSSocket } from "node:tls";
import { selfSignedCertificate } from "../../src/demo/certificate.ts";

/** An engine's socket behind TLS that asks for a client's certificate. */
export interface TlsFront extends AsyncDisposable {
  port: number;
  /** With ca.pem, cert.pem and key.pem. */
  directory: string;
}

/** @param socketPath - where the engine listens */
export async function tlsFront(socketPath: string, hosts?: string[]): Promise<TlsFront> {
  const directory = await mkdtemp(join(tmpdir(), "kpush-tls-"));
  const server = await selfSignedCertificate(hosts ? { hosts } : {});
  const client = await selfSignedCertificate();
  await writeFile(join(directory, "ca.pem"), server.cert);
  await writeFile(join(directory, "cert.pem"), client.cert);
  await writeFile(join(directory, "key.pem"), client.key);
  const sockets = new Set<TLSSocket>();
  const front = createServer(
    { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true },
    (socket) => {
      sockets.add(socket.once("close", () => sockets.delete(socket)));
      const engine = connect(socketPath);
      socket.pipe(engine).pipe(socket);
      socket.on("error", () => engine.destroy());
      engine.on("error", () => socket.destroy());
      socket.on("close", () => engine.destroy());
    },
  ).listen(0, "127.0.0.1");
  await once(front, "listening");
  return {
    port: (front.address() as AddressInfo).port,
    directory,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => front.close(done));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** An engine's socket at a port of its own. */
export async function tcpFront(socketPath: string): Promise<AsyncDisposable & { port: number }> {
  const sockets = new Set<Socket>();
  const front = createTcpServer((socket) => {
    sockets.add(socket.once("close", () => sockets.delete(socket)));
    const engine = connect(socketPath);
    socket.pipe(engine).pipe(socket);
    for (const one of [socket, engine]) one.on("error", () => undefined);
    socket.on("close", () => engine.destroy());
  }).listen(0, "127.0.0.1");
  await once(front, "listening");
  return {
    port: (front.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => front.close(done));
    },
  };
}

/** What the ssh of a test does in place of a connection. */
export type SshFault = { code: number; stderr: string; only?: string };

/** A program called `ssh` that joins its streams to an engine's socket. */
export interface FakeSsh extends AsyncDisposable {
  /** Has it first in the PATH. */
  env: Record<string, string>;
  /** Arguments of each call so far. */
  calls(): Promise<string[][]>;
  /** Resolves when every ssh that was started has ended. */
  allEnded(): Promise<void>;
}

const program = (socketPath: string, fault: SshFault | undefined, log: string) => `
import { appendFileSync } from "node:fs";
import { connect } from "node:net";
const args = process.argv.slice(2);
appendFileSync(${JSON.stringify(log)}, JSON.stringify({ pid: process.pid, args }) + "\\n");
const fault = ${JSON.stringify(fault ?? null)};
if (fault && (!fault.only || args.includes(fault.only))) {
  process.stderr.write(fault.stderr);
  process.exitCode = fault.code;
} else {
  process.stderr.write("Welcome to \\u001b[31mbuild\\n");
  const socket = connect(${JSON.stringify(socketPath)});
  process.stdin.pipe(socket).pipe(process.stdout);
}
`;

export async function fakeSsh(socketPath: string, fault?: SshFault): Promise<FakeSsh> {
  const directory = await mkdtemp(join(tmpdir(), "kpush-ssh-"));
  const log = join(directory, "log");
  const script = join(directory, "ssh.mjs");
  await writeFile(log, "");
  await writeFile(script, program(socketPath, fault, log));
  await writeFile(
    join(directory, "ssh"),
    `#!/bin/sh\nexec '${process.execPath}' '${script}' "$@"\n`,
  );
  await chmod(join(directory, "ssh"), 0o755);
  const entries = async () =>
    (await readFile(log, "utf8"))
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { pid: number; args: string[] });
  const ended = async () => (await entries()).every(({ pid }) => !isAlive(pid));
  return {
    env: { PATH: `${directory}${delimiter}${process.env["PATH"] ?? ""}` },
    calls: async () => (await entries()).map(({ args }) => args),
    async allEnded() {
      while (!(await ended())) await new Promise((done) => setImmediate(done));
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

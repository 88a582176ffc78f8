import { KpushError, messageOf, type ErrorCode } from "../errors.ts";
import type { Report } from "../events.ts";
import { openEngine, type EngineTimings, type FoundEngine } from "./client.ts";
import { resolveEndpoints, type Endpoint, type EndpointFacts, type Files } from "./endpoint.ts";
import { noEngine } from "./failures.ts";
import { fileSystem } from "./files.ts";
import type { SshSurroundings } from "./remote/ssh-dial.ts";
import { unsafeWay } from "./remote/tcp-address.ts";
import type { Engine, EngineOptions } from "./types.ts";

/** What tests change; times in milliseconds. */
export interface FindSettings extends Partial<EngineTimings> {
  /** The file system, as far as the choice depends on it. */
  files?: Files;
  /** How long an engine that holds the images waits for those that go before it: 2_000. */
  patience?: number;
}

/**
 * Finds the engine to take images from: the chosen one; else, of those that answer at the usual sockets,
 * the first in their order that holds all the images, or some, or else the first. Each is asked for the
 * images at once, and `inspect` then takes that answer: one round trip in all.
 *
 * @param names - of images; what is wrong with one of them is told by `inspect`
 * @throws KpushError `USAGE`, `ENGINE_*`: what is wrong with the engine itself
 */
export async function findEngine(
  options: EngineOptions,
  names: readonly string[],
  surroundings: Omit<EndpointFacts, "files"> & SshSurroundings,
  report: Report,
  signal: AbortSignal,
  settings: FindSettings = {},
): Promise<Engine> {
  const { files = fileSystem, patience = 2_000, ...timings } = settings;
  const { endpoints, chosenBy } = resolveEndpoints(options, { ...surroundings, files });
  const debug = (message: string) => report({ type: "debug", message: `engine: ${message}` });
  debug(
    chosenBy === undefined ? "none was chosen, trying the usual sockets" : `${chosenBy} chose it`,
  );
  const there = chosenBy === undefined ? endpoints.filter((one) => isThere(one, files)) : endpoints;
  if (there.length === 0) throw noEngine(endpoints);

  for (const endpoint of there) {
    const message = unsafeWay(endpoint);
    if (message !== undefined) {
      report({ type: "warning", message, hint: "protect it with TLS, or use ssh://HOST" });
    }
  }
  const candidates = there.map((endpoint) =>
    askFor(names, openEngine(endpoint, surroundings, signal, timings)),
  );
  const chosen = await chooseFirst(candidates, names.length, patience);
  for (const one of candidates) {
    const { engine, error } = one;
    if (error !== undefined) debug(`${engine.endpoint} is passed over: ${messageOf(error)}`);
    if (one !== chosen) engine[Symbol.dispose]();
  }
  signal.throwIfAborted();
  if (chosen) return chosen.engine;
  const error = worst(candidates.map(({ error }) => error));
  const none = error instanceof KpushError && error.code === "ENGINE_NOT_FOUND";
  throw chosenBy === undefined && none ? noEngine(endpoints) : error;
}

/** One engine that was asked for the images; the fields are filled in when it has answered. */
interface Candidate {
  engine: FoundEngine;
  /** How many of the images it holds; undefined until it has answered. */
  held: number | undefined;
  error: unknown;
  answered: Promise<void>;
}

function askFor(names: readonly string[], engine: FoundEngine): Candidate {
  const candidate: Candidate = {
    engine,
    held: undefined,
    error: undefined,
    answered: Promise.allSettled(names.map((name) => engine.prefetch(name))).then((answers) => {
      const reasons = answers.flatMap((one): unknown[] =>
        one.status === "rejected" ? [one.reason] : [],
      );
      candidate.error = reasons.find(isEngineError);
      if (candidate.error === undefined) candidate.held = names.length - reasons.length;
    }),
  };
  return candidate;
}

/**
 * The first in their order that holds all the images. Those that go before it get some time to answer,
 * so that a dead virtual machine's socket holds nobody up.
 */
async function chooseFirst(
  candidates: readonly Candidate[],
  wanted: number,
  patience: number,
): Promise<Candidate | undefined> {
  const inOrder = async () => {
    for (const one of candidates) {
      await one.answered;
      if (one.held === wanted) return;
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const outOfPatience = new Promise<void>((resolve) => {
    for (const one of candidates) {
      void one.answered.then(() => {
        if (one.held === wanted) timer ??= setTimeout(resolve, patience);
      });
    }
  });
  await Promise.race([inOrder(), outOfPatience]);
  clearTimeout(timer);
  const most = Math.max(...candidates.map(({ held = -1 }) => held));
  return candidates.find(({ held }) => held !== undefined && held === most);
}

/** An engine that cannot be used at all, as opposed to one that only lacks an image. */
function isEngineError(reason: unknown): boolean {
  return !(reason instanceof KpushError) || severity.includes(reason.code);
}

/** The error that says most: who may not use an engine should not read that there is none. */
function worst(errors: readonly unknown[]): unknown {
  const rank = (error: unknown) =>
    error instanceof KpushError ? severity.indexOf(error.code) : severity.length;
  return errors.reduce((one, other) => (rank(other) > rank(one) ? other : one));
}

const severity: ErrorCode[] = [
  "ENGINE_NOT_FOUND",
  "ENGINE_UNREACHABLE",
  "ENGINE_DENIED",
  "ENGINE_UNSUPPORTED",
];

/** To look at a pipe is to open it, and a busy one would seem to be missing: pipes are asked instead. */
function isThere({ address, connection }: Endpoint, files: Files): boolean {
  const isSocket = "socketPath" in connection && !address.startsWith("npipe:");
  return !isSocket || files.exists(connection.socketPath);
}

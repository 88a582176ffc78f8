import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, rm } from "node:fs/promises";
import type { Surroundings } from "../cluster/types.ts";
import { pathsOf } from "../engine/endpoint.ts";
import { userDirectory, writeWhole } from "./user-files.ts";

/**
 * What kpush remembers between runs. Safe to delete, and best effort: where it cannot be read it is
 * empty, where it cannot be written nothing is remembered, and no error leaves it.
 */
export interface State {
  /** The port on 127.0.0.1 that was last used towards this registry. */
  localPort(registry: string): Promise<number | undefined>;
  rememberLocalPort(registry: string, port: number): Promise<void>;
  /** The pod that was last found by this search: a guess, to be checked. */
  lastPod(search: string): Promise<PodGuess | undefined>;
  rememberPod(search: string, pod: PodGuess): Promise<void>;
  /** Whether this engine reached a port of kpush's before: a guess, as another may answer there by now. */
  wasReached(engine: string): Promise<boolean>;
  rememberReached(engine: string): Promise<void>;
  forgetReached(engine: string): Promise<void>;
  /** Writes a note, one file each so that several processes never rewrite each other's; returns its key. */
  addNote(note: object): Promise<string>;
  removeNote(key: string): Promise<void>;
  /** All notes that can be read, as they were written, by anyone: to be checked. */
  notes(): Promise<{ key: string; note: unknown }[]>;
}

/** As much of a registry pod as a tunnel to it needs. */
export interface PodGuess {
  namespace: string;
  name: string;
  uid: string;
  port: number;
}

/** Opens the state directory of the user; creates it, with mode 0700, at the first write. */
export function openState(surroundings: Pick<Surroundings, "env" | "home" | "platform">): State {
  const { join } = pathsOf(surroundings.platform);
  const directory = userDirectory("state", surroundings);
  const ports = join(directory, "ports");
  const notes = join(directory, "notes");
  const engines = join(directory, "engines");
  const pods = join(directory, "pods");
  const fileOf = (key: string) => createHash("sha256").update(key).digest("hex").slice(0, 32);
  const portFile = (registry: string) => join(ports, fileOf(registry));
  const podFile = (search: string) => join(pods, fileOf(search));

  return {
    async localPort(registry) {
      const port = Number(await read(portFile(registry)));
      return Number.isInteger(port) && port >= 1024 && port <= 65_535 ? port : undefined;
    },
    async rememberLocalPort(registry, port) {
      await writeWhole(ports, portFile(registry), String(port));
    },
    async lastPod(search) {
      const guess = Object(parse(await read(podFile(search)))) as Record<string, unknown>;
      const { namespace, name, uid, port } = guess;
      if (![namespace, name, uid].every((text) => typeof text === "string")) return undefined;
      return typeof port === "number" ? (guess as unknown as PodGuess) : undefined;
    },
    async rememberPod(search, { namespace, name, uid, port }) {
      await writeWhole(pods, podFile(search), JSON.stringify({ namespace, name, uid, port }));
    },
    async wasReached(engine) {
      return (await read(join(engines, fileOf(engine)))) !== undefined;
    },
    async rememberReached(engine) {
      await writeWhole(engines, join(engines, fileOf(engine)), engine);
    },
    async forgetReached(engine) {
      await rm(join(engines, fileOf(engine)), { force: true }).catch(() => undefined);
    },
    async addNote(note) {
      const key = `${randomBytes(12).toString("hex")}.json`;
      await writeWhole(notes, join(notes, key), JSON.stringify(note));
      return key;
    },
    async removeNote(key) {
      await rm(join(notes, key), { force: true }).catch(() => undefined);
    },
    async notes() {
      const keys = await readdir(notes).catch(() => []);
      const all = keys
        .filter((key) => /^[0-9a-f]{24}\.json$/.test(key))
        .map(async (key) => ({ key, note: parse(await read(join(notes, key))) }));
      return Promise.all(all);
    },
  };
}

async function read(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

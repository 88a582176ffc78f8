import { createHash } from "node:crypto";
import { connect } from "node:net";
import { hostname } from "node:os";
import { messageOf } from "../errors.ts";
import type { Engine } from "../engine/types.ts";
import type { Report } from "../events.ts";
import { plain } from "../image/text.ts";
import type { Listener } from "../tunnel/types.ts";
import type { State } from "./state.ts";

/** What temporary tags are made with. */
export interface TagContext {
  engine: Engine;
  listener: Pick<Listener, "port" | "password">;
  state: State;
  report: Report;
}

/**
 * One journaled tag. It names a port of this machine, and that port is the proof of life: the process
 * that made the tag listens there until the tag is gone. Unlike a process id it cannot be mistaken for
 * a later one's, since whoever sweeps either holds the port himself or finds nobody there.
 */
interface JournaledTag {
  engine: string;
  tag: string;
  host: string;
  /** Tells the listeners apart that had one port after each other. */
  owner: string;
}

/**
 * Has an image carry the name `127.0.0.1:PORT/repository:tag` while `use` runs. The name is journaled
 * before it is made, and taken away whatever happens, an interruption included.
 *
 * @param image - id of an image that has another name
 */
export async function withTemporaryTag<T>(
  { image, repository, tag }: { image: string; repository: string; tag: string },
  context: TagContext,
  use: (name: string) => Promise<T>,
): Promise<T> {
  const { engine, state, listener } = context;
  const prefix = `127.0.0.1:${listener.port}/${repository}`;
  const name = `${prefix}:${tag}`;
  const journaled: JournaledTag = {
    engine: engine.endpoint,
    tag: name,
    host: hostname(),
    owner: ownerOf(listener),
  };
  const key = await state.addNote(journaled);
  try {
    await engine.tag(image, prefix, tag);
    return await use(name);
  } finally {
    await takeAway(name, key, context);
  }
}

/**
 * Removes what dead runs of kpush left on this engine: only journaled tags, never what merely looks
 * like one, as `127.0.0.1:*` may be the user's own.
 */
export async function sweepTemporaryTags(context: TagContext): Promise<void> {
  const { engine, state, listener } = context;
  for (const { key, note } of await state.notes()) {
    if (!isJournaledTag(note) || note.host !== hostname() || note.engine !== engine.endpoint)
      continue;
    if (note.owner === ownerOf(listener)) continue;
    const port = portOf(note.tag);
    if (port !== listener.port && (await isListening(port))) continue;
    await takeAway(note.tag, key, context);
  }
}

async function takeAway(
  name: string,
  key: string,
  { engine, state, report }: TagContext,
): Promise<void> {
  try {
    const others = (await state.notes()).flatMap(({ note }) =>
      isJournaledTag(note) ? [note.tag] : [],
    );
    if ((await engine.untag(name, others)) === "kept") {
      report({
        type: "warning",
        message: `the image lost its other names meanwhile, so ${plain(name)} stays: it keeps the image`,
        hint: `if you do not need it: docker rmi ${plain(name)}`,
      });
    }
    await state.removeNote(key);
  } catch (error) {
    // It stays journaled, for the next run.
    report({
      type: "warning",
      message: `the temporary name ${plain(name)} could not be removed: ${messageOf(error)}`,
      hint: `docker rmi ${plain(name)}`,
    });
  }
}

const tagSyntax = /^127\.0\.0\.1:(\d{1,5})\/[a-z0-9._/:-]+:[\w.-]{1,128}$/;

function isJournaledTag(note: unknown): note is JournaledTag {
  if (typeof note !== "object" || note === null) return false;
  const { engine, tag, host, owner } = note as Partial<Record<keyof JournaledTag, unknown>>;
  if (typeof engine !== "string" || typeof host !== "string" || typeof owner !== "string")
    return false;
  return typeof tag === "string" && portOf(tag) <= 65_535;
}

/** NaN where it is no temporary tag. */
function portOf(tag: string): number {
  return Number(tagSyntax.exec(tag)?.[1]);
}

function ownerOf({ password }: Pick<Listener, "password">): string {
  return createHash("sha256").update(password).digest("hex").slice(0, 16);
}

/** Whether any program listens on this port of 127.0.0.1. */
function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: 1_000 });
    const settle = (listening: boolean) => () => {
      socket.destroy();
      resolve(listening);
    };
    socket.once("connect", settle(true));
    socket.once("timeout", settle(true));
    socket.once("error", settle(false));
  });
}

import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openState } from "../../../src/push/state.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "kpush-state-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const open = (env = {}, platform: NodeJS.Platform = "linux") => openState({ env, home, platform });

test("a port is remembered for its registry", async () => {
  expect(await open().localPort("a")).toBeUndefined();
  await open().rememberLocalPort("a", 40_000);
  await open().rememberLocalPort("b", 50_000);
  await open().rememberLocalPort("a", 40_001);
  expect([await open().localPort("a"), await open().localPort("b")]).toEqual([40_001, 50_000]);
});

test.for(["", "x", "0", "80", "70000", "4e4.5"])("a port file with %j is no port", async (text) => {
  await open().rememberLocalPort("a", 40_000);
  const ports = join(home, ".local/state/kpush/ports");
  const [file = ""] = await readdir(ports);
  await writeFile(join(ports, file), text);
  expect(await open().localPort("a")).toBeUndefined();
});

test("notes are kept until they are removed, and broken ones harm nobody", async () => {
  const key = await open().addNote({ a: 1 });
  await open().addNote({ b: 2 });
  const directory = join(home, ".local/state/kpush/notes");
  await writeFile(join(directory, `${"0".repeat(24)}.json`), "{");
  await writeFile(join(directory, "not-ours.txt"), "{}");
  await open().removeNote(key);
  const notes = (await open().notes()).map(({ note }) => note);
  expect(notes).toHaveLength(2);
  expect(notes).toEqual(expect.arrayContaining([undefined, { b: 2 }]));
});

test("where nothing can be written, nothing is remembered and nothing fails", async () => {
  await writeFile(join(home, ".local"), "a file in the way");
  const state = open();
  await state.rememberLocalPort("a", 40_000);
  await state.removeNote(await state.addNote({ a: 1 }));
  expect(await state.localPort("a")).toBeUndefined();
  expect(await state.notes()).toEqual([]);
});

test("XDG_STATE_HOME is followed where it is absolute", async () => {
  await open({ XDG_STATE_HOME: join(home, "xdg") }).rememberLocalPort("a", 40_000);
  expect(await readdir(home)).toEqual(["xdg"]);
  await open({ XDG_STATE_HOME: "relative" }).rememberLocalPort("a", 40_000);
  expect(await readdir(home)).toEqual([".local", "xdg"]);
});

test("on macOS state is where applications keep theirs", async () => {
  await open({}, "darwin").rememberLocalPort("a", 40_000);
  expect(await readdir(join(home, "Library", "Application Support"))).toEqual(["kpush"]);
});

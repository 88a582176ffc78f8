import { randomBytes } from "node:crypto";
import { chmod, chown, open, readFile, realpath, rename, rm, stat } from "node:fs/promises";
import { isMap, isSeq, parseDocument, type YAMLMap } from "yaml";

/**
 * Writes tokens to a user's auth-provider in a kubeconfig. All else stays, comments too; the file is
 * replaced at once and keeps its mode; kubectl's lock file is honoured, and made.
 *
 * @param tokens - keys of the auth-provider's config; undefined ones stay as they are
 * @throws where the file is locked, changed its shape or cannot be written
 */
export async function storeTokens(
  file: string,
  user: string,
  tokens: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const target = await realpath(file); // a symlink must stay one
  const lock = `${file}.lock`;
  await (await open(lock, "wx", 0)).close();
  try {
    const document = parseDocument(await readFile(target, "utf8"));
    if (document.errors[0]) throw document.errors[0];
    const config = providerConfig(document.get("users"), user);
    if (!config) throw new Error("it no longer has this user");
    for (const [key, value] of Object.entries(tokens))
      if (value !== undefined) config.set(key, value);
    await replace(target, document.toString({ lineWidth: 0 }));
  } finally {
    await rm(lock, { force: true });
  }
}

function providerConfig(users: unknown, name: string): YAMLMap | undefined {
  if (!isSeq(users)) return undefined;
  const entry = users.items.find((each) => isMap(each) && String(each.get("name")) === name);
  const config = isMap(entry) ? entry.getIn(["user", "auth-provider", "config"]) : undefined;
  return isMap(config) ? config : undefined;
}

async function replace(target: string, content: string): Promise<void> {
  const { mode, uid, gid } = await stat(target);
  const fresh = `${target}.${randomBytes(6).toString("hex")}`;
  try {
    const handle = await open(fresh, "wx", 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chown(fresh, uid, gid).catch(() => undefined); // someone else's file can be kept so by root only
    await chmod(fresh, mode & 0o7777);
    await rename(fresh, target);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

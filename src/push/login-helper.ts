import { access, constants, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Listener } from "../tunnel/types.ts";

/** The login of a tunnel. */
export type Login = Pick<Listener, "port" | "username" | "password">;

/**
 * Writes a credential helper (`docker-credential-…`, the protocol of docker's) that knows the tunnel's login and asks
 * the user's own store for all others. It takes the place of that store, as `credsStore` is asked for every registry,
 * whatever stands under `auths`.
 *
 * @param directory - one that will be in the PATH of the tools
 * @param store - the user's own, as `credsStore` has it
 * @returns its name as `credsStore` has it; undefined where no program can be run from there (`noexec`)
 */
export async function writeLoginHelper(
  directory: string,
  store: string,
  { port, username, password }: Login,
): Promise<string | undefined> {
  // With the port, as a tunnel in a tunnel has the outer one's helper for the user's own.
  const name = `kpush-${port}-${store}`;
  const registry = `127.0.0.1:${port}`;
  const login = JSON.stringify({ ServerURL: registry, Username: username, Secret: password });
  const script = `#!/bin/sh
asked=$(cat)
case "$1 $asked" in
  'get ${registry}' | 'get ${registry}/'*) echo '${login}' ;;
  *) printf '%s' "$asked" | docker-credential-${store} "$@" ;;
esac
`;
  const file = join(directory, `docker-credential-${name}`);
  await writeFile(file, script, { mode: 0o700, flag: "wx" });
  return await access(file, constants.X_OK).then(
    () => name,
    () => undefined,
  );
}

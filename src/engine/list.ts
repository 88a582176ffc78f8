import { KpushError } from "../errors.ts";
import type { Surroundings } from "../cluster/types.ts";
import { resolveEndpoints, type Endpoint } from "./endpoint.ts";
import { fileSystem } from "./files.ts";
import type { SshSurroundings } from "./remote/ssh-dial.ts";
import { openTransport, readText } from "./transport.ts";
import type { EngineOptions } from "./types.ts";

const listLimit = 16 * 1024 * 1024;

/**
 * The names of all images that the engine holds, as it writes them; of the usual sockets, the first that
 * answers with any.
 *
 * @param ways - `ssh`: an engine by ssh is asked too, which may prompt, and takes its time; `strict`: where
 *   none can tell, that is an error
 * @returns none where there is no engine, or what answers is none
 * @throws KpushError `USAGE`, `ENGINE_*` where what chooses the engine is wrong
 */
export async function listImageNames(
  options: EngineOptions,
  surroundings: Pick<Surroundings, "env" | "home" | "platform"> & SshSurroundings,
  signal: AbortSignal,
  ways: { ssh?: boolean; strict?: boolean } = {},
): Promise<string[]> {
  const { endpoints } = resolveEndpoints(options, { ...surroundings, files: fileSystem });
  const errors: unknown[] = [];
  const asked = endpoints
    .filter((endpoint) => mayBeAsked(endpoint, ways))
    .map((endpoint) =>
      namesAt(endpoint, surroundings, signal).catch((error: unknown) => {
        errors.push(error);
        return [];
      }),
    );
  for (const answer of asked) {
    const names = await answer;
    if (names.length > 0) return names;
  }
  if (ways.strict && errors.length > 0 && errors.length === asked.length) throw errors[0];
  return [];
}

function mayBeAsked({ connection }: Endpoint, { ssh = false }: { ssh?: boolean }): boolean {
  if ("ssh" in connection) return ssh;
  return !("socketPath" in connection) || fileSystem.exists(connection.socketPath);
}

async function namesAt(
  endpoint: Endpoint,
  surroundings: SshSurroundings,
  signal: AbortSignal,
): Promise<string[]> {
  using transport = openTransport(endpoint, surroundings);
  const answer = await transport.send({ method: "GET", path: "/images/json", signal });
  const images = imagesIn(await readText(transport, answer, listLimit, signal));
  if (answer.statusCode !== 200 || !images) {
    const message = `the engine at ${endpoint.address} does not list its images`;
    throw new KpushError("ENGINE_FAILED", message, { hint: "docker images should fail, too" });
  }
  const tags = images.flatMap((image: { RepoTags?: unknown } | null) => image?.RepoTags ?? []);
  return tags.filter((tag) => typeof tag === "string").filter((tag) => !tag.includes("<none>"));
}

function imagesIn(text: string): { RepoTags?: unknown }[] | undefined {
  try {
    const images: unknown = JSON.parse(text);
    return Array.isArray(images) ? (images as { RepoTags?: unknown }[]) : undefined;
  } catch {
    return undefined;
  }
}

import { findEngine } from "../engine/find.ts";
import type { Engine, LocalImage } from "../engine/types.ts";
import { openArchive, type Archive } from "./archive/source.ts";
import type { ImageRequest } from "./request.ts";
import type { Context, PushOptions } from "./types.ts";

/** Where one requested image comes from, or why it cannot be had. */
export type Source = { request: ImageRequest } & (
  | { kind: "engine"; engine: Engine; local: LocalImage }
  | { kind: "archive"; archive: Archive }
  | { kind: "missing"; error: unknown }
);

/** The sources of a push; disposing closes what was opened for them. */
export interface Sources extends AsyncDisposable {
  all: Source[];
}

/**
 * Finds the engine, if any image is asked of one, and has it describe the images; opens the archives.
 * What is wrong with one image is in its source.
 *
 * @throws KpushError `ENGINE_*`: what is wrong with the engine itself
 */
export async function openSources(
  options: PushOptions,
  requests: readonly ImageRequest[],
  context: Context,
): Promise<Sources> {
  const { surroundings, report, signal } = context;
  const names = requests.flatMap((request) =>
    request.kind === "image" ? [request.reference] : [],
  );
  const engine =
    names.length > 0 ? await findEngine(options, names, surroundings, report, signal) : undefined;
  if (engine) report({ type: "engine", name: engine.name });
  const all = await Promise.all(
    requests.map((request) => openSource(request, engine, options.platform, context)),
  );
  return {
    all,
    async [Symbol.asyncDispose]() {
      for (const source of all)
        if (source.kind === "archive") await source.archive[Symbol.asyncDispose]();
      engine?.[Symbol.dispose]();
    },
  };
}

async function openSource(
  request: ImageRequest,
  engine: Engine | undefined,
  platform: string | undefined,
  { surroundings: { cwd, env }, signal }: Context,
): Promise<Source> {
  try {
    if (request.kind === "archive") {
      const archive = await openArchive(request.path, { signal, cwd, directory: env["TMPDIR"] });
      return { request, kind: "archive", archive };
    }
    if (!engine) throw new Error("an image name needs an engine");
    return {
      request,
      kind: "engine",
      engine,
      local: await engine.inspect(request.reference, platform),
    };
  } catch (error) {
    signal.throwIfAborted();
    return { request, kind: "missing", error };
  }
}

import { findEngine } from "../engine/find.ts";
import type { Engine, LocalImage } from "../engine/types.ts";
import type { Report } from "../events.ts";
import { chooseImages, type ChosenImage } from "./archive/images.ts";
import {
  openArchive,
  openArchiveStream,
  type Archive,
  type ArchiveOptions,
  type OpenArchive,
} from "./archive/source.ts";
import { temporaryParent } from "./archive/temp.ts";
import { noStandardInput, type ImageRequest } from "./request.ts";
import type { Context, PushOptions } from "./types.ts";

/** Where one requested image comes from, or why it cannot be had. */
export type Source = { request: ImageRequest } & (
  | { kind: "engine"; engine: Engine; local: LocalImage }
  | { kind: "archive"; archive: Archive; file: OpenArchive }
  | { kind: "missing"; error: unknown }
);

/** The sources of a push; disposing closes what was opened for them. */
export interface Sources extends AsyncDisposable {
  /** In the order of the requests; an archive may have more than one. */
  all: Source[];
}

/**
 * Finds the engine, if any image is asked of one, and has it describe the images; opens the archives.
 * What is wrong with one image is in its source.
 *
 * @param opening - the way to the registry: where it fails, standard input, which may take as long as a
 *   build, is read no further
 * @throws KpushError `ENGINE_*`: what is wrong with the engine itself
 */
export async function openSources(
  options: PushOptions,
  requests: readonly ImageRequest[],
  context: Context,
  opening: Promise<unknown>,
): Promise<Sources> {
  const { surroundings, report, signal } = context;
  const names = requests.flatMap((request) =>
    request.kind === "image" ? [request.reference] : [],
  );
  const engine =
    names.length > 0 ? await findEngine(options, names, surroundings, report, signal) : undefined;
  if (engine) announce(engine, report);
  const archives = new Set<OpenArchive>();
  const close = async () => {
    for (const archive of archives) await archive[Symbol.asyncDispose]();
    engine?.[Symbol.dispose]();
  };
  const ask = async (request: ImageRequest): Promise<Source[]> => {
    if (request.kind === "image") return [await inspect(request, engine, options.platform)];
    const archive = await openRequested(request, options.platform, context, opening);
    archives.add(archive);
    const images = chooseImages(request.image, archive, options.name, report);
    return await Promise.all(
      images.map((image) => prepare(request, archive, image, options.platform)),
    );
  };
  const asked = await Promise.allSettled(requests.map(ask));
  if (signal.aborted) await close();
  signal.throwIfAborted();
  const all = requests.flatMap((request, at): Source[] => {
    const outcome = asked[at];
    if (outcome?.status === "fulfilled") return outcome.value;
    return [{ request, kind: "missing", error: outcome?.reason }];
  });
  return { all, [Symbol.asyncDispose]: close };
}

function announce({ name, endpoint, store }: Engine, report: Report): void {
  report({ type: "engine", name });
  const [product = ""] = name.split(" at ");
  const [scheme = ""] = endpoint.split(":");
  report({ type: "fact", what: "engine", value: product });
  report({ type: "fact", what: "store", value: store });
  report({ type: "fact", what: "engine address", value: scheme });
}

async function inspect(
  request: ImageRequest & { kind: "image" },
  engine: Engine | undefined,
  platform: string | undefined,
): Promise<Source> {
  if (!engine) throw new Error("an image name needs an engine");
  const local = await engine.inspect(request.reference, platform);
  return { request, kind: "engine", engine, local };
}

async function openRequested(
  request: Exclude<ImageRequest, { kind: "image" }>,
  platform: string | undefined,
  { surroundings: { cwd, env, stdin }, report, signal }: Context,
  opening: Promise<unknown>,
): Promise<OpenArchive> {
  const options: ArchiveOptions = {
    signal,
    cwd,
    directory: temporaryParent(env),
    platform,
    report,
  };
  if (request.kind === "archive") return openArchive(request.path, options);
  if (!stdin) throw noStandardInput();
  report({ type: "phase", text: "reading standard input" });
  const inVain = new AbortController();
  opening.catch((error: unknown) => inVain.abort(error));
  const both = AbortSignal.any([signal, inVain.signal]);
  return openArchiveStream(stdin(), { ...options, signal: both });
}

/** A part of the archive that is damaged, or lacks the platform, concerns its image alone. */
async function prepare(
  request: ImageRequest,
  file: OpenArchive,
  { label, archive }: ChosenImage,
  platform: string | undefined,
): Promise<Source> {
  const own: ImageRequest = { ...request, image: label };
  try {
    await archive.content(platform);
    return { request: own, kind: "archive", archive, file };
  } catch (error) {
    return { request: own, kind: "missing", error };
  }
}

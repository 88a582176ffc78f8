import type { Compression } from "../../image/compression.ts";
import type { Listener } from "../../tunnel/types.ts";
import type { Knowledge } from "../choose-route.ts";
import { daemonRoute } from "../daemon-route.ts";
import { choosePacker, far } from "../direct/packer.ts";
import { Uploads } from "../direct/uploads.ts";
import type { PushJob } from "../push-image.ts";
import type { Source } from "../sources.ts";
import type { RouteResult } from "../types.ts";
import { openFacade } from "./facade.ts";

/** Before the repository's name in what the engine is told. Nobody calls a repository so. */
const prefix = "kpush__packed";

/**
 * Has the engine push to a facade of the registry on kpush's port: an image of a containerd store, which is
 * one manifest with plain layers.
 *
 * @throws KpushError as the direct route and the daemon route
 */
export async function packingRoute(
  job: PushJob & { compression: Compression; link: "near" | "far" },
  { engine, local }: Source & { kind: "engine" },
  listener: Listener,
  knowledge: Knowledge,
): Promise<RouteResult> {
  const { source, target, session, listening, context } = job;
  const { image } = source.request;
  const { registry, uploader } = session;
  const known = knowledge.known();
  known.catch(() => undefined); // whoever looks for a layer sees it
  using uploads = new Uploads({
    ...{ registry, uploader, repository: target.repository, image, report: context.report },
    ...{ known, cache: knowledge.cache },
    packer: choosePacker(job.compression, { roundTrip: job.link === "far" ? far : 0 }),
  });
  uploads.takeAsPlain(local.diffIds);
  uploads.ask(local.diffIds); // while the engine gets ready
  const repository = `${prefix}/${target.repository}`;
  const facade = openFacade({
    ...{ registry, target, report: context.report, uploads, repository },
    layers: new Set(local.diffIds),
  });
  using _serving = await listening.serve(repository, facade.answer);
  try {
    await daemonRoute({
      image,
      local,
      target: { ...target, repository },
      engine,
      listener,
      because: () => session.takeError(),
      // What passes through the facade tells of each layer.
      context: {
        ...context,
        report: (event) => {
          if (event.type !== "layer") context.report(event);
        },
      },
    });
  } catch (error) {
    context.signal.throwIfAborted();
    throw facade.failure ?? error;
  }
  const digest = facade.result?.digest ?? local.id;
  if (digest !== local.id) await knowledge.cache.rememberPushed(local.id, digest);
  await knowledge.cache.prune();
  return { digest };
}

import { layersOfContent } from "../image/content-layers.ts";
import { stepsOfHistory, type LayerStep } from "../image/layer-steps.ts";
import type { ReadySource } from "./request.ts";

/** One layer before it is known whether the registry has it. */
export type SourceLayer = { id: string } & LayerStep;

/**
 * The layers of an image, lowest first, each once: by their diff_ids from an engine, by their digests from
 * an archive. An engine that does not tell the history leaves steps and sizes out.
 *
 * @param platform - as the user gave it
 */
export async function layersOf(
  source: ReadySource,
  platform: string | undefined,
): Promise<SourceLayer[]> {
  if (source.kind === "archive") return layersOfContent(await source.archive.content(platform));
  const { engine, local } = source;
  const asked = platform === undefined ? undefined : local.platform;
  const history = await engine.history(local.id, asked).catch(() => []);
  const steps = stepsOfHistory(history, local.diffIds.length);
  const layers = local.diffIds.map((id, at): SourceLayer => ({
    step: undefined,
    bytes: undefined,
    ...steps[at],
    id,
  }));
  return layers.filter(({ id }, at) => local.diffIds.indexOf(id) === at);
}

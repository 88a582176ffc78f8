import { isObject } from "./manifest.ts";
import { plain } from "./text.ts";

/** One step of an image's history as an engine tells it, which does not say whether it made a layer. */
export interface HistoryEntry {
  /** As {@link stepOf} gives it. */
  step: string | undefined;
  /** Bytes, unpacked; 0 for a step without a layer, and for a layer without content. */
  size: number;
}

/** What is known of one layer. */
export interface LayerStep {
  step: string | undefined;
  /** Unpacked. */
  bytes: number | undefined;
}

/** Instructions that never make a layer. WORKDIR and RUN may make an empty one. */
const layerless =
  /^(?:ARG|CMD|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|SHELL|STOPSIGNAL|USER|VOLUME)\b/;

/** Build arguments, `|1 TOKEN=secret`, up to a shell: as their values may have spaces, nothing else tells their end. */
const buildArguments =
  /^(?:RUN )?\|\d+ .*?(?= (?:\/\S*\/)?(?:ba|da|a|k|z)?sh (?:-\S+ (?:pipefail )?)*?-[a-z]*c )/;

/**
 * A build step as its author wrote it: without what builders put around it, build arguments (which may be
 * secrets) and what steers a terminal. Undefined where nothing is left.
 */
export function stepOf(createdBy: unknown): string | undefined {
  if (typeof createdBy !== "string") return undefined;
  const step = plain(createdBy)
    .replace(/ # buildkit$/, "")
    .replace(/^\/bin\/sh -c #\(nop\)\s*/, "")
    .replace(buildArguments, "RUN")
    // A command in the exec form, or one of a shell that nobody knows.
    .replace(/^(?:RUN )?\|\d+ .*$/, "RUN …")
    .replace(/^(?:RUN )?\/bin\/sh -c /, "RUN ")
    .replace(/ {2,}/g, " ")
    .trim();
  return step === "" ? undefined : step;
}

/**
 * The step of each layer, lowest first, by the history of an image's config; undefined for all of them
 * where that does not fit.
 *
 * @param layers - how many the image has
 */
export function stepsOfConfig(
  config: Record<string, unknown>,
  layers: number,
): (string | undefined)[] {
  const { history } = config;
  const entries = Array.isArray(history) ? history.filter(isObject) : [];
  const made = entries.filter((entry) => entry["empty_layer"] !== true);
  return made.length === layers
    ? made.map((entry) => stepOf(entry["created_by"]))
    : unknown(layers, undefined);
}

/**
 * The same by an engine's history, oldest first. A step of a size has made a layer; one of 0 bytes may have
 * made an empty one. Where that leaves a choice which layer is a step's, it is nobody's.
 */
export function stepsOfHistory(history: readonly HistoryEntry[], layers: number): LayerStep[] {
  const steps = unknown<LayerStep>(layers, { step: undefined, bytes: undefined });
  const able = history.filter(({ size, step = "" }) => size > 0 || !layerless.test(step));
  const empty = able.filter(({ size }) => size === 0).length;
  /** Of the steps of 0 bytes, how many have made a layer. */
  const made = layers - (able.length - empty);
  if (made < 0 || made > empty) return steps;
  let [before, emptyBefore] = [0, 0];
  for (const { step, size } of able) {
    const least = Math.max(0, made - (empty - emptyBefore));
    const most = Math.min(emptyBefore, made);
    // One of 0 bytes is sure of its layer only if they all are.
    const isSure = size > 0 ? least === most : made === empty;
    if (isSure) steps[before + least] = { step, bytes: size };
    if (size > 0) before += 1;
    else emptyBefore += 1;
  }
  return steps;
}

function unknown<T>(layers: number, nothing: T): T[] {
  return Array.from({ length: layers }, () => nothing);
}

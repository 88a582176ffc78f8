import { KpushError, messageOf } from "../errors.ts";
import type { PlannedImage, PushedImage, Report, RouteName } from "../events.ts";
import type { InstallResult, ObjectResult, StatusResult, UninstallResult } from "../results.ts";
import { plannedTotals } from "./layer-lines.ts";
import { codeOf, helpUrl, type ToldCode } from "./help-link.ts";

/** What `--json` writes: one document on stdout, whatever happens. New fields may come; none goes. */
export interface JsonDocument {
  version: 1;
  /** Whether all went well; the exit status says the same. */
  ok: boolean;
  /**
   * One for each image of the command line, in its order; empty where it did not come to that. Where they
   * went to several contexts, those of the first stand first, and each names its context. Other commands have
   * none, but a result of their name.
   */
  images?: (JsonImage | JsonPlannedImage | JsonFailedImage)[];
  install?: InstallResult | Unfinished;
  uninstall?: UninstallResult | Unfinished;
  status?: StatusResult;
  /** The registry pod, as soon as it was found. */
  registry?: JsonRegistry;
  /** In its place where images went to several contexts; those that were reached. */
  registries?: JsonRegistry[];
  /** Container engine that the images came from. */
  engine?: string;
  /** `context` where it concerns one of several. */
  warnings: { message: string; hint?: string; context?: string }[];
  /** What ended the command, or is wrong with the registry. */
  error?: JsonError;
}

/** What was done of an installation, or of its removal, before it failed. */
export interface Unfinished {
  /** In the order in which they were changed; what was put back is there twice. */
  objects: ObjectResult[];
}

/** What a command other than push adds to the document, under its own name. */
export type JsonResult = Pick<JsonDocument, "install" | "uninstall" | "status">;

export interface JsonRegistry {
  context: string;
  namespace: string;
  pod: string;
  pullAddress: string;
}

export interface JsonImage {
  image: string;
  /** Only where there are several. */
  context?: string;
  pullRef: string;
  digest: string;
  tags: string[];
  route: RouteName;
  layersSent: number;
  layersTotal: number;
  sentBytes: number;
  totalBytes: number;
  milliseconds: number;
}

/** Of `--dry-run`: without a reference, as nothing was pushed. Bytes are left out where they are not certain. */
export interface JsonPlannedImage {
  image: string;
  context?: string;
  dryRun: true;
  /** `localhost:5000/myapp:dev` */
  target: string;
  tags: string[];
  route: RouteName;
  reason: string;
  layersToSend: number;
  layersTotal: number;
  bytesToSend?: number;
  totalBytes?: number;
  /** Lowest first. */
  layers: { id: string; present: boolean; bytes?: number; step?: string }[];
}

export interface JsonFailedImage {
  image: string;
  context?: string;
  error: JsonError;
}

export interface JsonError {
  code: ToldCode;
  message: string;
  hint?: string;
  /** Address of what the documentation of this installation says of the code. */
  help?: string;
  /** Of `UNEXPECTED`: what a report of the bug has to say, without names and secrets. */
  report?: string;
}

/** Collects what happens for the document. */
export interface JsonCollector {
  take: Report;
  /** @param end - the outcomes, or another command's result, or what ended everything */
  document: (end: JsonEnd) => JsonDocument;
}

type JsonEnd =
  | { images: readonly JsonOutcome[] }
  | { document: JsonResult; error?: KpushError }
  | {
      error: unknown;
      /** Name of the command, where it came to one. */
      command?: string | undefined;
    };

type JsonOutcome = PushedImage | PlannedImage | { image: string; context?: string; error: unknown };

/** What is told of errors besides what they say themselves. */
export interface JsonHelp {
  /** As {@link helpUrl} takes it. */
  docs?: string | undefined;
  report?: ((error: unknown) => string) | undefined;
}

/** Starts a document. */
export function openJson(help: JsonHelp = {}): JsonCollector {
  let engine: { engine?: string } = {};
  const registries = new Map<string, JsonRegistry>();
  const headOf = (outcomes: readonly JsonOutcome[] = []) => {
    const contexts = new Set(outcomes.flatMap(({ context }) => context ?? []));
    const [registry, ...others] = registries.values();
    if (contexts.size === 0 && others.length === 0)
      return { ...(registry && { registry }), ...engine };
    const names = contexts.size > 0 ? contexts : registries.keys();
    return { registries: [...names].flatMap((name) => registries.get(name) ?? []), ...engine };
  };
  const warnings: JsonDocument["warnings"] = [];
  const objects: ObjectResult[] = [];
  return {
    take(event) {
      if (event.type === "registry") {
        const { context, namespace, pod, pullAddress } = event;
        registries.set(context, { context, namespace, pod, pullAddress });
      } else if (event.type === "engine") {
        engine = { engine: event.name };
      } else if (event.type === "warning") {
        const { message, hint } = event;
        warnings.push({ message, ...(hint !== undefined && { hint }), ...contextOf(event) });
      } else if (event.type === "object") {
        const { kind, namespace, name, action, note } = event;
        objects.push({
          ...{ kind, name, action },
          ...(namespace !== undefined && { namespace }),
          ...(note !== undefined && { note }),
        });
      } else if (event.type === "restart") {
        const message = `${event.image} starts over: ${event.reason}`;
        warnings.push({ message, ...contextOf(event) });
      }
    },
    document(end) {
      if ("document" in end) {
        const { document, error } = end;
        const wrong = error && { error: jsonError(error, help) };
        return {
          version: 1,
          ok: error === undefined,
          ...document,
          ...headOf(),
          warnings,
          ...wrong,
        };
      }
      if ("error" in end) {
        return {
          version: 1,
          ok: false,
          images: [],
          ...(isInstall(end.command) && { [end.command]: { objects } }),
          ...headOf(),
          warnings,
          error: jsonError(end.error, help),
        };
      }
      const images = end.images.map((image) => jsonImage(image, help));
      return {
        version: 1,
        ok: !images.some((image) => "error" in image),
        images,
        ...headOf(end.images),
        warnings,
      };
    },
  };
}

const isInstall = (command: string | undefined): command is "install" | "uninstall" =>
  command === "install" || command === "uninstall";

function jsonImage(
  outcome: JsonOutcome,
  help: JsonHelp,
): JsonImage | JsonPlannedImage | JsonFailedImage {
  const where = { image: outcome.image, ...contextOf(outcome) };
  if ("error" in outcome) return { ...where, error: jsonError(outcome.error, help) };
  if ("target" in outcome) return jsonPlanned(outcome);
  const { pullRef, digest, tags, route, layers } = outcome;
  const { sentBytes, totalBytes, milliseconds } = outcome;
  const sizes = { layersSent: layers.sent, layersTotal: layers.total, sentBytes, totalBytes };
  return {
    ...where,
    pullRef,
    digest,
    tags,
    route,
    ...sizes,
    milliseconds: Math.round(milliseconds),
  };
}

function jsonPlanned(planned: PlannedImage): JsonPlannedImage {
  const { image, target, tags, route, reason } = planned;
  const { layers, bytes } = plannedTotals(planned);
  return {
    ...{ image, ...contextOf(planned), dryRun: true, target, tags, route, reason },
    ...{ layersToSend: layers.missing, layersTotal: layers.total },
    ...(bytes.missing !== undefined && { bytesToSend: bytes.missing }),
    ...(bytes.total !== undefined && { totalBytes: bytes.total }),
    layers: planned.layers.map(({ id, state, bytes: size, step }) => ({
      ...{ id, present: state === "present" },
      ...(size !== undefined && { bytes: size }),
      ...(step !== undefined && { step }),
    })),
  };
}

function contextOf({ context }: { context?: string }): { context?: string } {
  return context === undefined ? {} : { context };
}

/** What is no KpushError is `UNEXPECTED`; an interruption is told by its name. */
function jsonError(error: unknown, { docs, report }: JsonHelp): JsonError {
  const code = codeOf(error);
  const hint = error instanceof KpushError ? error.hint : undefined;
  return {
    ...{ code, message: messageOf(error) },
    ...(hint !== undefined && { hint }),
    ...(docs !== undefined && { help: helpUrl(docs, code) }),
    ...(code === "UNEXPECTED" && report && { report: report(error) }),
  };
}

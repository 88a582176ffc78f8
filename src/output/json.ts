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
   * One for each image of the command line, in its order; empty where it did not come to that. Other
   * commands have none, but a result of their name.
   */
  images?: (JsonImage | JsonPlannedImage | JsonFailedImage)[];
  install?: InstallResult | Unfinished;
  uninstall?: UninstallResult | Unfinished;
  status?: StatusResult;
  /** The registry pod, as soon as it was found. */
  registry?: { context: string; namespace: string; pod: string; pullAddress: string };
  /** Container engine that the images came from. */
  engine?: string;
  warnings: { message: string; hint?: string }[];
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

export interface JsonImage {
  image: string;
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

type JsonOutcome = PushedImage | PlannedImage | { image: string; error: unknown };

/** What is told of errors besides what they say themselves. */
export interface JsonHelp {
  /** As {@link helpUrl} takes it. */
  docs?: string | undefined;
  report?: ((error: unknown) => string) | undefined;
}

/** Starts a document. */
export function openJson(help: JsonHelp = {}): JsonCollector {
  const head: Pick<JsonDocument, "registry" | "engine"> = {};
  const warnings: JsonDocument["warnings"] = [];
  const objects: ObjectResult[] = [];
  return {
    take(event) {
      if (event.type === "registry") {
        const { context, namespace, pod, pullAddress } = event;
        head.registry = { context, namespace, pod, pullAddress };
      } else if (event.type === "engine") {
        head.engine = event.name;
      } else if (event.type === "warning") {
        const { message, hint } = event;
        warnings.push({ message, ...(hint !== undefined && { hint }) });
      } else if (event.type === "object") {
        const { kind, namespace, name, action, note } = event;
        objects.push({
          ...{ kind, name, action },
          ...(namespace !== undefined && { namespace }),
          ...(note !== undefined && { note }),
        });
      } else if (event.type === "restart") {
        warnings.push({ message: `${event.image} starts over: ${event.reason}` });
      }
    },
    document(end) {
      if ("document" in end) {
        const { document, error } = end;
        const wrong = error && { error: jsonError(error, help) };
        return { version: 1, ok: error === undefined, ...document, ...head, warnings, ...wrong };
      }
      if ("error" in end) {
        return {
          version: 1,
          ok: false,
          images: [],
          ...(isInstall(end.command) && { [end.command]: { objects } }),
          ...head,
          warnings,
          error: jsonError(end.error, help),
        };
      }
      const images = end.images.map((image) => jsonImage(image, help));
      return {
        version: 1,
        ok: !images.some((image) => "error" in image),
        images,
        ...head,
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
  if ("error" in outcome) return { image: outcome.image, error: jsonError(outcome.error, help) };
  if ("target" in outcome) return jsonPlanned(outcome);
  const { image, pullRef, digest, tags, route, layers } = outcome;
  const { sentBytes, totalBytes, milliseconds } = outcome;
  const sizes = { layersSent: layers.sent, layersTotal: layers.total, sentBytes, totalBytes };
  return { image, pullRef, digest, tags, route, ...sizes, milliseconds: Math.round(milliseconds) };
}

function jsonPlanned(planned: PlannedImage): JsonPlannedImage {
  const { image, target, tags, route, reason } = planned;
  const { layers, bytes } = plannedTotals(planned);
  return {
    ...{ image, dryRun: true, target, tags, route, reason },
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

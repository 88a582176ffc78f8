import { KpushError } from "../errors.ts";
import { isDigest } from "../image/digest.ts";
import { plain } from "../image/text.ts";
import type { PushProgress } from "./types.ts";

/** What an engine says it pushed. */
interface PushedManifest {
  digest: string;
  /** Set where the engine pushed one platform's manifest because the rest of the index is not there. */
  onlyPlatform?: string | undefined;
}

/** Reads the answer to a push, chunk by chunk. */
export interface PushStream {
  /** @throws KpushError `PUSH_REJECTED`, `ENGINE_FAILED` */
  write(chunk: Uint8Array): void;
  /**
   * Takes the end of the answer, whose last line may lack its line break.
   * @throws KpushError as `write`; `ENGINE_FAILED` where no digest was told
   */
  end(): PushedManifest;
}

interface PushLine {
  id?: unknown;
  status?: unknown;
  error?: unknown;
  errorDetail?: { message?: unknown };
  progressDetail?: { current?: unknown; total?: unknown };
  aux?: {
    Digest?: unknown;
    manifestPushedInsteadOfIndex?: unknown;
    selectedManifest?: {
      digest?: unknown;
      platform?: { os?: string; architecture?: string; variant?: string };
    };
  };
}

const lineLimit = 1024 * 1024;
const newline = 0x0a;

/**
 * Reads newline-delimited JSON, `{"status":"Pushing","progressDetail":{"current":512,"total":2048},"id":"a1b2"}`
 * and the like. A push answers 200 and tells a failure in a line; the digest is told in `aux.Digest` by
 * graph stores, in a status text by containerd stores and Podman.
 */
export function openPushStream(onProgress: (progress: PushProgress) => void): PushStream {
  const totals = new Map<string, number>();
  let rest: Uint8Array[] = [];
  let restLength = 0;
  let fromAux: string | undefined;
  let fromStatus: string | undefined;
  let selected: PushedManifest | undefined;

  function read(text: string): void {
    const line = parseLine(text);
    if (!line) return;
    const failure = line.errorDetail?.message ?? line.error;
    if (failure !== undefined) throw rejected(typeof failure === "string" ? failure : text);
    if (isDigest(line.aux?.Digest)) fromAux = line.aux.Digest;
    const manifest = line.aux?.selectedManifest;
    if (isDigest(manifest?.digest)) {
      const { os = "", architecture = "", variant } = manifest.platform ?? {};
      const platform = [os, architecture, ...(variant ? [variant] : [])].join("/");
      selected = { digest: manifest.digest, onlyPlatform: plain(platform, 100) };
    }
    if (typeof line.status !== "string") return;
    const told = /: digest: (\S+) size: \d+/.exec(line.status)?.[1];
    if (isDigest(told)) fromStatus = told;
    const progress = readProgress(line, line.status, totals);
    if (progress) onProgress(progress);
  }

  function flush(): void {
    const text = Buffer.concat(rest).toString("utf8");
    rest = [];
    restLength = 0;
    read(text);
  }

  return {
    write(chunk) {
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(newline, start);
        const part = chunk.subarray(start, end === -1 ? chunk.length : end);
        restLength += part.length;
        if (restLength > lineLimit) throw unreadable("a line of its answer is longer than 1 MiB");
        if (part.length > 0) rest.push(part);
        if (end === -1) return;
        flush();
        start = end + 1;
      }
    },
    end() {
      flush();
      const digest = fromAux ?? selected?.digest ?? fromStatus;
      if (digest === undefined) throw unreadable("its answer ended without the image's digest");
      return digest === selected?.digest ? selected : { digest };
    },
  };
}

/** Undefined for what is no JSON object, such as the line that a lost connection cut. */
function parseLine(text: string): PushLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function readProgress(
  { id, progressDetail }: PushLine,
  status: string,
  totals: Map<string, number>,
): PushProgress | undefined {
  const state = stateOf(status);
  if (typeof id !== "string" || state === undefined) return undefined;
  const told = progressDetail?.total;
  if (typeof told === "number" && told > 0) totals.set(id, told);
  const totalBytes = totals.get(id) ?? 0;
  // Engines count the tar's padding too, and so come to more than the total.
  const current = Math.min(Number(progressDetail?.current ?? 0), totalBytes);
  const sentBytes = state === "sent" ? totalBytes : state === "sending" ? current : 0;
  return { id: plain(id, 100), state, sentBytes, totalBytes };
}

function stateOf(status: string): PushProgress["state"] | undefined {
  if (status === "Pushing") return "sending";
  if (status === "Pushed") return "sent";
  if (status === "Layer already exists" || status.startsWith("Mounted from")) return "present";
  if (status === "Preparing" || status === "Waiting" || status.startsWith("Retrying in")) {
    return "waiting";
  }
  return undefined;
}

function rejected(words: string): KpushError {
  // All engines name the status, each in its own sentence.
  if (/\b405\b.*method not allowed/is.test(words)) {
    return new KpushError("REGISTRY_READ_ONLY", `the registry takes no pushes: ${plain(words)}`, {
      hint: "it is in read-only mode: see its configuration, maintenance.readonly",
    });
  }
  return new KpushError("PUSH_REJECTED", `the engine could not push: ${plain(words)}`, {
    hint: "try the other way: kpush push --route direct",
  });
}

function unreadable(what: string): KpushError {
  return new KpushError("ENGINE_FAILED", `the engine's push cannot be followed: ${what}`, {
    hint: "look at the engine's log, and push again",
  });
}

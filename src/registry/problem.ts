import type { IncomingHttpHeaders } from "node:http";
import { KpushError, type ErrorCode } from "../errors.ts";
import { parseJson } from "../image/json.ts";
import { isObject } from "../image/manifest.ts";
import { plain } from "../image/text.ts";

/** What a registry answered instead of doing what it was asked; the cause of most REGISTRY_* errors. */
export class RegistryProblem extends Error {
  override name = "RegistryProblem";
  readonly status: number;
  /** Codes of the OCI distribution specification, e.g. `DIGEST_INVALID`; none where it gave none. */
  readonly codes: readonly string[];

  constructor(status: number, codes: readonly string[], message: string) {
    super(message);
    this.status = status;
    this.codes = codes;
  }

  /** The problem behind an error, if there is one. */
  static of(error: unknown): RegistryProblem | undefined {
    const cause = error instanceof Error ? error.cause : undefined;
    return cause instanceof RegistryProblem ? cause : undefined;
  }
}

/** A complete answer; of an error's body at most 64 KiB. */
export interface Answer {
  method: string;
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/**
 * Turns an unwelcome answer into the error that the user sees. The codes are those of the OCI
 * distribution specification; the texts of full disks and of TLS ports are what distribution 2.8 and 3.1 and Go's
 * and nginx's HTTP servers say.
 *
 * @param doing - what was tried, for "the registry refused to …"
 */
export function refusal(answer: Answer, doing: string): KpushError {
  const { status, method } = answer;
  const text = answer.body.toString();
  const { codes, words } = parseErrors(text, answer);
  const problem = new RegistryProblem(status, codes, `${method} answered ${status}: ${words}`);
  const error = (code: ErrorCode, message: string, hint: string) =>
    new KpushError(code, message, { hint, cause: problem });

  if (/HTTP request (?:was sent )?to (?:an )?HTTPS (?:server|port)/i.test(text))
    return speaksTls(problem);
  if (isFull(status, text)) {
    return error(
      "REGISTRY_FULL",
      "the registry has no space left on its disk",
      "enlarge its volume, or delete old images and run its garbage-collect",
    );
  }
  if (status === 401) {
    return error(
      "REGISTRY_AUTH",
      "the registry asks for a login, and kpush has none for it",
      "let it accept requests from inside the cluster without one",
    );
  }
  if (status === 413) {
    return error(
      "PUSH_REJECTED",
      `the registry, or a proxy in front of it, finds this too large: ${words}`,
      "raise its limit for request bodies",
    );
  }
  if (status === 429) {
    return error(
      "REGISTRY_UNHEALTHY",
      "the registry takes no more requests for now (429)",
      "try again in a minute",
    );
  }
  // A proxy before a registry that is down says so by a page, too.
  if (isPage(answer, text) && status <= 500) {
    return error(
      "REGISTRY_UNHEALTHY",
      `what answers there is no registry: it sent a web page (status ${status})`,
      whichPod,
    );
  }
  if (status >= 300 && status < 400) {
    return error(
      "REGISTRY_UNHEALTHY",
      `the registry sends kpush elsewhere (status ${status}), which it does not follow`,
      whichPod,
    );
  }
  if (status === 405) {
    if (method === "DELETE") {
      return error(
        "PUSH_REJECTED",
        "the registry does not allow deleting",
        "set storage.delete.enabled in its configuration",
      );
    }
    return error(
      "REGISTRY_READ_ONLY",
      "the registry is read-only",
      "switch off its read-only mode (storage.maintenance.readonly) or its pull-through mode (proxy)",
    );
  }
  if (status === 403) {
    return error(
      "PUSH_REJECTED",
      `the registry does not allow kpush to ${doing}: ${words}`,
      "see its access rules, or choose another name with --name",
    );
  }
  if (status === 404 && codes.length === 0) {
    return error(
      "REGISTRY_UNHEALTHY",
      "what answers there is no registry: it knows no /v2/",
      whichPod,
    );
  }
  if (status >= 500) {
    return error(
      "REGISTRY_UNHEALTHY",
      `the registry failed to ${doing} (status ${status}): ${words}`,
      "see its log: kubectl logs, for the pod named above",
    );
  }
  return error(
    "PUSH_REJECTED",
    `the registry refused to ${doing} (status ${status}): ${words}`,
    "see its log: kubectl logs, for the pod named above",
  );
}

/** For a port that answered with bytes of TLS, or with a complaint about plain HTTP. */
export function speaksTls(cause: unknown): KpushError {
  return new KpushError(
    "REGISTRY_TLS",
    "the registry speaks TLS on this port; kpush needs plain HTTP, inside the tunnel that is encrypted anyway",
    {
      hint: "let it serve plain HTTP inside the pod, and name that port with --registry-port",
      cause,
    },
  );
}

/** For a port that answered with something that is not HTTP. */
export function speaksNoHttp(cause: unknown): KpushError {
  return new KpushError(
    "REGISTRY_UNHEALTHY",
    "what answers there is no registry: it does not speak HTTP",
    { hint: whichPod, cause },
  );
}

export const whichPod = "name the right pod and port with -n, -l and --registry-port";

function parseErrors(
  text: string,
  { status, headers }: Answer,
): { codes: string[]; words: string } {
  let errors: Record<string, unknown>[] = [];
  try {
    const document: unknown = parseJson(text);
    const list = isObject(document) ? document["errors"] : undefined;
    errors = Array.isArray(list) ? list.filter(isObject) : [];
  } catch {
    // Not the specification's error document; the text itself has to do.
  }
  const codes = errors.map(({ code }) => code).filter((code) => typeof code === "string");
  const said = errors.map(({ message, detail, code }) => {
    const words = typeof message === "string" ? message : typeof code === "string" ? code : "";
    if (detail === undefined || detail === null) return words;
    return `${words} (${typeof detail === "string" ? detail : JSON.stringify(detail)})`.trimStart();
  });
  const fallback = headers["content-type"]?.includes("html") ? "" : text;
  return { codes, words: plain(said.join("; ") || fallback, 500) || `status ${status}` };
}

function isFull(status: number, text: string): boolean {
  if (status === 507) return true;
  // distribution 2.8 sends the error number alone: 28 is ENOSPC, 122 EDQUOT.
  return status >= 500 && /no space left on device|quota exceeded|"Err":(?:28|122)\b/i.test(text);
}

function isPage({ headers }: Answer, text: string): boolean {
  return (
    headers["content-type"]?.includes("text/html") === true || /^\s*<(?:!doctype|html)/i.test(text)
  );
}

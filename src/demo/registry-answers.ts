import type { ServerResponse } from "node:http";

/** Error codes of the OCI distribution specification and the status each goes with. */
const statusOf = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  TAG_INVALID: 400,
  UNAUTHORIZED: 401,
  UNSUPPORTED: 405,
} as const;

/** A refusal in the words of the specification; thrown by handlers, answered by the server. */
export class RegistryRefusal extends Error {
  readonly status: number;
  readonly code: keyof typeof statusOf;
  readonly detail: unknown;
  readonly headers: Record<string, string>;

  constructor(
    code: keyof typeof statusOf,
    message: string,
    options: { status?: number; detail?: unknown; headers?: Record<string, string> } = {},
  ) {
    super(message);
    this.code = code;
    this.status = options.status ?? statusOf[code];
    this.detail = options.detail;
    this.headers = options.headers ?? {};
  }
}

/** Answers with the specification's error document. */
export function answerError(response: ServerResponse, error: unknown): void {
  const refusal = error instanceof RegistryRefusal ? error : undefined;
  const document = {
    code: refusal?.code ?? "UNKNOWN",
    message: refusal?.message ?? "unknown error",
    detail: refusal?.detail,
  };
  answerJson(response, refusal?.status ?? 500, { errors: [document] }, refusal?.headers);
}

export function answerJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent) {
    response.destroy(); // too late for words
    return;
  }
  const bytes = Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, {
      ...headers,
      "content-type": "application/json",
      "content-length": bytes.length,
    })
    .end(bytes);
}

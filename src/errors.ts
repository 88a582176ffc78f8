/** Exit status of the `kpush` process; part of the public contract. Interruption adds 128 + signal. */
export const ExitCode = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  engine: 3,
  cluster: 4,
  registry: 5,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/**
 * Every code that kpush can end with, and the exit status that goes with it. The codes are stable:
 * scripts read them from `--json`, and docs/errors.md has a section on each.
 */
export const errorCodes = {
  UNEXPECTED: ExitCode.unexpected,
  USAGE: ExitCode.usage,
  BAD_REFERENCE: ExitCode.usage,
  NAME_NEEDED: ExitCode.usage,
  SAME_TARGET: ExitCode.usage,
  DECLINED: ExitCode.usage,
  ENGINE_NOT_FOUND: ExitCode.engine,
  ENGINE_UNREACHABLE: ExitCode.engine,
  ENGINE_DENIED: ExitCode.engine,
  ENGINE_UNSUPPORTED: ExitCode.engine,
  ENGINE_FAILED: ExitCode.engine,
  IMAGE_NOT_FOUND: ExitCode.engine,
  IMAGE_UNSUPPORTED: ExitCode.engine,
  PLATFORM_NOT_FOUND: ExitCode.engine,
  PLATFORM_MISMATCH: ExitCode.engine,
  ARCHIVE_INVALID: ExitCode.engine,
  LOCAL_DISK: ExitCode.engine,
  KUBECONFIG_NOT_FOUND: ExitCode.cluster,
  KUBECONFIG_INVALID: ExitCode.cluster,
  CONTEXT_NOT_FOUND: ExitCode.cluster,
  CREDENTIALS_FAILED: ExitCode.cluster,
  CLUSTER_UNREACHABLE: ExitCode.cluster,
  CLUSTER_TLS: ExitCode.cluster,
  CLUSTER_UNAUTHORIZED: ExitCode.cluster,
  CLUSTER_FORBIDDEN: ExitCode.cluster,
  CLUSTER_FAILED: ExitCode.cluster,
  INSTALL_CONFLICT: ExitCode.cluster,
  INSTALL_REFUSED: ExitCode.cluster,
  TUNNEL_FAILED: ExitCode.registry,
  POD_GONE: ExitCode.registry,
  REGISTRY_NOT_FOUND: ExitCode.registry,
  REGISTRY_AMBIGUOUS: ExitCode.registry,
  REGISTRY_NOT_READY: ExitCode.registry,
  REGISTRY_REFUSED: ExitCode.registry,
  REGISTRY_UNHEALTHY: ExitCode.registry,
  REGISTRY_AUTH: ExitCode.registry,
  REGISTRY_TLS: ExitCode.registry,
  REGISTRY_READ_ONLY: ExitCode.registry,
  REGISTRY_FULL: ExitCode.registry,
  PUSH_REJECTED: ExitCode.registry,
  VERIFY_FAILED: ExitCode.registry,
  ROLLOUT_FAILED: ExitCode.registry,
  NODE_PULL_FAILED: ExitCode.registry,
  NOT_INSTALLED: ExitCode.registry,
  NOT_HEALTHY: ExitCode.registry,
  TIMEOUT: ExitCode.registry,
} as const satisfies Record<string, ExitCode>;
export type ErrorCode = keyof typeof errorCodes;

/**
 * A failure that the user can act on. It is thrown once, where it is understood, and shown as
 * `error: message` and `hint: …`, never with a stack.
 */
export class KpushError extends Error {
  override name = "KpushError";
  /** Stable code, a key of {@link errorCodes}. */
  readonly code: ErrorCode;
  /** One command or check that helps; a sentence without the word "hint". */
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  get exitCode(): ExitCode {
    return errorCodes[this.code];
  }

  /** The same failure under another code, which says what it means to the caller. */
  as(code: ErrorCode): KpushError {
    return new KpushError(code, this.message, { hint: this.hint, cause: this });
  }
}

/** The text of anything thrown, without a stack; for messages that join a cause. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message || error.name;
  return String(error);
}

/** Anything thrown, or given as the reason of an abort, as an error. */
export function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}

/** Codes that Node gives the errors of certificates whose authority is not known (OpenSSL's X509_V_ERR_*). */
export const unknownAuthority: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
]);

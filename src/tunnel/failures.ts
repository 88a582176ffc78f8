import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { portForwardProtocol, runtimeReason } from "./frames.ts";
import type { TunnelTarget } from "./types.ts";

/**
 * Why a socket could not be opened, which decides what the pool does: `stale`, a kept-alive
 * connection had just been closed, so ask again at once; `unauthorized`, new credentials may help;
 * `forbidden`, ask which verb is missing; `gone`, look for another pod; `transient`, try again
 * later; `lasting`, give up.
 */
export type FailureKind = "stale" | "unauthorized" | "forbidden" | "gone" | "transient" | "lasting";

/** A failed attempt to open one socket; stays inside the tunnel. */
export class OpenFailure extends Error {
  override name = "OpenFailure";
  readonly kind: FailureKind;
  readonly error: KpushError;

  constructor(kind: FailureKind, error: KpushError) {
    super(error.message, { cause: error });
    this.kind = kind;
    this.error = error;
  }
}

/** `pod namespace/name`, for messages. */
export function podOf({ namespace, name }: TunnelTarget): string {
  return `pod ${plain(namespace)}/${plain(name)}`;
}

/** The error for a text that the container runtime sent before it closed the socket. */
export function runtimeError(target: TunnelTarget, text: string): KpushError {
  const pod = podOf(target);
  const said = plain(text, 500);
  const hint = `See \`kubectl -n ${plain(target.namespace)} logs ${plain(target.name)}\`.`;
  switch (runtimeReason(text)) {
    case "refused":
      return new KpushError(
        "REGISTRY_REFUSED",
        `nothing listens on port ${target.port} of ${pod}`,
        {
          hint,
          cause: new Error(said),
        },
      );
    case "gone":
      return podGone(target, said);
    case "reset":
      return new KpushError("TUNNEL_FAILED", `the registry in ${pod} closed the connection`, {
        hint,
        cause: new Error(said),
      });
    case "other":
      return new KpushError("TUNNEL_FAILED", `the connection to ${pod} was lost: ${said}`);
  }
}

/** @param said - the cluster's words, already plain */
function podGone(target: TunnelTarget, said: string): KpushError {
  return new KpushError("POD_GONE", `${podOf(target)} is gone: ${said}`, {
    hint: "Push again when its replacement runs.",
  });
}

/** A socket that ended without a word: the close code says nothing, and no byte ever came. */
export function silentEnd(target: TunnelTarget): KpushError {
  return new KpushError(
    "TUNNEL_FAILED",
    `the connection to port ${target.port} of ${podOf(target)} was closed before a byte came through`,
    {
      hint: "Some container runtimes do this when they cannot reach the port; try `kubectl port-forward`.",
    },
  );
}

/**
 * Sorts an answer that the API server, or something before it, gave instead of upgrading.
 *
 * @param body - as text, cut at 64 KiB
 */
export function refusedUpgrade(target: TunnelTarget, status: number, body: string): OpenFailure {
  const said = statusMessage(body);
  const words = plain(said ?? body, 500);
  const failed = (kind: FailureKind, message: string, hint?: string) =>
    new OpenFailure(kind, new KpushError("TUNNEL_FAILED", message, { hint }));
  const reason = runtimeReason(said ?? body);
  if (status === 401) {
    const message = "the API server does not accept the credentials of this context";
    return new OpenFailure("unauthorized", new KpushError("CLUSTER_UNAUTHORIZED", message));
  }
  if (status === 403 && said !== undefined) {
    return new OpenFailure("forbidden", new KpushError("CLUSTER_FORBIDDEN", words));
  }
  if (status === 403 && body.trim() === "") {
    return failed(
      "lasting",
      `the cluster refuses the WebSocket protocol ${portForwardProtocol} (403 without a reason)`,
      "This is not about permissions; an intermediary before the API server may not support port-forward.",
    );
  }
  if ((status === 404 && said !== undefined) || reason === "gone") {
    return new OpenFailure("gone", podGone(target, words));
  }
  if (status === 429 || status >= 500) {
    return failed("transient", `the API server cannot open a tunnel now (${status}): ${words}`);
  }
  if (said !== undefined) {
    return failed("lasting", `the API server refuses to open a tunnel (${status}): ${words}`);
  }
  return failed(
    "lasting",
    `something before the API server answered ${status} in place of opening a tunnel: ${words || "(empty)"}`,
    "Check whether the proxy or gateway in the kubeconfig's server address supports WebSockets.",
  );
}

/** The message of a Kubernetes Status object; undefined for any other body. */
function statusMessage(body: string): string | undefined {
  try {
    const status = JSON.parse(body) as { kind?: unknown; message?: unknown } | null;
    if (status?.kind === "Status") return typeof status.message === "string" ? status.message : "";
  } catch {
    // An intermediary's page, or the kubelet's plain text.
  }
  return undefined;
}

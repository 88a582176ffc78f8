import { KpushError, messageOf, type ErrorCode } from "../errors.ts";
import { plain } from "../image/text.ts";
import type { Endpoint } from "./endpoint.ts";
import { setTls, tlsFailure } from "./remote/tls-failure.ts";

/** What went wrong on the way to an engine. */
export function connectionFailed(endpoint: Endpoint, error: unknown): KpushError {
  const { address } = endpoint;
  const errno = error instanceof Error && "code" in error ? String(error.code) : "";
  const fail = (code: ErrorCode, message: string, hint: string) =>
    new KpushError(code, message, { hint, cause: error });
  const tls = tlsFailure(errno, messageOf(error));
  if (tls) return fail(tls[0], `${tls[1]} at ${address}`, tls[2]);
  switch (errno) {
    case "ENOENT":
      return fail("ENGINE_NOT_FOUND", `there is no container engine at ${address}`, startIt);
    case "EACCES":
    case "EPERM":
      return fail(
        "ENGINE_DENIED",
        `you may not use the container engine at ${address}`,
        "add yourself to its group, then log in again: sudo usermod -aG docker $USER",
      );
    case "ECONNREFUSED":
    case "ENOTSOCK":
      return fail(
        "ENGINE_UNREACHABLE",
        `nothing answers at ${address}: the engine is not running`,
        startIt,
      );
    default:
      return fail(
        "ENGINE_UNREACHABLE",
        `the connection to the container engine at ${address} failed: ${plain(messageOf(error), 300)}`,
        "see whether it is well: docker version",
      );
  }
}

/** No engine at any of the usual places. */
export function noEngine(looked: readonly Endpoint[]): KpushError {
  return new KpushError(
    "ENGINE_NOT_FOUND",
    `no container engine was found; looked at ${looked.map((one) => one.address).join(", ")}`,
    { hint: "start Docker or Podman, or name an engine with --host or --docker-context" },
  );
}

/** An engine that does not answer in time. */
export function noAnswer(endpoint: Endpoint, milliseconds: number): KpushError {
  return new KpushError(
    "ENGINE_UNREACHABLE",
    `the container engine at ${endpoint.address} did not answer within ${milliseconds / 1000} s`,
    { hint: "see whether it is well: docker version" },
  );
}

/**
 * An answer with an error status. Docker says `{"message"}`, Podman `{"cause","message","response"}`.
 *
 * @param subject - the image that was asked for
 */
export function answerFailed(
  engine: { name: string; tool: string },
  subject: string,
  { status, body }: { status: number; body: string },
): KpushError {
  const words = engineWords(body);
  const image = plain(subject, 200);
  if (/invalid reference format|normalizing (?:name|image)/.test(words)) {
    return new KpushError("BAD_REFERENCE", `"${image}" is no image name: ${words}`, {
      hint: `list what is there: ${engine.tool} images`,
    });
  }
  if (status === 404 && /specified platform|in manifest list/.test(words)) {
    return new KpushError("PLATFORM_NOT_FOUND", words, {
      hint: `see what it has: ${engine.tool} image inspect ${image}`,
    });
  }
  // Whatever else speaks HTTP has its 404 too, but not in an engine's words.
  if (status === 404 && /such image|image not known|failed to find image/i.test(words)) {
    return new KpushError("IMAGE_NOT_FOUND", `${engine.name} has no image ${image}`, {
      hint: `list what is there with "${engine.tool} images", or build it: ${engine.tool} build -t ${image} .`,
    });
  }
  if (status === 400 && /HTTP request to an HTTPS server/i.test(words)) {
    return new KpushError("ENGINE_DENIED", `${engine.name} wants TLS`, { hint: setTls });
  }
  return new KpushError("ENGINE_FAILED", `${engine.name} answered with ${status}: ${words}`, {
    hint: "look at the engine's log",
  });
}

/** The error text of an engine's answer, safe to show. */
function engineWords(body: string): string {
  try {
    const { message, cause } = JSON.parse(body) as { message?: unknown; cause?: unknown };
    if (typeof message === "string" && message !== "") return plain(message);
    if (typeof cause === "string") return plain(cause);
  } catch {
    // Not JSON: a proxy's page, or an engine that died.
  }
  return plain(body, 300) || "it gave no reason";
}

const startIt = "start it, or name another with --host or --docker-context";

import type { IncomingMessage } from "node:http";
import { stringify } from "node:querystring";
import type Dockerode from "dockerode";
import type { EngineRequest } from "./transport.ts";

/** What dockerode hands to the part below it; see docker-modem's `dial`. */
interface DialOptions {
  path: string;
  method: string;
  options?: Record<string, unknown>;
  authconfig?: object;
  abortSignal?: AbortSignal;
  isStream?: boolean;
}

/** Sends a request and fails unless its answer is a success. */
export type SendChecked = (request: EngineRequest) => Promise<IncomingMessage>;

/**
 * dockerode's calls on one image, over kpush's own transport. docker-modem does not come along: it
 * reads DOCKER_HOST and DOCKER_CERT_PATH over what it is given, prints passwords under `DEBUG=modem`,
 * drops the answer's headers, and takes 40 ms to load (M); dockerode as a whole takes 120.
 *
 * @param path - the image's name as it stands in a URL
 */
export async function dockerodeImage(send: SendChecked, path: string): Promise<Dockerode.Image> {
  const { default: Image } = await import("dockerode/lib/image.js");
  return new Image({ Promise, dial: dialOver(send) }, path);
}

function dialOver(send: SendChecked) {
  return (
    { path, method, options, authconfig, abortSignal, isStream }: DialOptions,
    callback: (error: unknown, result?: unknown) => void,
  ): void => {
    send({
      method,
      path: path.replace(/\?$/, "") + queryOf(options),
      headers: authconfig ? { "X-Registry-Auth": authHeader(authconfig) } : {},
      signal: abortSignal,
    }).then(
      (answer) => {
        if (!isStream) answer.resume();
        callback(null, answer);
      },
      (error: unknown) => callback(error),
    );
  };
}

/** `?` and the options, objects as JSON; empty where there are none. */
export function queryOf(options: Record<string, unknown> = {}): string {
  const entries = Object.entries(options).filter(
    ([key]) => !["authconfig", "abortSignal"].includes(key),
  );
  if (entries.length === 0) return "";
  const plainValues = entries.map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return `?${stringify(Object.fromEntries(plainValues) as Record<string, string>)}`;
}

/** Padded base64url: Docker ignores a header without the padding, which Node's own `base64url` leaves out. */
function authHeader(auth: object): string {
  const text = Buffer.from(JSON.stringify(auth)).toString("base64");
  return text.replaceAll("+", "-").replaceAll("/", "_");
}

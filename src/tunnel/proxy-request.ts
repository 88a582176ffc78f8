import {
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { pipeline } from "node:stream/promises";
import { KpushError } from "../errors.ts";
import { podOf, refusedUpgrade, type OpenFailure } from "./failures.ts";
import type { TunnelOptions, TunnelTarget } from "./types.ts";

/** One request that came for the registry. */
export interface ProxyAsk extends Pick<TunnelOptions, "config"> {
  target: TunnelTarget;
  request: IncomingMessage;
  signal: AbortSignal;
}

/** What came back. The body of an error is read, as it may be the API server's own. */
export interface ProxyAnswer {
  target: TunnelTarget;
  status: number;
  headers: OutgoingHttpHeaders;
  body: IncomingMessage | Buffer;
  /** The body as it would be, where the request was a HEAD. */
  hidden?: Buffer;
}

const errorLimit = 64 * 1024;
/** Headers that hold for one connection only (RFC 9110 section 7.6.1), or are the cluster's to set. */
const notPassed = new Set([
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te"],
  ...["host", "authorization", "expect", "trailer"],
]);

/** Sends a request on to the pod by the API server's proxy; resolves with the head of the answer. */
export async function askThroughProxy(ask: ProxyAsk): Promise<ProxyAnswer> {
  const { request, target } = ask;
  const { method = "GET" } = request;
  const answer = await exchange(ask, method, request);
  const { statusCode: status = 502 } = answer;
  const headers = answerHeaders(answer.headers, target);
  if (status < 400) return { target, status, headers, body: answer };
  const body = await readBody(answer);
  const found: ProxyAnswer = { target, status, headers, body };
  // The API server's 404 is none of the registry's, and a HEAD's answer does not tell whose it is.
  if (method === "HEAD" && headers["docker-distribution-api-version"] === undefined) {
    const told = await exchange(ask, "GET", undefined);
    if ((told.statusCode ?? 0) >= 400) found.hidden = await readBody(told);
    else told.destroy();
  } else if (method !== "HEAD") headers["content-length"] = body.length;
  return found;
}

/** Why the API server did not reach the pod; undefined where the registry itself answered. */
export function refusalOf({
  target,
  status,
  body,
  hidden,
}: ProxyAnswer): OpenFailure | KpushError | undefined {
  if (!(body instanceof Buffer)) return undefined;
  const text = (hidden ?? body).toString();
  if (!/^\s*\{[^]*"kind"\s*:\s*"Status"/.test(text)) return undefined;
  if (status >= 500 && /connection refused/.test(text)) {
    const message = `nothing listens on port ${target.port} of ${podOf(target)}`;
    return new KpushError("REGISTRY_REFUSED", message, {
      hint: `see kubectl -n ${target.namespace} logs ${target.name}`,
    });
  }
  return refusedUpgrade(target, status, text);
}

async function exchange(
  { config, target, request, signal }: ProxyAsk,
  method: string,
  body: IncomingMessage | undefined,
): Promise<IncomingMessage> {
  const own: RequestOptions = {};
  await config.applyToHTTPSOptions(own);
  const url = new URL(config.getCurrentCluster()?.server ?? "");
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  return await new Promise((resolve, reject) => {
    const outgoing = send({
      ...own,
      signal,
      method,
      // As the other requests name them, so that they share their connections.
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port || (url.protocol === "https:" ? 443 : 80),
      path: `${url.pathname.replace(/\/+$/, "")}${proxyPath(target)}${request.url ?? "/"}`,
      headers: { ...passed(request.headers), ...(own.headers as OutgoingHttpHeaders | undefined) },
    });
    outgoing.once("response", resolve);
    outgoing.on("error", reject);
    if (!body) outgoing.end();
    // An answer may come before all is sent; what breaks otherwise is told by the request's error.
    else pipeline(body, outgoing).catch(() => undefined);
  });
}

/** Percent-encoded, without a slash at its end. */
function proxyPath({ namespace, name, port }: TunnelTarget): string {
  const [space, pod] = [encodeURIComponent(namespace), encodeURIComponent(name)];
  return `/api/v1/namespaces/${space}/pods/${pod}:${port}/proxy`;
}

function passed(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !notPassed.has(name)));
}

/** The proxy puts its own address in front of a Location (apimachinery pkg/util/proxy/transport.go). */
function answerHeaders(headers: IncomingHttpHeaders, target: TunnelTarget): OutgoingHttpHeaders {
  const { location } = headers;
  const at = location?.indexOf(`${proxyPath(target)}/`) ?? -1;
  return {
    ...passed(headers),
    ...(location !== undefined && at >= 0
      ? { location: location.slice(at + proxyPath(target).length) }
      : {}),
  };
}

async function readBody(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= errorLimit) break;
  }
  return Buffer.concat(chunks);
}

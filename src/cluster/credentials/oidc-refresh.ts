import type { Agent } from "node:http";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import * as oidc from "openid-client";
import { makeAgent } from "../agent.ts";
import { proxyFromEnvironment } from "../proxy.ts";
import type { Surroundings } from "../types.ts";

export interface RefreshOptions {
  issuer: string;
  clientId: string;
  clientSecret: string | undefined;
  refreshToken: string;
  /** PEM of the issuer's own authority; undefined for the usual ones. */
  authority: string | undefined;
  env: Surroundings["env"];
  signal: AbortSignal;
}

export interface RefreshedTokens {
  idToken: string;
  refreshToken: string | undefined;
}

/** No issuer's answer is longer. */
const mostBytes = 1024 * 1024;

/** For an issuer that the kubeconfig gives as http in so many words; kubectl follows it too. */
// eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so only to stand out
const allowHttp: (config: oidc.Configuration) => void = oidc.allowInsecureRequests;

/** Exchanges a refresh-token for a new id-token. Loaded only when one ran out. */
export async function refreshAtIssuer(options: RefreshOptions): Promise<RefreshedTokens> {
  const { clientId, clientSecret, signal } = options;
  const issuer = new URL(options.issuer);
  const execute = issuer.protocol === "http:" ? [allowHttp] : [];
  const fetchThere = issuerFetch(options);
  const found = await oidc.discovery(issuer, clientId, clientSecret, undefined, {
    execute,
    [oidc.customFetch]: fetchThere,
  });
  signal.throwIfAborted();
  const server = found.serverMetadata();
  const config = new oidc.Configuration(
    server,
    clientId,
    clientSecret,
    clientAuth(server, clientSecret),
  );
  for (const prepare of execute) prepare(config);
  config[oidc.customFetch] = fetchThere;
  const tokens = await oidc.refreshTokenGrant(config, options.refreshToken);
  if (tokens.id_token === undefined) throw new Error("its answer has no id_token");
  return { idToken: tokens.id_token, refreshToken: tokens.refresh_token };
}

/** By the standard, Basic is what an issuer takes that does not say otherwise. */
function clientAuth(server: oidc.ServerMetadata, secret: string | undefined): oidc.ClientAuth {
  if (secret === undefined) return oidc.None();
  const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  return methods.includes("client_secret_basic")
    ? oidc.ClientSecretBasic(secret)
    : oidc.ClientSecretPost(secret);
}

/** A `fetch` by node:https: the global one can take neither an authority nor a proxy. */
function issuerFetch({ authority, env, signal }: RefreshOptions): oidc.CustomFetch {
  return async (url, { method, headers, body, signal: timeout }) => {
    const tls = authority === undefined ? {} : { ca: authority };
    const either = timeout ? AbortSignal.any([signal, timeout]) : signal;
    const agent = await makeAgent(url, proxyFromEnvironment(url, env), tls, either);
    try {
      return await exchange(
        url,
        { method, headers, agent, signal: either },
        body ? String(body as URLSearchParams) : "",
      );
    } finally {
      agent.destroy();
    }
  };
}

function exchange(
  url: string,
  options: { method: string; headers: Record<string, string>; agent: Agent; signal: AbortSignal },
  body: string,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = (url.startsWith("https:") ? httpsRequest : httpRequest)(
      url,
      options,
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on("data", (chunk: Buffer) => {
          size += chunk.length;
          if (size > mostBytes) request.destroy(new Error("its answer is too long"));
          else chunks.push(chunk);
        });
        response.on("error", reject);
        response.on("end", () => {
          const type = response.headers["content-type"] ?? "";
          const headers = { "content-type": type };
          resolve(
            new Response(Buffer.concat(chunks), { status: response.statusCode ?? 500, headers }),
          );
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

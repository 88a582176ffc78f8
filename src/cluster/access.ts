import type { Agent, OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { createSecureContext, type SecureContext } from "node:tls";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { makeAgent, type TlsOptions } from "./agent.ts";
import type { Login } from "./credentials/login.ts";
import { impersonationHeaders } from "./impersonation.ts";
import type { ClusterEntry } from "./kubeconfig/cluster-entry.ts";
import type { Impersonation } from "./kubeconfig/user-entry.ts";
import { networkError } from "./network-error.ts";

/** What one login comes to on the wire. */
export interface Access {
  readonly login: Login;
  readonly headers: OutgoingHttpHeaders;
  /** `user:password` for Basic. */
  readonly auth: string | undefined;
  readonly tls: TlsOptions;
  /** Shared by all requests and upgrades; a new one only for another client certificate. */
  readonly agent: Agent;
}

export interface AccessOptions {
  cluster: ClusterEntry;
  /** PEM of the cluster's authority. */
  authority: string | undefined;
  impersonate: Impersonation | undefined;
  proxy: string | undefined;
  /** Ends what is under way with a proxy. */
  signal: AbortSignal;
}

/** Turns logins into headers, TLS options and the agent; remembers the last. */
export function accessMaker(options: AccessOptions): {
  kubeConfig: KubeConfig;
  accessFor: (login: Login) => Promise<Access>;
  destroy: () => void;
} {
  const kubeConfig = new KubeConfig();
  load(kubeConfig, options, {}); // the cluster is asked for before any login is there
  const agents: Agent[] = [];
  let last: Promise<Access> | undefined;
  let lastLogin: Login | undefined;

  const make = async (login: Login, before: Access | undefined): Promise<Access> => {
    load(kubeConfig, options, login);
    const found: RequestOptions = {};
    await kubeConfig.applyToHTTPSOptions(found);
    const { ca, cert, key, servername, rejectUnauthorized } = found;
    const tls = defined({ ca, cert, key, servername, rejectUnauthorized }) as TlsOptions;
    const kept = before?.login.certificate === login.certificate && before?.login.key === login.key;
    const agent = kept && before ? before.agent : await agentFor(options, tls);
    if (!agents.includes(agent)) agents.push(agent);
    const headers = {
      ...(found.headers as OutgoingHttpHeaders | undefined),
      ...impersonationHeaders(options.impersonate),
    };
    return { login, tls, headers, auth: found.auth ?? undefined, agent };
  };

  return {
    kubeConfig,
    accessFor(login) {
      if (!last || login !== lastLogin) {
        lastLogin = login;
        const before = last?.catch(() => undefined);
        last = (before ?? Promise.resolve(undefined)).then((access) => make(login, access));
      }
      return last;
    },
    destroy() {
      for (const agent of agents) agent.destroy();
    },
  };
}

/** client-node gets static credentials alone: what it would run, ask or re-read is ours. */
function load(kubeConfig: KubeConfig, { cluster, authority }: AccessOptions, login: Login): void {
  const { server, serverName, insecure } = cluster;
  const base64 = (pem: string | undefined) => pem && Buffer.from(pem).toString("base64");
  kubeConfig.loadFromOptions({
    clusters: [
      {
        name: "cluster",
        server,
        caData: base64(authority),
        tlsServerName: serverName,
        // It wants this said of a plain http server too.
        skipTLSVerify: insecure || server.startsWith("http:"),
      },
    ],
    users: [
      {
        name: "user",
        token: login.token,
        certData: base64(login.certificate),
        keyData: base64(login.key),
        // In client-go, too, a token goes before a password.
        ...(login.username !== undefined && login.token === undefined
          ? { username: login.username, password: login.password ?? "" }
          : {}),
      },
    ],
    contexts: [{ name: "context", cluster: "cluster", user: "user" }],
    currentContext: "context",
  });
}

/** One context for all connections: to parse the certificates again for each takes a millisecond. */
async function agentFor(
  { cluster, proxy, signal }: AccessOptions,
  tls: TlsOptions,
): Promise<Agent> {
  const { ca, cert, key } = tls;
  let secureContext: SecureContext | undefined;
  try {
    if (cluster.server.startsWith("https:"))
      secureContext = createSecureContext(defined({ ca, cert, key }));
  } catch (error) {
    throw networkError(error, cluster.server);
  }
  return makeAgent(cluster.server, proxy, { ...tls, ...defined({ secureContext }) }, signal);
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as never;
}

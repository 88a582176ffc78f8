import type { OutgoingHttpHeaders } from "node:http";
import { KpushError } from "../errors.ts";
import { plain } from "../image/text.ts";
import { accessMaker, type Access } from "./access.ts";
import { sendRequest } from "./api.ts";
import { memoise } from "./credentials/memo.ts";
import { loginSource } from "./credentials/source.ts";
import { dataOrFile } from "./credentials/static-login.ts";
import { chooseContext, type ChosenContext } from "./kubeconfig/choose.ts";
import { inClusterContext, serviceAccountDirectory } from "./kubeconfig/in-cluster.ts";
import { loadKubeconfig } from "./kubeconfig/load.ts";
import { proxyFromEnvironment } from "./proxy.ts";
import type {
  ApiAnswer,
  Cluster,
  ClusterOptions,
  OpenCluster,
  RequestOptions,
  Surroundings,
} from "./types.ts";
import { unauthorized } from "./unauthorized.ts";

/** Defaults that tests replace. */
export interface OpenClusterSettings {
  /** Milliseconds without a byte until a request is given up. */
  timeout?: number;
  /** Where a pod's service account is. */
  serviceAccount?: string;
}

/**
 * Opens the cluster that the options and the kubeconfig name, and begins to log in. Makes no request;
 * what a login needs (a plugin, an issuer) fails the first use, not this.
 *
 * @throws KpushError `KUBECONFIG_*`, `CONTEXT_NOT_FOUND`, `CREDENTIALS_FAILED`
 */
export async function openCluster(
  options: ClusterOptions,
  surroundings: Surroundings,
  report: Parameters<OpenCluster>[2],
  signal: AbortSignal,
  settings: OpenClusterSettings = {},
): Promise<Cluster> {
  const { timeout = 30_000, serviceAccount = serviceAccountDirectory } = settings;
  const context = await findContext(options, surroundings, serviceAccount);
  const { user, cluster } = context;
  const closed = new AbortController();
  const ended = AbortSignal.any([signal, closed.signal]);
  const authority = await dataOrFile(cluster.authorityData, cluster.authorityFile);
  const proxy = cluster.proxyUrl ?? environmentProxy(cluster.server, surroundings.env);
  const source = await loginSource({
    user,
    cluster: { ...cluster, authority },
    surroundings,
    report,
    signal: ended,
  });
  const credentials = memoise(source);
  const { impersonate } = user;
  const { kubeConfig, accessFor, destroy } = accessMaker({
    cluster,
    authority,
    impersonate,
    proxy,
    signal: ended,
  });
  const access = async (): Promise<Access> => accessFor(await credentials.current());
  // A plugin takes long: it may run while the engine is asked. Who needs the login gets its error.
  access().catch(() => undefined);

  const send = async (
    method: string,
    path: string,
    { body, contentType, accept, signal: own }: RequestOptions,
    way: Access,
  ) => {
    const began = performance.now();
    const { agent, auth, headers } = way;
    const either = own ? AbortSignal.any([ended, own]) : ended;
    const answer = await sendRequest({
      method,
      server: cluster.server,
      path,
      body,
      contentType,
      accept,
      headers,
      auth,
      agent,
      signal: either,
      timeout,
    });
    const took = Math.round(performance.now() - began);
    report({
      type: "debug",
      message: `${method} ${plain(cluster.server + path)}: ${answer.status} in ${took} ms`,
    });
    return answer;
  };

  return {
    context: context.name,
    namespace: context.namespace,
    inside: context.inside ?? false,
    server: cluster.server,
    config: {
      getCurrentCluster: () => kubeConfig.getCurrentCluster(),
      async applyToHTTPSOptions(target) {
        const { tls, agent, auth, headers } = await access();
        const both = { ...(target.headers as OutgoingHttpHeaders | undefined), ...headers };
        Object.assign(target, tls, { agent, auth, headers: both });
      },
    },
    async request(method, path, options = {}): Promise<ApiAnswer> {
      const first = await access();
      const answer = await send(method, path, options, first);
      if (answer.status !== 401 || options.optional) return answer;
      const again =
        (await credentials.refresh(first.login)) &&
        (await send(method, path, options, await access()));
      if (again && again.status !== 401) return again;
      throw unauthorized(cluster.server, user.name, again || answer, first.login, source.help);
    },
    refreshCredentials: () => credentials.refresh(),
    [Symbol.dispose]() {
      closed.abort(new Error("the cluster was closed"));
      destroy();
    },
  };
}

async function findContext(
  options: ClusterOptions,
  surroundings: Surroundings,
  serviceAccount: string,
): Promise<ChosenContext> {
  const merged = await loadKubeconfig(options.kubeconfig, surroundings);
  const isEmpty =
    merged.contexts.size === 0 && merged.clusters.size === 0 && merged.currentContext === undefined;
  if (isEmpty && options.context === undefined && options.kubeconfig === undefined) {
    const pod = await inClusterContext(options, surroundings.env, serviceAccount);
    if (pod) return pod;
  }
  return chooseContext(merged, options, surroundings);
}

function environmentProxy(server: string, env: Surroundings["env"]): string | undefined {
  const proxy = proxyFromEnvironment(server, env);
  if (proxy === undefined || (/^(https?|socks5h?):\/\/[^/]/.test(proxy) && URL.canParse(proxy)))
    return proxy;
  throw new KpushError(
    "CLUSTER_UNREACHABLE",
    "the environment's HTTPS_PROXY or HTTP_PROXY is no proxy's address",
    {
      hint: "it must be like http://HOST:PORT; NO_PROXY names what is reached without it",
    },
  );
}

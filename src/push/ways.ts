import { mayUseProxy } from "../cluster/access-review.ts";
import type { Cluster } from "../cluster/types.ts";
import { KpushError, type ErrorCode } from "../errors.ts";
import { openFallback } from "../tunnel/fallback.ts";
import { openDialTunnel } from "../tunnel/pod-dial.ts";
import { openProxyTunnel } from "../tunnel/pod-proxy.ts";
import { openTunnel } from "../tunnel/pool.ts";
import type { Tunnel, TunnelOptions, TunnelTarget } from "../tunnel/types.ts";

/**
 * The way to a pod: from inside the cluster to its own address, else by a port-forward; where that is
 * forbidden, by the API server's proxy to pods. Opens nothing yet.
 */
export function openWay(
  cluster: Pick<Cluster, "request" | "inside">,
  target: TunnelTarget,
  options: TunnelOptions,
): Tunnel {
  const tell = (message: string) =>
    options.report({ type: "debug", message: `tunnel: ${message}` });
  const goBy = (value: string) => options.report({ type: "fact", what: "way", value });
  const forward = () => {
    goBy("port-forward");
    return openFallback(openTunnel(options), async (error) => {
      if (!is(error, "CLUSTER_FORBIDDEN") || !(await mayUseProxy(cluster, target)))
        return undefined;
      goBy("pods/proxy");
      tell("no port-forward; the proxy to pods takes its place");
      return openProxyTunnel(options);
    });
  };
  if (!cluster.inside || target.ip === undefined) return forward();
  goBy("pod");
  tell("inside the cluster, dialling the pod itself");
  return openFallback(openDialTunnel(options), (error) => {
    if (!is(error, "TUNNEL_FAILED")) return Promise.resolve(undefined);
    tell(`${error.message}; a port-forward takes its place`);
    return Promise.resolve(forward());
  });
}

function is(error: unknown, code: ErrorCode): error is KpushError {
  return error instanceof KpushError && error.code === code;
}

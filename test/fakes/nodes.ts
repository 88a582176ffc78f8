import type { ApiServer } from "../../src/demo/api-server.ts";
import { sendJson } from "./kube-answers.ts";

/** A list of nodes' metadata, of one node for each platform, e.g. `linux/arm64`. */
export function nodeList(platforms: readonly string[], metadata: object = {}): object {
  const items = platforms.map((platform, at) => {
    const [os, arch] = platform.split("/");
    const labels = { "kubernetes.io/os": os, "kubernetes.io/arch": arch };
    return { metadata: { name: `node${at + 1}`, labels } };
  });
  return {
    ...{ kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1" },
    ...{ metadata: { resourceVersion: "1", ...metadata }, items },
  };
}

/** Has the API server answer so whoever lists nodes; else it knows of none. */
export function answerNodes(api: ApiServer, json: object, status = 200): void {
  api.onRequest = (request, response) => {
    if (!request.url?.startsWith("/api/v1/nodes?")) return false;
    sendJson(response, status, json);
    return true;
  };
}

/** What was asked of nodes. */
export const nodesAsked = ({ requests }: ApiServer): string[] =>
  requests.filter((request) => request.startsWith("GET /api/v1/nodes"));

import { load } from "js-yaml";
import type { KubeObject } from "../../cluster/objects.ts";
import namespace from "../manifests/namespace.yaml";
import nodeProxyConfig from "../manifests/node-proxy-config.yaml";
import nodeProxyPolicy from "../manifests/node-proxy-policy.yaml";
import nodeProxy from "../manifests/node-proxy.yaml";
import pushRoleBinding from "../manifests/push-role-binding.yaml";
import pushRole from "../manifests/push-role.yaml";
import registryConfig from "../manifests/registry-config.yaml";
import registryData from "../manifests/registry-data.yaml";
import registryPolicy from "../manifests/registry-policy.yaml";
import registryService from "../manifests/registry-service.yaml";
import registry from "../manifests/registry.yaml";

const texts = {
  namespace,
  nodeProxy,
  nodeProxyConfig,
  nodeProxyPolicy,
  pushRole,
  pushRoleBinding,
  registry,
  registryConfig,
  registryData,
  registryPolicy,
  registryService,
};

/** A manifest with its default values, read anew: it may be changed. */
export function manifest(name: keyof typeof texts): KubeObject {
  return load(texts[name]) as KubeObject;
}

/** A ConfigMap, as the manifests have it. */
export interface ConfigMap extends KubeObject {
  data: Record<string, string>;
}

/** As far as the settings have a say in a Deployment or DaemonSet. */
export interface Workload extends KubeObject {
  spec: { template: { metadata: PodMetadata; spec: PodSpec } };
}

interface PodMetadata {
  labels: Record<string, string>;
  annotations: Record<string, string>;
}

interface PodSpec {
  containers: [Container];
  nodeSelector: Record<string, string>;
  securityContext: Record<string, unknown>;
  volumes: [object, object?];
  [field: string]: unknown;
}

interface Container {
  image: string;
  ports: [{ containerPort: number; hostPort?: number }];
  securityContext: { capabilities: { drop: string[]; add?: string[] } };
  startupProbe: HttpProbe;
  readinessProbe: HttpProbe;
}

interface HttpProbe {
  httpGet: { port: number | string };
}

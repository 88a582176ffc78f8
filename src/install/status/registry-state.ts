import { podTrouble } from "../../cluster/pod-status.ts";
import { isReady, type Pod } from "../../cluster/pods.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import type { StatusResult } from "../../results.ts";
import { labels, names } from "../names.ts";
import type { Facts } from "./facts.ts";
import { problem, type Problem } from "./problems.ts";

/** The registry's pod, and what is wrong with it. */
export interface RegistryState {
  registry: StatusResult["registry"];
  /** The pod that pushes go to; undefined where none is ready. */
  ready: Pod | undefined;
  problems: Problem[];
}

/** Reads from the Deployment and its pods how the registry is. */
export function registryState({ deployment, registryPods, namespace }: Facts): RegistryState {
  const [newest] = registryPods.toSorted((one, other) =>
    createdAt(one) < createdAt(other) ? 1 : -1,
  );
  const ready = registryPods.find(isReady);
  const pod = ready ?? newest;
  const image = imageOf(pod ? { ...pod.spec } : templateSpec(deployment));
  const version = deployment.metadata.labels?.[labels.version] ?? tagOf(image);
  return {
    registry: {
      pod: pod?.metadata.name,
      ready: ready !== undefined,
      image: image && plain(image, 300),
      version: version && plain(version, 100),
    },
    ready,
    problems: ready ? [] : [pod ? podProblem(pod) : noPod(deployment, namespace)],
  };
}

const createdAt = ({ metadata }: Pod): string => metadata.creationTimestamp ?? "";

/** The container with the registry, of a pod or a template. */
function imageOf(spec: Record<string, unknown>): string | undefined {
  const containers = list(spec["containers"]).map(mapping);
  return text((containers.find(({ name }) => name === "registry") ?? containers[0])?.["image"]);
}

const templateSpec = (deployment: Facts["deployment"]): Record<string, unknown> =>
  mapping(mapping(mapping(deployment["spec"])["template"])["spec"]);

function tagOf(image: string | undefined): string | undefined {
  return image && /:([\w][\w.-]*)(?:@|$)/.exec(image)?.[1];
}

function podProblem(pod: Pod): Problem {
  const { why, hint } = podTrouble(pod);
  return problem(`the registry's pod ${pod.metadata.name} ${why}`, hint);
}

function noPod(deployment: Facts["deployment"], namespace: string): Problem {
  const target = `-n ${namespace} deployment/${names.registry}`;
  if (mapping(deployment["spec"])["replicas"] === 0)
    return problem("the registry is scaled to 0", `kubectl scale ${target} --replicas=1`);
  const failure = list(mapping(deployment["status"])["conditions"])
    .map(mapping)
    .find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  const why = plain(text(failure?.["message"]) ?? "", 500);
  return problem(`the registry has no pod${why && `: ${why}`}`, `kubectl describe ${target}`);
}

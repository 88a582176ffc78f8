import { titleOf, type KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { KpushError } from "../../errors.ts";
import { plain } from "../../image/text.ts";
import { labels, names } from "../names.ts";
import type { InstallSettings } from "../types.ts";
import { portHolders, type WantedPort } from "./port-holders.ts";

/** Someone who has the nodes' port, known by name. */
interface Holder {
  matches: (pod: KubeObject) => boolean;
  who: (pod: KubeObject) => string;
  hint: (pod: KubeObject) => string;
}

const another = "--node-port NUMBER takes another port";
const anyOther: Holder = { matches: () => true, who: runnerOf, hint: () => another };
const labelled =
  (labels: Record<string, string>) =>
  ({ metadata }: KubeObject) =>
    Object.entries(labels).every(([key, value]) => metadata.labels?.[key] === value);

const isNodeProxy = labelled({ [labels.name]: names.nodeProxy });
const isOldAddon = (pod: KubeObject): boolean =>
  labelled({ "k8s-app": "kube-registry-proxy" })(pod) ||
  labelled({ "kubernetes.io/name": "kube-registry-proxy" })(pod) ||
  list(mapping(pod["spec"])["containers"]).some(
    (container) => mapping(container)["name"] === "kube-registry-proxy",
  );

const holders: readonly Holder[] = [
  {
    matches: isNodeProxy,
    who: (pod) => `the node proxies of another kpush registry, in namespace ${namespaceOf(pod)}`,
    hint: (pod) => `kpush install -n ${namespaceOf(pod)} upgrades that one; ${another}`,
  },
  {
    matches: isOldAddon,
    who: (pod) => `the old registry addon's proxies, in namespace ${namespaceOf(pod)}`,
    hint: () =>
      `kpush install --replace-addon takes its place and keeps its images; kpush pushes to it as it is too; ${another}`,
  },
  {
    matches: labelled({ "kubernetes.io/minikube-addons": "registry", "registry-proxy": "true" }),
    who: () => "minikube's registry addon",
    hint: () =>
      `minikube addons disable registry frees it; kpush -n kube-system --selector actual-registry=true IMAGE pushes to that registry; ${another}`,
  },
  {
    matches: ({ metadata }) => metadata.namespace === "zarf",
    who: (pod) => `Zarf's registry proxy (${runnerOf(pod)})`,
    hint: () => another,
  },
  anyOther,
];

/**
 * Who else has the port that the node proxies are to have on the nodes.
 *
 * @param pods - of all namespaces, on the nodes that get a proxy
 * @param replaceAddon - the old addon's proxies go away in the course of the installation
 * @returns the `INSTALL_REFUSED` to throw
 */
export function portTrouble(
  pods: readonly KubeObject[],
  settings: WantedPort & Pick<InstallSettings, "namespace">,
  replaceAddon = false,
): KpushError | undefined {
  if (settings.nodeAccess === "none") return undefined;
  const others = portHolders(pods, settings).filter(
    (pod) =>
      !(isNodeProxy(pod) && pod.metadata.namespace === settings.namespace) &&
      !(replaceAddon && isOldAddon(pod)),
  );
  const [first] = others.toSorted((a, b) => rank(a) - rank(b));
  if (!first) return undefined;
  const who = [...new Set(others.map((pod) => holderOf(pod).who(pod)))];
  const named = holderOf(first).who(first);
  const more =
    who.length > 1
      ? `, and by ${who
          .filter((one) => one !== named)
          .slice(0, 3)
          .join(", ")}`
      : "";
  return new KpushError(
    "INSTALL_REFUSED",
    `port ${settings.nodePort} of the nodes is taken by ${named}${more}`,
    { hint: holderOf(first).hint(first) },
  );
}

const rank = (pod: KubeObject): number => holders.findIndex(({ matches }) => matches(pod));
const holderOf = (pod: KubeObject): Holder => holders[rank(pod)] ?? anyOther;
const namespaceOf = ({ metadata }: KubeObject): string => plain(metadata.namespace ?? "", 253);

/** `daemonset monitoring/agent`, or the pod where nothing runs it. */
function runnerOf({ metadata }: KubeObject): string {
  const { namespace, name, ownerReferences } = metadata;
  const owner = list(ownerReferences)
    .map(mapping)
    .find(({ controller }) => controller === true);
  return owner
    ? titleOf({
        kind: plain(text(owner["kind"]) ?? "", 63),
        namespace,
        name: text(owner["name"]) ?? "",
      })
    : titleOf({ kind: "Pod", namespace, name });
}

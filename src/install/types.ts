import type { KubeObject } from "../cluster/objects.ts";
import type { ClusterOptions } from "../cluster/types.ts";

// Declared beside the folders, as the library and the output have them too.
export type { InstallResult, ObjectResult } from "../results.ts";

/** How nodes reach the registry: the proxy's port on the node, the node's own network, or not at all. */
export type NodeAccess = "hostport" | "hostnetwork" | "none";

/** What decides how the objects look, with the names of the command line. */
export interface InstallOptions extends ClusterOptions {
  /** `kpush-system` unless given. */
  namespace?: string | undefined;
  image?: string | undefined;
  proxyImage?: string | undefined;
  imagePullSecret?: string | undefined;
  /** `pvc`, `emptydir` or `claim:NAME`; what is installed stays unless given. */
  storage?: string | undefined;
  /** Quantity such as `20Gi`; what is installed stays unless given. */
  size?: string | undefined;
  storageClass?: string | undefined;
  /** User id of the registry; 0 where a volume was written by root. */
  runAsUser?: number | undefined;
  nodeAccess?: NodeAccess | undefined;
  /** Port on each node. */
  nodePort?: number | undefined;
  /** Lets whoever is on a node push too. */
  nodePush?: boolean | undefined;
  /** Namespaces whose pods may reach the registry's Service. */
  allowFrom?: readonly string[] | undefined;
  /** Who may push: `user:NAME`, `group:NAME` or `serviceaccount:NAMESPACE:NAME`. */
  allowPush?: readonly string[] | undefined;
  /** `KEY[=VALUE][:EFFECT]` for the node proxies and the registry; the proxies tolerate all unless given. */
  tolerations?: readonly string[] | undefined;
  /** `KEY=VALUE` */
  nodeSelector?: readonly string[] | undefined;
  priorityClass?: string | undefined;
  /** File with settings of the registry, merged into kpush's own. */
  config?: string | undefined;
}

/** How an installation goes about its work. */
export interface InstallRun {
  /** Ask the server what it would do (`server`), or only say what would be applied (`client`). */
  dryRun?: "client" | "server" | undefined;
  /** Waits until all is ready; true unless given. */
  wait?: boolean | undefined;
  /** Proves a push, and a pull on the nodes; true unless given. */
  verify?: boolean | undefined;
  /** On how many nodes a pull is proved; all unless given. */
  verifyNodes?: number | undefined;
  /** Milliseconds for the wait and the proof, each; 5 minutes unless given. */
  timeout?: number | undefined;
  forceConflicts?: boolean | undefined;
  takeOwnership?: boolean | undefined;
  replaceAddon?: boolean | undefined;
}

/** Options, checked and complete: all that {@link render} goes by. */
export interface InstallSettings {
  namespace: string;
  /** The Namespace is one of the objects: kpush makes it. Never for `default` and `kube-*`. */
  makesNamespace: boolean;
  image: string;
  proxyImage: string;
  imagePullSecret: string | undefined;
  storage: Storage;
  runAsUser: number;
  nodeAccess: NodeAccess;
  /** No node has an IPv4 address: the proxies listen on ::1 too, on the nodes' own network. */
  ipv6: boolean;
  nodePort: number;
  nodePush: boolean;
  allowFrom: readonly string[];
  allowPush: readonly Subject[];
  /** Undefined: the proxies tolerate everything, the registry nothing. */
  tolerations: readonly Toleration[] | undefined;
  nodeSelector: Readonly<Record<string, string>>;
  priorityClass: string | undefined;
  /** The user's settings of the registry, read and checked. */
  config: Readonly<Record<string, unknown>>;
}

export type Storage =
  | { kind: "pvc"; size: string; storageClass: string | undefined }
  | { kind: "emptydir"; size: string | undefined }
  | { kind: "claim"; name: string };

/** Subject of a RoleBinding. */
export interface Subject {
  kind: "User" | "Group" | "ServiceAccount";
  name: string;
  namespace?: string;
}

export interface Toleration {
  key?: string;
  operator?: "Exists" | "Equal";
  value?: string;
  effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

/** One object of an installation, beside what the cluster has, before anything is changed. */
export interface PlannedObject {
  /** As rendered; as it is, where it is to be removed. */
  object: KubeObject;
  /** As it is; undefined where it is not there. */
  live: KubeObject | undefined;
  /** As the server would make it, by a dry run; undefined where that cannot be asked yet, as its namespace is not there. */
  next: KubeObject | undefined;
  /**
   * `recreate`: what is changed is immutable, and the object holds no data. `remove`: kpush made it,
   * and it is no longer rendered. `skip`: it is left out, as `note` says.
   */
  action: "create" | "change" | "keep" | "recreate" | "remove" | "skip";
  /** Why it is recreated or left out. */
  note?: string;
}

import type { ClusterOptions } from "../cluster/types.ts";
import type { InstallOptions, InstallRun, NodeAccess } from "../install/types.ts";
import { portNumber, wholeNumber, type Values } from "./values.ts";

type UseCase = Omit<InstallOptions & InstallRun, keyof ClusterOptions | "namespace" | "timeout">;

/** What `kpush install` and `kpush uninstall` are told, with the names of their use cases. */
export type InstallChoices = Required<UseCase> & {
  output: "yaml" | "json" | undefined;
  diff: boolean;
  listImages: boolean;
  deleteData: boolean;
};

/** @throws KpushError `USAGE` that names the option */
export function installChoices({ text, list, isOn, isOff, read }: Values): InstallChoices {
  return {
    image: text("image"),
    proxyImage: text("proxy-image"),
    imagePullSecret: text("image-pull-secret"),
    storage: text("storage"),
    size: text("size"),
    storageClass: text("storage-class"),
    runAsUser: read("run-as-user", wholeNumber, "a user id, a whole number"),
    nodeAccess: read("node-access", nodeAccess, "hostport, hostnetwork or none"),
    nodePort: read("node-port", portNumber, "a port number from 1 to 65535"),
    nodePush: isOn("node-push"),
    allowFrom: [...list("allow-from")],
    allowPush: [...list("allow-push")],
    // None given is not the same as "none": the proxies then tolerate everything.
    tolerations: list("toleration").length > 0 ? [...list("toleration")] : undefined,
    nodeSelector: [...list("node-selector")],
    priorityClass: text("priority-class"),
    config: text("config"),
    dryRun: read("dry-run", dryRun, "client or server"),
    wait: !isOff("wait"),
    // Nothing can be pushed to what is not ready yet.
    verify: !isOn("no-verify") && !isOff("wait"),
    verifyNodes: read("verify-nodes", atLeastOne, "a number of nodes, 1 or more"),
    forceConflicts: isOn("force-conflicts"),
    takeOwnership: isOn("take-ownership"),
    replaceAddon: isOn("replace-addon"),
    output: read("output", output, "yaml or json"),
    diff: isOn("diff"),
    listImages: isOn("list-images"),
    deleteData: isOn("delete-data"),
  };
}

function nodeAccess(text: string): NodeAccess | undefined {
  return text === "hostport" || text === "hostnetwork" || text === "none" ? text : undefined;
}

function dryRun(text: string): "client" | "server" | undefined {
  return text === "client" || text === "server" ? text : undefined;
}

function output(text: string): "yaml" | "json" | undefined {
  return text === "yaml" || text === "json" ? text : undefined;
}

function atLeastOne(text: string): number | undefined {
  return wholeNumber(text) || undefined;
}

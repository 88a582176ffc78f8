import type { Option } from "./option.ts";

/** Options of `kpush install` and `kpush uninstall`, as part of the table of all options. */
export const installOptions = {
  image: { group: "Registry", value: "IMAGE", help: "image of the registry, as from a mirror" },
  "image-pull-secret": {
    group: "Registry",
    value: "NAME",
    help: "Secret there with the login for both images",
  },
  config: {
    group: "Registry",
    value: "FILE",
    help: "the registry's settings, merged into kpush's own",
  },
  "run-as-user": {
    group: "Registry",
    value: "UID",
    help: "who it runs as; 0 where root wrote the volume",
  },
  storage: {
    group: "Storage",
    value: "KIND",
    help: "pvc, emptydir or claim:NAME; pvc unless installed otherwise",
  },
  size: { group: "Storage", value: "QUANTITY", help: "of the claim, as 50Gi; can only grow" },
  "storage-class": {
    group: "Storage",
    value: "NAME",
    help: "of the claim; the default class unless given",
  },
  "node-access": {
    group: "Nodes",
    value: "WAY",
    help: "hostport, hostnetwork or none: how nodes reach the registry",
  },
  "node-port": { group: "Nodes", value: "PORT", help: "port on each node; 5000 unless given" },
  "proxy-image": { group: "Nodes", value: "IMAGE", help: "image of the node proxies" },
  toleration: {
    group: "Nodes",
    value: "TAINT",
    many: true,
    help: "KEY[=VALUE][:EFFECT] that the pods tolerate; may be given again",
  },
  "node-selector": {
    group: "Nodes",
    value: "KEY=VALUE",
    many: true,
    help: "label of the nodes to use; may be given again",
  },
  "priority-class": { group: "Nodes", value: "NAME", help: "of the pods" },
  "node-push": { group: "Access", help: "let whoever is on a node push, too" },
  "allow-from": {
    group: "Access",
    value: "NAMESPACE",
    many: true,
    help: "let its pods reach the registry; may be given again",
  },
  "allow-push": {
    group: "Access",
    value: "SUBJECT",
    many: true,
    help: "user:NAME, group:NAME or serviceaccount:NAMESPACE:NAME that may push; may be given again",
  },
  "dry-run": {
    group: "Run",
    value: "client|server",
    bare: "client",
    help: "change nothing; server: ask what would change",
  },
  output: {
    group: "Run",
    short: "o",
    value: "yaml|json",
    help: "print the objects, and ask no cluster",
  },
  diff: { group: "Run", help: "print what would change" },
  "list-images": { group: "Run", help: "print the images that the nodes will need" },
  wait: { group: "Run", help: "until all is ready; --wait=false goes on at once" },
  "no-verify": { group: "Run", help: "leave out the proof by a push and by pulls" },
  "verify-nodes": {
    group: "Run",
    value: "NUMBER",
    help: "nodes to prove a pull on; all unless given",
  },
  "force-conflicts": { group: "Run", help: "take over fields that others have set" },
  "take-ownership": { group: "Run", help: "take over objects that kpush did not make" },
  "replace-addon": { group: "Run", help: "take the old kube-registry addon's place; asks first" },
  "delete-data": { group: "Run", help: "delete the claim with all images, too; asks first" },
} as const satisfies Record<string, Option>;

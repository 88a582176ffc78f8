import { installOptions } from "./install-options.ts";
import type { Option } from "./option.ts";

/**
 * Every option of every command, by name. kubectl's and docker's names mean what they mean there. The
 * variables among them are all that kpush reads of its own; an empty one counts as not set.
 */
const options = {
  kubeconfig: {
    group: "Cluster",
    value: "FILE",
    help: "in place of KUBECONFIG and ~/.kube/config",
  },
  context: {
    group: "Cluster",
    value: "NAME",
    variable: "KPUSH_CONTEXT",
    help: "context of the kubeconfig, not its current one",
  },
  as: { group: "Cluster", value: "USER", help: "impersonate this user" },
  "as-group": {
    group: "Cluster",
    value: "GROUP",
    many: true,
    help: "impersonate this group; may be given again",
  },
  "as-uid": { group: "Cluster", value: "UID", help: "impersonate this UID" },
  namespace: {
    group: "Registry",
    short: "n",
    value: "NAME",
    variable: "KPUSH_NAMESPACE",
    help: "look for the registry in this namespace only",
  },
  selector: {
    group: "Registry",
    short: "l",
    value: "LABELS",
    variable: "KPUSH_SELECTOR",
    help: "labels of its pods, in place of the known ones",
  },
  "registry-port": {
    group: "Registry",
    value: "PORT",
    variable: "KPUSH_REGISTRY_PORT",
    help: "port of the registry's pod, by number or name",
  },
  host: {
    group: "Engine",
    short: "H",
    value: "ADDRESS",
    variable: "KPUSH_HOST",
    help: "container engine, as in DOCKER_HOST",
  },
  "docker-context": {
    group: "Engine",
    value: "NAME",
    variable: "KPUSH_DOCKER_CONTEXT",
    help: "docker context that names the engine",
  },
  name: {
    group: "Image",
    value: "NAME[:TAG]",
    help: "name in the registry; with one image only",
  },
  tag: {
    group: "Image",
    value: "TAG",
    many: true,
    help: "one more tag for the image; may be given again",
  },
  "all-tags": {
    group: "Image",
    short: "a",
    help: "IMAGE is a name without tag: push each of its tags",
  },
  platform: {
    group: "Image",
    value: "OS/ARCH",
    variable: "KPUSH_PLATFORM",
    help: "which platform of an image that has several",
  },
  force: { group: "Image", help: "send it even if no node is of its platform" },
  route: {
    group: "Image",
    value: "auto|daemon|direct",
    variable: "KPUSH_ROUTE",
    help: "who sends the layers: the engine, or kpush",
  },
  compression: {
    group: "Image",
    value: "KIND[:LEVEL]",
    variable: "KPUSH_COMPRESSION",
    help: "of plain layers: auto, none, gzip or zstd",
  },
  port: { group: "Registry", value: "PORT", help: "local port to listen on; any unless given" },
  cluster: {
    group: "Demo",
    help: "on your cluster; asks first, and cleans up",
  },
  ...installOptions,
  install: { group: "Run", help: "write it to where the shell looks for it" },
  timeout: {
    group: "Run",
    value: "DURATION",
    variable: "KPUSH_TIMEOUT",
    help: "give up after this time, as 30s, 5m or 1h30m",
  },
  yes: { group: "Run", short: "y", help: "go on without asking" },
  quiet: { group: "Output", short: "q", help: "errors only" },
  verbose: { group: "Output", short: "v", help: "also what is chosen and asked, and stacks" },
  json: { group: "Output", help: "one JSON document on stdout, whatever happens" },
  "no-color": { group: "Output", help: "no colors, as with NO_COLOR" },
  version: { group: "Output", help: "print the version" },
  help: { group: "Output", short: "h", help: "print this help" },
} as const satisfies Record<string, Option>;

export type OptionName = keyof typeof options;

/**
 * `--namespace NAME`, `--dry-run[=client|server]`: as help and README show it.
 *
 * @param switches - options that take no value all the same
 */
export function flagOf(name: OptionName, switches: readonly OptionName[] = []): string {
  const { value, bare } = optionOf(name);
  if (value === undefined || switches.includes(name)) return `--${name}`;
  return bare === undefined ? `--${name} ${value}` : `--${name}[=${value}]`;
}

/** An option as the table's type hides it: with the fields that it lacks. */
export function optionOf(name: OptionName): Option {
  return options[name];
}

/** All names, in the order of the table. */
export const optionNames = Object.keys(options) as OptionName[];

/** Of every command. */
export const commonOptions = [
  "quiet",
  "verbose",
  "json",
  "no-color",
  "help",
] as const satisfies OptionName[];

/** Which cluster, and which of its namespaces. */
export const accessOptions = [
  "kubeconfig",
  "context",
  "as",
  "as-group",
  "as-uid",
  "namespace",
] as const satisfies OptionName[];

/** Where the cluster and its registry are. */
export const clusterOptions = [
  ...accessOptions,
  "selector",
  "registry-port",
] as const satisfies OptionName[];

/** The documented variables, each with the option that it stands in for. */
export const variables: readonly { variable: string; option: OptionName }[] = optionNames.flatMap(
  (option) => {
    const { variable } = optionOf(option);
    return variable === undefined ? [] : [{ variable, option }];
  },
);

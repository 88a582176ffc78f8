import type { StatusResult } from "../results.ts";
import { count, formatBytes } from "./format.ts";
import { pad } from "./width.ts";

type Row = readonly [label: string, ...lines: string[]];

/**
 * What `kpush status` prints: a label and its lines, in line. A node is named where something is wrong
 * with it, or with `verbose`.
 */
export function statusText(status: StatusResult, { verbose }: { verbose: boolean }): string {
  const rows: Row[] = [
    ["context", status.context],
    ["registry", registryLine(status)],
    ...imageRow(status),
    ["storage", ...storageLines(status.storage)],
    ["nodes", ...nodeLines(status, verbose)],
    ["may push", ...mayPush(status.mayPush)],
    ...status.problems.map(({ message, hint }): Row => {
      return ["problem", message, ...(hint === undefined ? [] : [`hint: ${hint}`])];
    }),
  ];
  const width = Math.max(...rows.map(([label]) => label.length)) + 2;
  return rows
    .flatMap(([label, ...lines]) =>
      lines.map((line, at) => pad(at === 0 ? label : "", width) + line),
    )
    .map((line) => `${line}\n`)
    .join("");
}

function registryLine({ namespace, registry }: StatusResult): string {
  if (registry.pod === undefined) return `no pod in namespace ${namespace}`;
  return `${namespace}/${registry.pod}, ${registry.ready ? "ready" : "not ready"}`;
}

function imageRow({ registry: { image, version } }: StatusResult): Row[] {
  if (image === undefined && version === undefined) return [];
  const named = version !== undefined && image?.includes(version) === true;
  const known = version === undefined || named ? [] : [`version ${version}`];
  return [["image", ...(image === undefined ? [] : [image]), ...known]];
}

function storageLines({ kind, claim, capacity, usedBytes, freeBytes }: StatusResult["storage"]) {
  const what = claim === undefined ? kind : `claim ${claim}`;
  const used = usedBytes === undefined ? [] : [`${formatBytes(usedBytes)} used`];
  const free = freeBytes === undefined ? [] : [`${formatBytes(freeBytes)} free`];
  const space = [...used, ...free].join(", ");
  return [capacity === undefined ? what : `${what}, ${capacity}`, ...(space === "" ? [] : [space])];
}

function nodeLines({ proxies, pullAddress }: StatusResult, verbose: boolean): string[] {
  if (proxies === undefined) return ["no proxies; nodes reach it in a way of yours"];
  const ready = proxies.filter((proxy) => proxy.ready).length;
  const shown = proxies.filter((proxy) => verbose || !proxy.ready);
  return [
    `${ready} of ${count(proxies.length, "node")} ready, pull as ${pullAddress}/…`,
    ...shown.map(({ node, ready: well, problem }) => {
      return `  ${node}: ${problem ?? (well ? "ready" : "not ready")}`;
    }),
  ];
}

function mayPush(subjects: readonly string[] | undefined): readonly string[] {
  if (subjects === undefined) return ["not known: you may not see who is named"];
  return subjects.length > 0 ? subjects : ["nobody is named; kpush install --allow-push"];
}

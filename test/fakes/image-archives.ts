import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { digestOf } from "../../src/image/digest.ts";

/** An entry of a tar file; `hard` links name their target from the root. */
export type TarEntry = { name: string } & (
  { content: Buffer | string } | { symlink: string } | { hard: string }
);

export async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const entry of entries) {
    const { name } = entry;
    if ("symlink" in entry) tar.entry({ name, type: "symlink", linkname: entry.symlink });
    else if ("hard" in entry) tar.entry({ name, type: "link", linkname: entry.hard });
    else tar.entry({ name }, entry.content);
  }
  tar.finalize();
  return buffer(tar);
}

/** As an engine's answer comes: in pieces of 64 KiB. */
export function streamOf(bytes: Buffer): Readable {
  const size = 65_536;
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  return Readable.from(pieces, { objectMode: false });
}

/** A little image: plain layers that no other has, and a config that lists them. */
export interface SmallImage {
  layers: Buffer[];
  diffIds: string[];
  config: Buffer;
  /** Digest of the config: the image's id in a graph store. */
  id: string;
}

export function imageOf(
  layers: Buffer[] = [layer(), layer()],
  more: Record<string, unknown> = { cmd: randomBytes(4).toString("hex") },
): SmallImage {
  const diffIds = layers.map((bytes) => digestOf(bytes));
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: diffIds },
      ...more,
    }),
  );
  return { layers, diffIds, config, id: digestOf(config) };
}

/** Bytes that look like a layer, just too large to be kept in memory. */
export function layer(size = 1024 * 1024 + 512): Buffer {
  return randomBytes(size);
}

/**
 * As Docker 20.10 saves it: v1 ids in their order, a layer that occurs twice as a link, which may come first.
 *
 * @param ids - `proven`: as Docker makes them, see `V1Layers`; `unknown`: nothing tells what they stand for
 */
export function graphArchive(
  { layers, config, id, diffIds }: SmallImage,
  name = "app:v1",
  ids: "unknown" | "proven" = "unknown",
): TarEntry[] {
  const configs = v1Configs(diffIds);
  const v1 = configs.map(({ named }, at) =>
    hexOf(ids === "proven" ? named : `${diffIds[at] ?? ""} ${at}`),
  );
  const entries = layers.flatMap((content, at): TarEntry[] => {
    const first = diffIds.indexOf(diffIds[at] ?? "");
    const directory = v1[at] ?? "";
    return [
      { name: `${directory}/VERSION`, content: "1.0" },
      { name: `${directory}/json`, content: configs[at]?.written ?? "" },
      first === at
        ? { name: `${directory}/layer.tar`, content }
        : { name: `${directory}/layer.tar`, symlink: `../${v1[first] ?? ""}/layer.tar` },
    ];
  });
  const configName = `${id.slice(7)}.json`;
  entries.push({ name: configName, content: config });
  entries.sort((one, two) => (one.name < two.name ? -1 : 1));
  const paths = v1.map((directory) => `${directory}/layer.tar`);
  return [
    ...entries,
    manifestJson(configName, paths, name),
    { name: "repositories", content: "{}" },
  ];
}

/** Of each layer: the configuration whose digest is its name, and as it lies in the archive. */
function v1Configs(diffIds: readonly string[]): { named: string; written: string }[] {
  let [chain, parent] = ["", ""];
  return diffIds.map((diffId, at) => {
    chain = at === 0 ? diffId : `sha256:${hexOf(`${chain} ${diffId}`)}`;
    const last = at === diffIds.length - 1;
    const [below, created] = [parent && `,"parent":"sha256:${parent}"`, '"created":"1970"'];
    const named = last
      ? `{"architecture":"amd64",${created},"layer_id":"${chain}","os":"linux"${below}}`
      : `{${created},"layer_id":"${chain}"${below}}`;
    const [id, before] = [hexOf(named), parent && `"parent":"${parent}",`];
    parent = id;
    const more = last ? ',"architecture":"amd64"' : "";
    return { named, written: `{"id":"${id}",${before}${created}${more},"os":"linux"}` };
  });
}

/** As Podman saves it: layers are called by their diff_ids, and linked from v1 directories. */
export function podmanArchive(
  { layers, config, id, diffIds }: SmallImage,
  name = "localhost/app:v1",
): TarEntry[] {
  const paths = diffIds.map((diffId) => `${diffId.slice(7)}.tar`);
  return [
    ...layers.map((content, at) => ({ name: paths[at] ?? "", content })),
    { name: `${id.slice(7)}.json`, content: config },
    ...paths.map((path, at) => ({ name: `v1-${at}/layer.tar`, symlink: `../${path}` })),
    manifestJson(`${id.slice(7)}.json`, paths, name),
  ];
}

/** Several archives in one, as `docker save one:v1 two:v1` makes it. */
export function together(...archives: readonly (readonly TarEntry[])[]): TarEntry[] {
  const isList = ({ name }: TarEntry) => name === "manifest.json";
  const lists = archives.flatMap((entries) => entries.filter(isList));
  const images = lists.flatMap((entry) =>
    "content" in entry ? (JSON.parse(entry.content.toString()) as unknown[]) : [],
  );
  return [
    ...archives.flatMap((entries) => entries.filter((entry) => !isList(entry))),
    { name: "manifest.json", content: JSON.stringify(images) },
  ];
}

function manifestJson(config: string, layers: string[], name: string): TarEntry {
  return {
    name: "manifest.json",
    content: JSON.stringify([{ Config: config, RepoTags: [name], Layers: layers }]),
  };
}

function hexOf(text: string): string {
  return digestOf(Buffer.from(text)).slice(7);
}

import { createHash } from "node:crypto";

/** Docker's own name of a layer's directory in an export, and the files in it that count here. */
const inDirectory = /^([0-9a-f]{64})\/(json|layer\.tar)$/;

/**
 * Tells the layers of an export by Docker 20.10 to 24 before they come. There a layer lies in a directory that is called by
 * the SHA-256 of its configuration (image format v1) with its chain id, and the configuration lies before it (moby:
 * `CreateID` in image/v1/imagev1.go, `save` in image/tarexport/save.go). So a name proves which of the image's layers
 * it stands for.
 */
export class V1Layers {
  readonly #layers: readonly { diffId: string; chainId: string }[];
  readonly #known = new Map<string, string>();

  /** @param diffIds - of the image, the lowest layer first */
  constructor(diffIds: readonly string[]) {
    let below: string | undefined;
    this.#layers = diffIds.map((diffId) => {
      below = below === undefined ? diffId : `sha256:${sha256(`${below} ${diffId}`)}`;
      return { diffId, chainId: below };
    });
  }

  /** Takes a small file of the export. */
  read(name: string, content: Buffer): void {
    const [, id = "", file] = inDirectory.exec(name) ?? [];
    if (file !== "json") return;
    const found = this.#find(id, content);
    if (found !== undefined) this.#known.set(id, found);
  }

  /** The diff_id of the layer in this file; undefined where nothing tells it. */
  diffIdOf(name: string): string | undefined {
    const [, id = "", file] = inDirectory.exec(name) ?? [];
    return file === "layer.tar" ? this.#known.get(id) : undefined;
  }

  #find(id: string, content: Buffer): string | undefined {
    const config = parse(content);
    if (!config) return undefined;
    const last = this.#layers.at(-1);
    // The uppermost one's is the image's own; the others were given `os` after their name was made.
    if (last && v1Id(config, last.chainId) === id) return last.diffId;
    delete config["os"];
    return this.#layers.find(({ chainId }) => v1Id(config, chainId) === id)?.diffId;
  }
}

function parse(content: Buffer): Record<string, unknown> | undefined {
  try {
    const config: unknown = JSON.parse(content.toString());
    return typeof config === "object" && config !== null ? { ...config } : undefined;
  } catch {
    return undefined;
  }
}

/** As Go writes it: the keys of a map in their order, and no signs that mean something in HTML. */
function v1Id({ id: _, parent, ...config }: Record<string, unknown>, chainId: string): string {
  const named = typeof parent === "string" && { parent: `sha256:${parent}` };
  const entries = Object.entries({ ...config, ...named, layer_id: chainId });
  entries.sort(([one], [two]) => (one < two ? -1 : 1));
  const json = JSON.stringify(Object.fromEntries(entries));
  return sha256(json.replace(/[<>&\u2028\u2029]/g, escape));
}

function escape(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

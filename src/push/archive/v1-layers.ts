import { digestOf } from "../../image/digest.ts";
import { parseDocument } from "../../image/manifest.ts";

/**
 * Tells the layers of an export by Docker 20.10 to 24 before they come. There a layer lies in a directory that is called by
 * the SHA-256 of its configuration (image format v1) with its chain id, and the configuration lies before it (moby:
 * `CreateID` in image/v1/imagev1.go, `save` in image/tarexport/save.go). So a name proves which of the image's layers
 * it stands for.
 */
export class V1Layers {
  readonly #layers: readonly { diffId: string; chainId: string }[];
  /** diff_ids, by the names of the files that hold the layers. */
  readonly #known = new Map<string, string>();

  /** @param diffIds - of the image, the lowest layer first */
  constructor(diffIds: readonly string[]) {
    let below: string | undefined;
    this.#layers = diffIds.map((diffId) => {
      below = below === undefined ? diffId : digestOf(Buffer.from(`${below} ${diffId}`));
      return { diffId, chainId: below };
    });
  }

  /** Takes a small file of the export. */
  read(name: string, content: Buffer): void {
    const directory = /^([0-9a-f]{64})\/json$/.exec(name)?.[1];
    if (directory === undefined) return;
    const found = this.#find(`sha256:${directory}`, content);
    if (found !== undefined) this.#known.set(`${directory}/layer.tar`, found);
  }

  /** The diff_id of the layer in this file; undefined where nothing tells it. */
  diffIdOf(name: string): string | undefined {
    return this.#known.get(name);
  }

  #find(v1Id: string, content: Buffer): string | undefined {
    const config = parse(content);
    if (!config) return undefined;
    const last = this.#layers.at(-1);
    // The uppermost one's is the image's own; the others were given `os` after their name was made.
    if (last && v1IdOf(config, last.chainId) === v1Id) return last.diffId;
    delete config["os"];
    return this.#layers.find(({ chainId }) => v1IdOf(config, chainId) === v1Id)?.diffId;
  }
}

function parse(content: Buffer): Record<string, unknown> | undefined {
  try {
    return parseDocument(content, "a layer's configuration");
  } catch {
    return undefined; // then only its content tells what the layer is
  }
}

/** As Go writes it: the keys of a map in their order, and no signs that mean something in HTML. */
function v1IdOf({ id: _, parent, ...config }: Record<string, unknown>, chainId: string): string {
  const named = typeof parent === "string" && { parent: `sha256:${parent}` };
  const entries = Object.entries({ ...config, ...named, layer_id: chainId });
  entries.sort(([one], [two]) => (one < two ? -1 : 1));
  const json = JSON.stringify(Object.fromEntries(entries));
  return digestOf(Buffer.from(json.replace(/[<>&\u2028\u2029]/g, escape)));
}

function escape(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

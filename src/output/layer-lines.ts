import type { LayerReport, PlannedImage } from "../events.ts";
import { count, formatBytes } from "./format.ts";
import { pad, truncate, widthOf } from "./width.ts";

/**
 * `new      212 MB  COPY . .`: a line for each layer, without a line break. What is not known is left blank.
 *
 * @param columns - no line is longer; as long as they are where undefined
 */
export function layerLines(layers: readonly LayerReport[], columns?: number): string[] {
  const sizes = layers.map(({ bytes }) => (bytes === undefined ? "" : formatBytes(bytes)));
  const width = Math.max(0, ...sizes.map(widthOf));
  const states = Math.max(0, ...layers.map(({ state = "" }) => state.length));
  return layers.map(({ state = "", step = "" }, at) => {
    const size = (sizes[at] ?? "").padStart(width);
    const line = `${pad(state, states)}  ${size}  ${step}`.trimEnd();
    return columns === undefined ? line : truncate(line, columns);
  });
}

/**
 * What `--dry-run` prints of one image: where it would go and how, its layers, their sum, and further tags. On a narrow terminal
 * the way stands below the place, which is never cut.
 *
 * @param columns - of the terminal that it goes to; undefined where it goes elsewhere
 */
export function plannedText(planned: PlannedImage, columns?: number): string {
  const { target, context, tags, route, reason, layers } = planned;
  const way = { daemon: "sent by the engine", direct: "sent by kpush", none: "unchanged" }[route];
  const indent = "  ";
  const left = columns === undefined ? undefined : columns - indent.length;
  const how = `${way}: ${reason}`;
  const where = context === undefined ? target : `${target} in ${context}`;
  const whole = `${where}  ${how}`;
  const fits = left === undefined || widthOf(whole) <= left + indent.length;
  const head = fits ? [whole] : [where, indent + truncate(how, left)];
  const others = tags.slice(1).join(", ");
  const all = [...layerLines(layers, left), sumOf(planned)];
  if (others !== "") all.push(`also tagged: ${others}`);
  const lines = all.map((line) => indent + line);
  return `${[...head, ...lines].join("\n")}\n`;
}

/** Layers and bytes that would be sent, and those of the whole image; bytes only where all are known. */
export function plannedTotals({ layers }: Pick<PlannedImage, "layers">) {
  const missing = layers.filter(({ state }) => state === "new");
  return {
    layers: { total: layers.length, missing: missing.length },
    bytes: { total: sum(layers), missing: sum(missing) },
  };
}

function sumOf(planned: PlannedImage): string {
  if (planned.route === "none") return "nothing would be sent";
  const { layers, bytes } = plannedTotals(planned);
  if (layers.missing === 0) return `no new layer among ${layers.total}`;
  const parts = [`${layers.missing} of ${count(layers.total, "layer")}`];
  if (bytes.missing !== undefined) {
    const whole = bytes.total === undefined ? "" : ` of ${formatBytes(bytes.total)}`;
    parts.push(`${formatBytes(bytes.missing)}${whole}`);
  }
  return `${parts.join(", ")} would be sent`;
}

function sum(layers: readonly LayerReport[]): number | undefined {
  let all = 0;
  for (const { bytes } of layers) {
    if (bytes === undefined) return undefined;
    all += bytes;
  }
  return all;
}

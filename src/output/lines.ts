import type { KpushEvent, PushedImage } from "../events.ts";
import { count, formatBytes, formatDuration } from "./format.ts";
import type { Style, Symbols } from "./terminal.ts";
import { pad, widthOf } from "./width.ts";

/** How finished lines look; the same on a terminal and in a pipe. */
export interface LineStyle {
  style: Style;
  symbols: Symbols;
  /** Columns of the first word, so that what follows stands in line. */
  labelWidth: number;
}

/** Names longer than this do not push the rest of all lines to the right. */
const widestLabel = 32;

/** @param labels - images as the user named them, and other first words */
export function labelWidthFor(labels: readonly string[]): number {
  const widths = labels.map(widthOf).filter((width) => width <= widestLabel);
  return Math.max("registry".length, ...widths) + 2;
}

/** `myapp:dev`, and where images go to several contexts, `myapp:dev in prod-eu`. */
export function imageLabel({ image, context }: { image: string; context?: string }): string {
  return context === undefined ? image : `${image} in ${context}`;
}

/** `✔ registry   kube-system/kube-registry-x7d9f in context prod-eu` */
export function stepLine(symbol: string, label: string, text: string, labelWidth: number): string {
  const first = widthOf(label) + 2 > labelWidth ? `${label}  ` : pad(label, labelWidth);
  return `${symbol} ${first}${text}`;
}

/** `deployment kpush-system/kpush-registry - recreated, as its selector is immutable` */
export function objectText(event: Extract<KpushEvent, { type: "object" }>): string {
  const { kind, namespace, name, note } = event;
  const where = namespace === undefined ? "" : `${namespace}/`;
  return `${kind.toLowerCase()} ${where}${name}${note === undefined ? "" : ` - ${note}`}`;
}

/** `kpush-system/kpush-registry-7d9fc in context prod-eu` */
export function registryText(event: Extract<KpushEvent, { type: "registry" }>): string {
  return `${event.namespace}/${event.pod} in context ${event.context}`;
}

/** `2 of 9 layers sent, 14.2 MB of 312 MB, 3.1 s` */
export function doneText(image: PushedImage): string {
  const parts = [...sentParts(image)];
  if (image.tags.length > 1) parts.push(`tags ${image.tags.join(", ")}`);
  parts.push(formatDuration(image.milliseconds));
  return parts.join(", ");
}

function sentParts({ route, layers, sentBytes, totalBytes }: PushedImage): string[] {
  if (route === "none") return ["unchanged", "nothing sent"];
  if (layers.total === 0)
    return sentBytes > 0 ? ["pushed", `${formatBytes(sentBytes)} sent`] : ["pushed"];
  if (layers.sent === 0) return [`pushed, no new layer among ${layers.total}`];
  const sent = `${layers.sent} of ${count(layers.total, "layer")} sent`;
  // An engine that compresses as it goes sends more, or less, than it says an image has.
  if (totalBytes === 0) return sentBytes > 0 ? [sent, formatBytes(sentBytes)] : [sent];
  return [sent, `${formatBytes(sentBytes)} of ${formatBytes(totalBytes)}`];
}

/** The `warning:` and `hint:` lines of a warning. */
export function warningText(message: string, hint: string | undefined, style: Style): string {
  const lines = `${style.warn("warning:")} ${message}\n`;
  return hint === undefined ? lines : `${lines}${style.strong("hint:")} ${hint}\n`;
}

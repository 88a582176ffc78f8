import { count, formatBytes, formatPercent, formatRate, formatTimeLeft } from "./format.ts";
import type { ImageProgress, LayerProgress, Progress } from "./progress.ts";
import { pad, shorten, truncate, widthOf } from "./width.ts";

export interface LiveSize {
  /** Columns that a line may take; longer ones are cut. */
  columns: number;
  /** Lines that there may be. */
  rows: number;
}

/**
 * The lines that are redrawn while something is under way, without the spinner in front of the first:
 * one for each image, and below it its layers that are being sent, as far as there is room.
 */
export function liveLines(progress: Progress, now: number, { columns, rows }: LiveSize): string[] {
  const images = progress.images(now);
  if (images.length === 0) return waitLines(progress, { columns, rows });
  const shown = images.length > rows ? images.slice(0, rows - 1) : images;
  // A long name must not push the numbers out of a narrow terminal.
  const widest = Math.min(32, Math.max(8, Math.floor(columns * 0.4)));
  const label = Math.min(widest, Math.max(0, ...shown.map(({ image }) => widthOf(image))));
  const more = images.length - shown.length;
  const most = more > 0 ? 0 : Math.floor((rows - shown.length) / shown.length);
  const lines = shown.flatMap((image) => [
    `${pad(shorten(image.image, label), label)}  ${imageText(image)}`,
    ...layerLines(image.layers, most),
  ]);
  if (more > 0)
    lines.push(shown.length > 0 ? `and ${count(more, "more image")}` : `${more} images`);
  return lines.map((line) => truncate(line, columns));
}

/** One line for each thing that is waited for; else what happens now. */
function waitLines(progress: Progress, { columns, rows }: LiveSize): string[] {
  const waits = [...progress.waits()];
  if (waits.length === 0) return [truncate(`${progress.phase() ?? "working"} …`, columns)];
  const label = Math.max(...waits.map(([name]) => widthOf(name)));
  return waits
    .slice(0, rows)
    .map(([name, text]) => truncate(`${pad(name, label)}  ${text}`, columns));
}

/** `45 %  14.2 MB of 31.2 MB  5.1 MB/s  3 s left`; what matters most stands first, as lines get cut. */
export function imageText(image: ImageProgress): string {
  const { sentBytes, totalBytes, layersSent, layersToSend, rate, timeLeft } = image;
  if (image.layers.length === 0 && sentBytes > 0) {
    return [
      `${formatBytes(sentBytes)} sent`,
      ...(rate === undefined ? [] : [formatRate(rate)]),
    ].join("  ");
  }
  if (image.layers.length === 0) return "preparing";
  if (layersToSend === 0 || (layersSent === layersToSend && sentBytes >= totalBytes)) {
    return "waiting for the registry";
  }
  if (totalBytes === 0) {
    const sent = sentBytes > 0 ? `  ${formatBytes(sentBytes)}` : "";
    return `${layersSent} of ${layersToSend} layers${sent}`;
  }
  const parts = [
    formatPercent(sentBytes, totalBytes),
    `${formatBytes(sentBytes)} of ${formatBytes(totalBytes)}`,
  ];
  if (sentBytes >= totalBytes) return [...parts, "waiting for the registry"].join("  ");
  if (rate !== undefined) parts.push(formatRate(rate));
  const left = timeLeft === undefined ? "" : formatTimeLeft(timeLeft);
  if (left !== "") parts.push(left);
  return parts.join("  ");
}

function layerLines(layers: readonly LayerProgress[], most: number): string[] {
  const sending = layers.filter(({ state }) => state === "sending");
  // A single layer would only repeat the image's own line.
  if (layers.filter(({ state }) => state !== "present").length < 2) return [];
  return sending.slice(0, most).map(layerLine);
}

function layerLine({ id, sentBytes, totalBytes }: LayerProgress): string {
  const bytes =
    totalBytes > 0
      ? `${pad(formatPercent(sentBytes, totalBytes), 4)}  ${formatBytes(sentBytes)} of ${formatBytes(totalBytes)}`
      : formatBytes(sentBytes);
  return `  ${shortId(id)}  ${bytes}`;
}

/** Twelve hex digits, as engines show them. */
function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

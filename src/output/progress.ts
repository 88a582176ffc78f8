import type { KpushEvent, LayerState } from "../events.ts";
import { imageLabel } from "./lines.ts";
import { openRateMeter, type RateMeter } from "./rate.ts";

export interface LayerProgress {
  id: string;
  state: LayerState;
  sentBytes: number;
  totalBytes: number;
}

/** One image that is under way. */
export interface ImageProgress {
  /** As {@link imageLabel} has it. */
  image: string;
  layers: LayerProgress[];
  /** Of the layers that must be sent: those that the registry has already do not count. */
  sentBytes: number;
  totalBytes: number;
  layersSent: number;
  layersToSend: number;
  /** Bytes a second, where it is known. */
  rate: number | undefined;
  /** Milliseconds until all bytes have left, where it can be guessed. */
  timeLeft: number | undefined;
}

/** What is under way, added up from events. Knows no terminal. */
export interface Progress {
  take(event: KpushEvent, now: number): void;
  /** Images in the order in which they began; those that ended are not among them. */
  images(now: number): ImageProgress[];
  /** What happens now beside the images, e.g. `finding the registry`; of several contexts with their names. */
  phase(): string | undefined;
  /** How far other things are, by their labels, in the order in which they began. */
  waits(): ReadonlyMap<string, string>;
}

interface Entry {
  layers: Map<string, LayerProgress>;
  meter: RateMeter;
  /** From an engine that tells nothing of its layers. */
  bytes: number;
}

type OfImage = KpushEvent & { image: string };

/** Starts with nothing under way. */
export function openProgress(): Progress {
  const entries = new Map<string, Entry>();
  const waits = new Map<string, string>();
  /** By the contexts that they concern. */
  const phases = new Map<string | undefined, string>();
  const begin = (event: OfImage) => {
    const entry = { layers: new Map<string, LayerProgress>(), meter: openRateMeter(), bytes: 0 };
    entries.set(imageLabel(event), entry);
    return entry;
  };
  const entryOf = (event: OfImage) => entries.get(imageLabel(event)) ?? begin(event);
  return {
    take(event, now) {
      switch (event.type) {
        case "phase":
          phases.delete(event.context);
          phases.set(event.context, event.text);
          waits.clear(); // they belong to what was before
          break;
        case "progress":
          waits.set(event.label, event.text);
          break;
        case "step":
          waits.delete(event.label);
          phases.delete(event.context);
          break;
        case "plan":
        case "restart":
          begin(event);
          break;
        case "layer": {
          const { layers, meter } = entryOf(event);
          const { id, state, sentBytes, totalBytes } = event;
          layers.set(id, { id, state, sentBytes, totalBytes });
          meter.feed(now, bytesSent([...layers.values()]));
          break;
        }
        case "bytes": {
          const entry = entryOf(event);
          entry.bytes = event.sentBytes;
          entry.meter.feed(now, entry.bytes);
          break;
        }
        case "done":
          entries.delete(imageLabel(event.image));
          break;
        case "failed":
          entries.delete(imageLabel(event));
          if (event.context !== undefined) phases.delete(event.context);
          break;
        case "registry":
        case "object":
          phases.delete(phases.has(event.context) ? event.context : undefined); // found, or gone on to
          break;
        case "engine":
        case "warning":
        case "debug":
          break;
      }
    },
    images: (now) => [...entries].map(([image, entry]) => summarize(image, entry, now)),
    phase: () => phaseText(phases),
    waits: () => waits,
  };
}

/** The last one, with all the contexts that are as far. */
function phaseText(phases: ReadonlyMap<string | undefined, string>): string | undefined {
  const last = [...phases.values()].at(-1);
  const alike = [...phases].filter(([, text]) => text === last);
  const names = alike.flatMap(([context]) => context ?? []).join(", ");
  return names === "" ? last : `${names}: ${last}`;
}

function summarize(image: string, { layers, meter, bytes }: Entry, now: number): ImageProgress {
  const all = [...layers.values()];
  const toSend = all.filter((layer) => layer.state !== "present");
  const sentBytes = bytes + bytesSent(all);
  const totalBytes = toSend.reduce((sum, layer) => sum + layer.totalBytes, 0);
  const rate = meter.rate(now);
  const left = totalBytes - sentBytes;
  return {
    image,
    layers: all,
    sentBytes,
    totalBytes,
    layersSent: toSend.filter((layer) => layer.state === "sent").length,
    layersToSend: toSend.length,
    rate,
    timeLeft: rate !== undefined && rate > 0 && left > 0 ? (left / rate) * 1000 : undefined,
  };
}

function bytesSent(layers: readonly LayerProgress[]): number {
  return layers.reduce((sum, layer) => sum + (layer.state === "present" ? 0 : layer.sentBytes), 0);
}

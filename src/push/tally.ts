import type { KpushEvent, Report } from "../events.ts";

/** Layers and bytes of one image, added up from its `layer` events. */
export interface Totals {
  layers: { total: number; sent: number };
  sentBytes: number;
  /** 0 where the size of a layer was not told. */
  totalBytes: number;
}

/** Passes events on, adds up what was sent, and says for `-v` when a layer begins. One image has one tally. */
export interface Tally {
  report: Report;
  totals(): Totals;
  /** The last word on each layer, by its id. */
  layers(): ReadonlyMap<string, LayerEvent>;
}

/** What is told of one layer. */
export type LayerEvent = Extract<KpushEvent, { type: "layer" }>;

/** Starts a tally; a `restart` event empties it. */
export function openTally(report: Report): Tally {
  const layers = new Map<string, LayerEvent>();
  let bytes = 0;
  return {
    report(event) {
      if (event.type === "layer") {
        const { id, image, state } = event;
        if (state === "sending" && layers.get(id)?.state !== state) {
          report({ type: "debug", message: `${image}: sending layer ${id}` });
        }
        layers.set(id, event);
      }
      if (event.type === "bytes") {
        if (bytes === 0) report({ type: "debug", message: `${event.image}: sending` });
        bytes = event.sentBytes;
      }
      if (event.type === "restart") {
        layers.clear();
        bytes = 0;
      }
      report(event);
    },
    layers: () => layers,
    totals() {
      const all = [...layers.values()];
      const sent = all.filter((layer) => layer.state === "sent");
      // Engines tell no sizes of layers that are there already: a sum of the others is not the image's.
      const known = all.every((layer) => layer.totalBytes > 0);
      return {
        layers: { total: all.length, sent: sent.length },
        sentBytes: sent.reduce((sum, layer) => sum + layer.sentBytes, bytes),
        totalBytes: known ? all.reduce((sum, layer) => sum + layer.totalBytes, 0) : 0,
      };
    },
  };
}

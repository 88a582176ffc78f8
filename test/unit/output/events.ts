import type { KpushEvent, PushedImage } from "../../../src/events.ts";

/** An image that took a usual way, with what a test changes of it. */
export function pushed(changes: Partial<PushedImage> = {}): PushedImage {
  const digest = `sha256:${"3f".repeat(32)}`;
  return {
    image: "myapp:dev",
    pullRef: `localhost:5000/myapp:dev@${digest}`,
    digest,
    tags: ["dev"],
    route: "daemon",
    layers: { total: 9, sent: 2 },
    sentBytes: 14_200_000,
    totalBytes: 312_000_000,
    milliseconds: 3100,
    ...changes,
  };
}

export const registry: KpushEvent = {
  type: "registry",
  context: "prod-eu",
  namespace: "kpush-system",
  pod: "kpush-registry-7d9fc",
  pullAddress: "localhost:5000",
};

export const engine: KpushEvent = { type: "engine", name: "Docker 28.5.2 at unix:///run/d.sock" };

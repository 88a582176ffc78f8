import type { IncomingHttpHeaders } from "node:http";
import { plain } from "../image/text.ts";

/** Who answers at an address. */
export interface Identity {
  /** e.g. `Docker 28.5.2 at unix:///var/run/docker.sock` */
  name: string;
  podman: boolean;
  /** The program that a hint names. */
  tool: "docker" | "podman";
}

/**
 * Engines sign every answer, errors too: `Server: Docker/28.5.2 (linux)`, `Server: Libpod/4.3.1 (linux)`.
 * A proxy in between may drop it; what is left is then taken for Docker.
 */
export function identify(headers: IncomingHttpHeaders, address: string): Identity {
  const [, product, version = ""] = /^(\w+)\/(\d[\d.]*)/.exec(String(headers.server ?? "")) ?? [];
  const podman = product === "Libpod" || headers["libpod-api-version"] !== undefined;
  const who = podman ? "Podman" : "Docker";
  const known = podman || product === "Docker";
  return {
    name: plain(`${who}${known && version ? ` ${version}` : ""} at ${address}`, 300),
    podman,
    tool: podman ? "podman" : "docker",
  };
}

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { KpushError } from "../errors.ts";
import { dockerodeImage, queryOf } from "./dockerode.ts";
import type { Endpoint } from "./endpoint.ts";
import { exportStream } from "./export.ts";
import { answerFailed } from "./failures.ts";
import { readHistory } from "./history.ts";
import { identify, type Identity } from "./identity.ts";
import { readImageAnswer } from "./image-answer.ts";
import { pathOfImage } from "./image-path.ts";
import { choosePlatform, imageNotFit, platformJson } from "./platform-choice.ts";
import { openPushStream } from "./push-stream.ts";
import type { SshSurroundings } from "./remote/ssh-dial.ts";
import { openTransport, readFailure, readText, type EngineRequest } from "./transport.ts";
import type { Engine, ImageStore, LocalImage } from "./types.ts";

/** Milliseconds; tests make them small. */
export interface EngineTimings {
  /** Until an engine answers to a short request. */
  answer: number;
  /** Until a probe of the port counts as failed. */
  probe: number;
  /** For taking a name away, which goes on when the push was interrupted. */
  untag: number;
}

/** An engine that can be asked about an image before it is known whether it will be the one. */
export interface FoundEngine extends Engine {
  /** Asks now what the next `inspect` of this name will take as its answer. */
  prefetch(name: string): Promise<void>;
}

const usualTimings: EngineTimings = { answer: 60_000, probe: 10_000, untag: 10_000 };
const describeLimit = 4 * 1024 * 1024;
const errorLimit = 64 * 1024;

/**
 * An engine at an address. Makes no request by itself: name and store are known from the first answer,
 * whose headers say who gave it, so that finding the engine costs no request of its own.
 */
export function openEngine(
  endpoint: Endpoint,
  surroundings: SshSurroundings,
  signal: AbortSignal,
  timings: Partial<EngineTimings> = {},
): FoundEngine {
  const limits = { ...usualTimings, ...timings };
  const transport = openTransport(endpoint, surroundings);
  let identity: Identity = identify({}, endpoint.address);
  let store: ImageStore = "graph";
  const prefetched = new Map<string, Promise<LocalImage>>();

  /** Sends a request about an image; any answer but a success is an error. */
  async function ask(image: string, request: EngineRequest): Promise<IncomingMessage> {
    const answer = await transport.send(request);
    identity = identify(answer.headers, endpoint.address);
    if (identity.podman) store = "podman";
    const { statusCode: status = 0 } = answer;
    if (status >= 200 && status < 300) return answer;
    const body = await readText(transport, answer, errorLimit, request.signal);
    throw answerFailed(identity, image, { status, body });
  }

  const dockerode = (image: string) =>
    dockerodeImage((request) => ask(image, request), pathOfImage(image));

  /** Only a containerd store has several platforms under one name. */
  const platformOption = (platform: string | undefined) =>
    platform !== undefined && store === "containerd" ? { platform: platformJson(platform) } : {};

  async function describe(name: string, query: string): Promise<LocalImage> {
    const path = `/images/${pathOfImage(name)}/json${query}`;
    const answer = await ask(name, { method: "GET", path, signal, timeout: limits.answer });
    const text = await readText(transport, answer, describeLimit, signal);
    const described = readImageAnswer(text, identity.podman);
    store = described.store;
    return described.image;
  }

  async function inspect(name: string, platform?: string): Promise<LocalImage> {
    const early = prefetched.get(name);
    prefetched.delete(name);
    const image = await (early ?? describe(name, queryOf({ manifests: 1 })));
    if (platform === undefined) {
      if (image.platform.startsWith("windows")) throw imageNotFit(name, image.platform);
      return image;
    }
    const fitting = choosePlatform(name, image, platform, identity.tool);
    if (fitting === image.platform) return image;
    const { diffIds, size } = await describe(name, queryOf({ platform: platformJson(fitting) }));
    return { ...image, platform: fitting, diffIds, size };
  }

  return {
    get name() {
      return identity.name;
    },
    endpoint: endpoint.address,
    get store() {
      return store;
    },
    inspect,

    async prefetch(name) {
      const answer = describe(name, queryOf({ manifests: 1 }));
      prefetched.set(name, answer);
      await answer;
    },

    async history(name, platform) {
      const path = `/images/${pathOfImage(name)}/history${queryOf(platformOption(platform))}`;
      const answer = await ask(name, { method: "GET", path, signal, timeout: limits.answer });
      return readHistory(await readText(transport, answer, describeLimit, signal));
    },

    async tag(image, repository, tag) {
      const call = await dockerode(image);
      await call.tag({ repo: repository, tag, abortSignal: signal });
    },

    async untag(name, passing = []) {
      const limit = AbortSignal.timeout(limits.untag);
      const request = { method: "GET", path: `/images/${pathOfImage(name)}/json`, signal: limit };
      try {
        const text = await readText(transport, await ask(name, request), describeLimit, limit);
        const { names } = readImageAnswer(text, identity.podman).image;
        if (!names.some((other) => other !== name && !passing.includes(other))) return "kept";
        const call = await dockerode(name);
        await call.remove({ noprune: true, abortSignal: limit });
        return "removed";
      } catch (error) {
        if (error instanceof KpushError && error.code === "IMAGE_NOT_FOUND") return "absent";
        throw error;
      }
    },

    async probe(port) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(limits.probe)]);
      const address = `127.0.0.1:${port}`;
      const nonce = randomBytes(8).toString("hex");
      // Podman has no path that looks at a registry, but its login does.
      const body = JSON.stringify({ username: nonce, password: nonce, serveraddress: address });
      const request: EngineRequest =
        store === "podman"
          ? { method: "POST", path: "/auth", headers: { "Content-Type": "application/json" }, body }
          : { method: "GET", path: `/distribution/${address}/x:${nonce}/json` };
      try {
        (await transport.send({ ...request, signal: limit })).resume();
      } catch {
        // Whatever became of it, the caller looks whether a connection arrived.
        signal.throwIfAborted();
      }
    },

    async push({ image, target, username, password, platform, onProgress, signal: pushSignal }) {
      const colon = target.lastIndexOf(":");
      const abortSignal = AbortSignal.any([signal, pushSignal]);
      const options = {
        authconfig: { username, password, serveraddress: target.slice(0, target.indexOf("/")) },
        abortSignal,
      };
      const podman = store === "podman";
      const call = await dockerode(podman ? image : target.slice(0, colon));
      const where = podman
        ? { destination: target, tlsVerify: false }
        : { tag: target.slice(colon + 1), ...platformOption(platform) };
      const answer = (await call.push({
        ...options,
        ...where,
      } as object)) as unknown as IncomingMessage;
      const stream = openPushStream(onProgress);
      try {
        for await (const chunk of answer as AsyncIterable<Uint8Array>) stream.write(chunk);
      } catch (error) {
        throw readFailure(endpoint, error, abortSignal);
      }
      return stream.end();
    },

    async export(name, platform) {
      const path = `/images/${pathOfImage(name)}/get${queryOf(platformOption(platform))}`;
      return exportStream(transport, await ask(name, { method: "GET", path, signal }), signal);
    },

    [Symbol.dispose]: () => transport[Symbol.dispose](),
  };
}

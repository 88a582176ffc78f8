import {
  request as openRequest,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from "node:http";
import { KpushError } from "../errors.ts";
import type { Report } from "../events.ts";
import { ConnectAgent } from "./agent.ts";
import { lengthHeader, sendBody, type BodyStream } from "./body.ts";
import { speaksNoHttp, speaksTls, type Answer } from "./problem.ts";
import { Slots } from "./slots.ts";
import type { RegistryTimings } from "./timings.ts";
import { Transient } from "./transient.ts";
import type { Connect } from "../tunnel/types.ts";

/** Bytes of an error's body that are looked at. */
const errorLimit = 64 * 1024;

/** One request, sent once. */
export interface Ask {
  method: "GET" | "HEAD" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Path and query. */
  path: string;
  headers?: OutgoingHttpHeaders;
  body?: Buffer | BodyStream;
}

export interface WireOptions {
  connect: Connect;
  signal: AbortSignal;
  report: Report | undefined;
  timings: RegistryTimings;
  maxSockets: number;
}

/** HTTP/1.1 over `connect()`. Every failure is a {@link Transient}, a KpushError, or what `connect` or a body threw. */
export class Wire implements Disposable {
  readonly timings: RegistryTimings;
  readonly signal: AbortSignal;
  readonly agent: ConnectAgent;
  readonly #report: Report | undefined;
  readonly #slots: Slots;
  /** Requests that are under way, each with what fails it. */
  readonly #open = new Map<ClientRequest, (error: unknown) => void>();
  readonly #abort = () => this.#destroy(this.signal.reason);

  constructor({ connect, signal, report, timings, maxSockets }: WireOptions) {
    this.agent = new ConnectAgent(connect, maxSockets);
    this.#slots = new Slots(maxSockets);
    this.signal = signal;
    this.#report = report;
    this.timings = timings;
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  /**
   * Sends a request and reads the whole answer.
   *
   * @param limit - bytes that the body of a success may have; of another answer 64 KiB are kept
   */
  async send(ask: Ask, limit = errorLimit): Promise<Answer> {
    const { request, response } = await this.open(ask);
    try {
      const { statusCode: status = 0, headers } = response;
      const success = status >= 200 && status < 300;
      const body = await this.#read(request, response, success ? limit : errorLimit, success);
      return { method: ask.method, status, headers, body };
    } finally {
      // An answer that came before all was sent, or that is longer than wanted, costs the socket.
      if (!request.writableFinished || !response.complete) request.destroy();
    }
  }

  /** Sends a request; resolves once the head of the answer is there. The caller reads or destroys the response. */
  async open(ask: Ask): Promise<{ request: ClientRequest; response: IncomingMessage }> {
    this.signal.throwIfAborted();
    await this.#slots.take();
    if (this.signal.aborted) this.#slots.give();
    this.signal.throwIfAborted();
    const started = performance.now();
    const { method, path, headers, body } = ask;
    const request = openRequest({
      agent: this.agent,
      method,
      path,
      headers: {
        host: "registry",
        ...lengthHeader(body),
        ...headers,
      },
    });
    request.once("close", () => {
      this.#open.delete(request);
      this.#slots.give();
    });
    try {
      const response = await this.#exchange(request, body);
      const took = Math.round(performance.now() - started);
      this.#report?.({
        type: "debug",
        message: `${method} ${path.split("?", 1)[0] ?? ""} ${response.statusCode ?? 0} after ${took} ms`,
      });
      return { request, response };
    } catch (error) {
      request.destroy();
      throw this.signal.aborted ? (this.signal.reason as unknown) : error;
    }
  }

  [Symbol.dispose](): void {
    this.signal.removeEventListener("abort", this.#abort);
    this.#destroy(new Error("the registry client was closed"));
  }

  #destroy(reason: unknown): void {
    for (const [request, fail] of this.#open) {
      request.destroy();
      fail(reason); // a request that still waits for its socket would say nothing
    }
    this.agent.destroy();
  }

  async #exchange(request: ClientRequest, body: Ask["body"]): Promise<IncomingMessage> {
    let answered: IncomingMessage | undefined;
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      this.#open.set(request, reject);
      if (this.signal.aborted) this.#abort(); // since before this request was in the list
      request.once("response", (response) => resolve((answered = response)));
      request.on("error", (error) => reject(this.#failure(error)));
      request.once("close", () => reject(new Transient(new Error("the connection was closed"))));
    });
    answer.catch(() => undefined); // awaited below, unless the body fails first
    try {
      if (body === undefined || Buffer.isBuffer(body)) {
        timer = setTimeout(
          () => request.destroy(new Error("no answer from the registry")),
          this.timings.answer,
        );
        request.end(body);
      } else {
        const stopped = answer.then(
          () => undefined,
          () => undefined,
        );
        if (await sendBody(request, body, stopped, () => answered !== undefined)) request.end();
      }
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  #failure(error: Error & { code?: string; rawPacket?: Buffer }): Error {
    if (this.agent.isConnectError(error)) return error;
    if (String(error.code).startsWith("HPE_")) {
      const first = error.rawPacket?.[0];
      return first === 0x15 || first === 0x16 ? speaksTls(error) : speaksNoHttp(error);
    }
    return new Transient(error);
  }

  async #read(
    request: ClientRequest,
    response: IncomingMessage,
    limit: number,
    strict: boolean,
  ): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(
      () => request.destroy(new Error("the registry's answer stopped")),
      this.timings.answer,
    );
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        size += chunk.length;
        if (size <= limit) continue;
        if (!strict) break;
        throw new KpushError(
          "REGISTRY_UNHEALTHY",
          `the registry sent a document of more than ${limit} bytes`,
          {
            hint: "see what lies under this tag; it is no ordinary image",
          },
        );
      }
    } catch (error) {
      if (error instanceof KpushError || this.signal.aborted)
        throw this.signal.aborted ? this.signal.reason : error;
      if (strict) throw new Transient(error);
      // Of a refusal the status is enough.
    } finally {
      clearTimeout(timer);
    }
    return Buffer.concat(chunks).subarray(0, limit);
  }
}

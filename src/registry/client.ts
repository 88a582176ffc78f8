import type { Readable } from "node:stream";
import { KpushError } from "../errors.ts";
import type { Report } from "../events.ts";
import { digestOf, isDigest } from "../image/digest.ts";
import { documentLimit, manifestTypes } from "../image/manifest.ts";
import { checkTag, isRepository } from "../image/reference.ts";
import { plain } from "../image/text.ts";
import type { Connect } from "../tunnel/types.ts";
import { repositoriesOf, tagsOf } from "./listing.ts";
import { refusal, type Answer } from "./problem.ts";
import { retryLater } from "./retry-later.ts";
import { registryTimings, type RegistryTimings } from "./timings.ts";
import { persist } from "./transient.ts";
import type { Manifest, RegistryClient } from "./types.ts";
import { mountBlob } from "./mount.ts";
import { uploadStream } from "./upload-stream.ts";
import { uploadBlob } from "./upload.ts";
import { Wire, type Ask } from "./wire.ts";

export interface RegistryClientOptions {
  connect: Connect;
  /** Ends all requests; they then throw its reason. */
  signal: AbortSignal;
  /** Gets a `debug` event for each request. */
  report?: Report;
  timings?: Partial<RegistryTimings>;
  /** Sockets open at once, 6 unless given. */
  maxSockets?: number;
}

const accept = manifestTypes.join(", ");

/**
 * A client of the OCI distribution specification 1.1 over `connect()`: keeps its sockets for the next
 * request, repeats what a lost socket cut off on a new one, and follows no redirect.
 */
export function registryClient(options: RegistryClientOptions): RegistryClient {
  const { connect, signal, report, maxSockets = 6 } = options;
  const timings = { ...registryTimings, ...options.timings };
  const wire = new Wire({ connect, signal, report, timings, maxSockets });

  /** Sends until it is answered, and throws unless the status is one of `wanted`. */
  const ask = (
    what: Ask,
    wanted: readonly number[],
    doing: string,
    limit?: number,
  ): Promise<Answer> =>
    persist(timings, signal, async () => {
      const answer = await wire.send(what, limit);
      if (wanted.includes(answer.status) && !isStranger(answer)) return answer;
      throw retryLater(answer) ?? refusal(answer, doing);
    });

  const client: RegistryClient = {
    agent: wire.agent,

    async ping() {
      const answer = await ask({ method: "GET", path: "/v2/" }, [200], "answer");
      if (/^\s*</.test(answer.body.toString("latin1", 0, 256))) throw refusal(answer, "answer");
    },

    async headManifest(repository, reference) {
      const path = manifestPath(repository, reference);
      const answer = await ask(
        { method: "HEAD", path, headers: { accept } },
        [200, 404],
        "look up a manifest",
      );
      if (answer.status === 404) return undefined;
      const digest = answer.headers["docker-content-digest"];
      if (!isDigest(digest)) return client.getManifest(repository, reference); // an optional header
      return { digest, mediaType: mediaTypeOf(answer) };
    },

    async getManifest(repository, reference) {
      const path = manifestPath(repository, reference);
      const doing = "hand out a manifest";
      const answer = await ask(
        { method: "GET", path, headers: { accept } },
        [200, 404],
        doing,
        documentLimit,
      );
      return answer.status === 404 ? undefined : checkManifest(answer, repository, reference);
    },

    async putManifest(repository, reference, { mediaType, bytes }) {
      const path = manifestPath(repository, reference);
      const headers = { "content-type": mediaType };
      const answer = await ask(
        { method: "PUT", path, headers, body: bytes },
        [201],
        `take the manifest of ${repository}:${reference}`,
      );
      const digest = digestOf(bytes, reference);
      const echo = answer.headers["docker-content-digest"];
      if (echo === undefined || echo === digest) return { digest };
      throw mismatch(`${repository}:${reference}`, digest, echo);
    },

    async deleteManifest(repository, reference) {
      await ask(
        { method: "DELETE", path: manifestPath(repository, reference) },
        [200, 202, 204, 404],
        "delete a manifest",
      );
    },

    async listRepositories(most, last = "") {
      const path = `/v2/_catalog?n=${most}${last === "" ? "" : `&last=${encodeURIComponent(last)}`}`;
      const doing = "list its repositories";
      const { body } = await ask({ method: "GET", path }, [200], doing, documentLimit);
      return repositoriesOf(body);
    },

    async listTags(repository, most) {
      const path = `/v2/${checkRepository(repository)}/tags/list?n=${most}`;
      const answer = await ask({ method: "GET", path }, [200, 404], "list tags", documentLimit);
      return answer.status === 404 ? [] : tagsOf(answer.body);
    },

    async hasBlob(repository, digest) {
      const answer = await ask(
        { method: "HEAD", path: blobPath(repository, digest) },
        [200, 307, 404],
        "look up a blob",
      );
      // Distribution sends who asks for a blob that it has to its object store, at an address for nodes.
      return answer.status !== 404;
    },

    async deleteBlob(repository, digest) {
      await ask(
        { method: "DELETE", path: blobPath(repository, digest) },
        [200, 202, 204, 404],
        "delete a blob",
      );
    },

    getBlob: (repository, digest) =>
      persist(timings, signal, async (): Promise<Readable> => {
        const what: Ask = { method: "GET", path: blobPath(repository, digest) };
        const { request, response } = await wire.open(what);
        if (response.statusCode === 200) return response;
        response.destroy();
        request.destroy();
        const { statusCode: status = 0, headers } = response;
        const answer = { method: what.method, status, headers, body: Buffer.alloc(0) };
        throw retryLater(answer) ?? refusal(answer, `hand out ${digest}`);
      }),

    uploadBlob(repository, blob, onBytes = () => undefined) {
      return uploadBlob(
        wire,
        checkRepository(repository),
        blob,
        () => client.hasBlob(repository, blob.digest),
        onBytes,
      );
    },

    mountBlob(repository, digest, from) {
      return mountBlob(wire, blobPath(repository, digest), checkRepository(from));
    },

    uploadStream(repository, source, onBytes = () => undefined) {
      const has = (digest: string) => client.hasBlob(repository, digest);
      return uploadStream(wire, checkRepository(repository), source, has, onBytes);
    },

    [Symbol.asyncDispose]() {
      wire[Symbol.dispose]();
      return Promise.resolve();
    },
  };
  return client;
}

/** Whether a web page answered, whatever its status says. */
function isStranger({ headers }: Answer): boolean {
  return headers["content-type"]?.startsWith("text/html") === true;
}

function manifestPath(repository: string, reference: string): string {
  const checked = isDigest(reference) ? reference : checkTag(reference);
  return `/v2/${checkRepository(repository)}/manifests/${checked}`;
}

function blobPath(repository: string, digest: string): string {
  if (!isDigest(digest))
    throw new KpushError("ARCHIVE_INVALID", `"${plain(digest, 100)}" is no digest`);
  return `/v2/${checkRepository(repository)}/blobs/${digest}`;
}

function checkRepository(repository: string): string {
  if (isRepository(repository)) return repository;
  throw new KpushError("BAD_REFERENCE", `"${plain(repository, 100)}" is no name of a repository`);
}

function mediaTypeOf({ headers }: Answer): string {
  return plain(headers["content-type"]?.split(";", 1)[0] ?? "", 200);
}

function checkManifest(answer: Answer, repository: string, reference: string): Manifest {
  const echo = answer.headers["docker-content-digest"];
  const expected = isDigest(reference) ? reference : isDigest(echo) ? echo : undefined;
  const digest = digestOf(answer.body, expected);
  if (expected !== undefined && digest !== expected)
    throw mismatch(`${repository}:${reference}`, expected, digest);
  return { digest, mediaType: mediaTypeOf(answer), bytes: answer.body };
}

function mismatch(name: string, expected: string, actual: unknown): KpushError {
  const message = `the registry serves another manifest for ${name} than ${expected}: ${plain(String(actual), 100)}`;
  return new KpushError("VERIFY_FAILED", message, {
    hint: "push once more; if it stays so, see the registry's log",
  });
}

import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import type { FakeBlob, FakeImage } from "./engine-image.ts";

/** What the fake engine pushes with: the registry's address and the login that kpush gave. */
export interface FakePush {
  /** `127.0.0.1:PORT` */
  address: string;
  repository: string;
  tag: string;
  authorization: string | undefined;
  signal: AbortSignal;
}

/**
 * Pushes as an engine does: asks for each blob, sends those that are missing, then the manifest.
 *
 * @param tell - takes the lines of the answer
 * @returns the digest that was pushed
 * @throws Error with the registry's status, as the engine's words
 */
export async function pushTo(
  push: FakePush,
  image: FakeImage,
  top: FakeBlob,
  tell: (line: object) => void,
): Promise<string> {
  const base = `/v2/${push.repository}`;
  for (const layer of [...image.layers, image.config]) {
    const id = layer.digest.slice(7, 19);
    const there = await send(push, "HEAD", `${base}/blobs/${layer.digest}`);
    if (there.statusCode === 200) {
      tell({ status: "Layer already exists", progressDetail: {}, id });
      continue;
    }
    const total = layer.bytes.length;
    tell({ status: "Pushing", progressDetail: { current: 0, total }, id });
    const begun = await expectStatus(send(push, "POST", `${base}/blobs/uploads/`), 202);
    const location = new URL(begun.headers.location ?? "", `http://${push.address}`);
    location.searchParams.set("digest", layer.digest);
    const path = location.pathname + location.search;
    await expectStatus(send(push, "PUT", path, layer), 201);
    // Like dockerd, which counts the padding too.
    tell({ status: "Pushing", progressDetail: { current: total + 512, total }, id });
    tell({ status: "Pushed", progressDetail: {}, id });
  }
  await expectStatus(send(push, "PUT", `${base}/manifests/${push.tag}`, top), 201);
  return top.digest;
}

async function send(push: FakePush, method: string, path: string, body?: FakeBlob) {
  const { address, authorization, signal } = push;
  const outgoing = request(`http://${address}${path}`, {
    method,
    signal,
    agent: false,
    headers: {
      ...(authorization !== undefined && { authorization }),
      ...(body && { "content-type": body.mediaType, "content-length": body.bytes.length }),
    },
  });
  outgoing.end(body?.bytes);
  const [answer] = (await once(outgoing, "response").catch((error: unknown) => {
    signal.throwIfAborted();
    throw new Error(`${method} "http://${address}${path}": EOF`, { cause: error }); // as Go says it
  })) as [IncomingMessage];
  answer.resume();
  return answer;
}

async function expectStatus(sent: Promise<IncomingMessage>, status: number) {
  const answer = await sent;
  if (answer.statusCode === status) return answer;
  throw new Error(`received unexpected HTTP status: ${answer.statusCode} ${answer.statusMessage}`);
}

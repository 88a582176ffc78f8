import { createHash, randomBytes } from "node:crypto";
import { Agent, request } from "node:http";
import { Readable } from "node:stream";

export interface Login {
  /** `127.0.0.1:PORT` */
  address: string;
  /** Value of the Authorization header. */
  authorization?: string;
}

/** A blob that no registry holds yet: one random mebibyte, repeated, after a random head. */
export function makeBlob(bytes: number): { digest: string; chunks: Buffer[] } {
  const block = randomBytes(1 << 20);
  const chunks = [randomBytes(1 << 20), ...Array.from({ length: (bytes >> 20) - 1 }, () => block)];
  const hash = createHash("sha256");
  for (const chunk of chunks) hash.update(chunk);
  return { digest: `sha256:${hash.digest("hex")}`, chunks };
}

/** Uploads blobs at once, each over a connection of its own; resolves with MiB/s over all. */
export async function uploadRate(
  login: Login,
  blobs: ReturnType<typeof makeBlob>[],
): Promise<number> {
  const agent = new Agent({ keepAlive: true });
  const started = performance.now();
  await Promise.all(blobs.map((blob) => upload(agent, login, blob)));
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  return blobs.reduce((sum, { chunks }) => sum + chunks.length, 0) / seconds;
}

async function upload(
  agent: Agent,
  login: Login,
  { digest, chunks }: ReturnType<typeof makeBlob>,
): Promise<void> {
  const location = await call(agent, login, "POST", "/v2/kpush-bench/blobs/uploads/", [], 202);
  const { pathname, searchParams } = new URL(location, `http://${login.address}`);
  searchParams.set("digest", digest);
  await call(agent, login, "PUT", `${pathname}?${searchParams.toString()}`, chunks, 201);
}

function call(
  agent: Agent,
  { address, authorization }: Login,
  method: string,
  path: string,
  chunks: Buffer[],
  expected: number,
): Promise<string> {
  const [host, port] = address.split(":");
  const headers = {
    ...(authorization === undefined ? {} : { Authorization: authorization }),
    "Content-Type": "application/octet-stream",
    "Content-Length": chunks.reduce((sum, chunk) => sum + chunk.length, 0),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host, port, method, path, headers }, (answer) => {
      answer.resume().on("end", () => {
        if (answer.statusCode === expected) resolve(answer.headers.location ?? "");
        else reject(new Error(`${method} ${path}: ${answer.statusCode}`));
      });
    });
    sent.on("error", reject);
    Readable.from(chunks, { objectMode: false, highWaterMark: 1 << 20 }).pipe(sent);
  });
}

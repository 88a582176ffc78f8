import { createCipheriv } from "node:crypto";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { KpushError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { blobOf, clientOf } from "../fakes/registry-client.ts";
import {
  answers,
  hangsUp,
  refuses,
  startFaultyRegistry,
  type FaultyRegistry,
} from "../fakes/registry.ts";

const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(
  Buffer.alloc(40_000 * 70),
);

let faulty: FaultyRegistry;
beforeAll(async () => {
  faulty = await startFaultyRegistry();
});
afterAll(() => faulty[Symbol.asyncDispose]());

/** What the registry says when it is asked where an upload stands: the truth, unless it is a range or an answer. */
const word = fc.oneof(
  { weight: 3, arbitrary: fc.constant("truth" as const) },
  fc.integer({ min: -1, max: 50_000 }),
  fc.constantFrom("", "0-0", "7-9", "bytes=0-99", "0-99999999999999999999", "all of it"),
  fc.constantFrom("lost" as const, "closed" as const, "nowhere" as const),
);

/** A blob's way up: where connections are cut, and what is said of it between. */
const journey = fc.record({
  size: fc.integer({ min: 0, max: 40_000 }),
  streamed: fc.boolean(),
  // Of all these numbers: a long stream goes another way than a short one.
  scale: fc.constantFrom(1, 1, 70),
  cuts: fc.array(fc.integer({ min: 0, max: 30_000 }), { maxLength: 4 }),
  // On a link that never carries more than this at once; else the cuts above are all.
  always: fc.option(fc.integer({ min: 2000, max: 30_000 }), { nil: Infinity }),
  words: fc.array(word, { minLength: 1, maxLength: 4 }),
});

test("however an upload is cut, and whatever is said of it, the blob is there whole, or an error tells", async () => {
  await fc.assert(
    fc.asyncProperty(journey, async ({ streamed, scale, cuts, always, words, ...unscaled }) => {
      const size = unscaled.size * scale;
      const bytes = noise.subarray(0, size);
      const digest = digestOf(bytes);
      await faulty.registry.clear();
      let [asked, requests, connections] = [0, 0, 0];
      const endless = new AbortController();
      faulty.registry.onRequest = (request, response) => {
        // Each piece of 2000 bytes takes a few requests.
        if (++requests > 1000) endless.abort(new Error("the upload has no end"));
        if (request.method !== "GET" || !request.url?.includes("/uploads/")) return false;
        const said = words[asked++ % words.length] ?? "truth";
        if (said === "truth") return false;
        if (said === "lost") refuses(404, "BLOB_UPLOAD_UNKNOWN")(request, response);
        else if (said === "closed") hangsUp(request, response);
        else if (said === "nowhere") answers(204, "", { range: "0-9" })(request, response);
        else {
          const range = typeof said === "number" ? `0-${said * scale}` : said;
          answers(204, "", { range, location: request.url })(request, response);
        }
        return true;
      };
      const connect = () => {
        faulty.cutAfter((cuts[connections++] ?? always) * scale);
        return faulty.connect();
      };
      await using client = clientOf({ connect }, endless.signal);
      const upload = streamed
        ? client.uploadStream("app", { ...blobOf(bytes), result: () => ({ digest, size }) })
        : client.uploadBlob("app", blobOf(bytes));
      const failure = await upload.then(
        () => undefined,
        (error: unknown) => error,
      );

      faulty.registry.onRequest = undefined;
      faulty.cutAfter(Infinity);
      await using later = clientOf(faulty);
      if (failure === undefined) {
        expect((await buffer(await later.getBlob("app", digest))).equals(bytes)).toBe(true);
        return;
      }
      expect(failure).toBeInstanceOf(KpushError);
      expect(failure).toMatchObject({
        code: "REGISTRY_UNHEALTHY",
        hint: expect.any(String) as string,
      });
      // One cut alone is no reason to fail, whatever is said.
      expect(cuts.length > 1 || always < Infinity || words.includes("closed")).toBe(true);
    }),
    { numRuns: 100 },
  );
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { openPushStream } from "../../../src/engine/push-stream.ts";
import type { PushProgress } from "../../../src/engine/types.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const other = `sha256:${"cd".repeat(32)}`;

function run(...lines: (object | string)[]) {
  const progress: PushProgress[] = [];
  const stream = openPushStream((one) => progress.push(one));
  const text = lines
    .map((line) => (typeof line === "string" ? line : JSON.stringify(line)))
    .join("\r\n");
  stream.write(Buffer.from(text));
  return { pushed: stream.end(), progress };
}

const graph = [
  { status: "The push refers to repository [127.0.0.1:5995/gp]" },
  { status: "Preparing", progressDetail: {}, id: "30fc" },
  { status: "Layer already exists", progressDetail: {}, id: "83aa" },
  { status: "Pushing", progressDetail: { current: 512, total: 2048 }, id: "30fc" },
  { status: "Pushing", progressDetail: { current: 2560, total: 2048 }, id: "30fc" },
  { status: "Pushed", progressDetail: {}, id: "30fc" },
  { status: `v1: digest: ${digest} size: 947` },
  { progressDetail: {}, aux: { Tag: "v1", Digest: digest, Size: 947 } },
];

test("a graph store's answer gives the digest and the layers, never more than the total", () => {
  expect(run(...graph)).toEqual({
    pushed: { digest },
    progress: [
      { id: "30fc", state: "waiting", sentBytes: 0, totalBytes: 0 },
      { id: "83aa", state: "present", sentBytes: 0, totalBytes: 0 },
      { id: "30fc", state: "sending", sentBytes: 512, totalBytes: 2048 },
      { id: "30fc", state: "sending", sentBytes: 2048, totalBytes: 2048 },
      { id: "30fc", state: "sent", sentBytes: 2048, totalBytes: 2048 },
    ],
  });
});

test("a layer that is tried again counts from zero", () => {
  const { progress } = run(
    graph[3] ?? {},
    { status: "Retrying in 5 seconds", id: "30fc" },
    ...graph,
  );
  expect(progress[1]).toEqual({ id: "30fc", state: "waiting", sentBytes: 0, totalBytes: 2048 });
});

test("a containerd store tells the digest in words only", () => {
  const { pushed, progress } = run(
    { status: "Pushed", progressDetail: {}, id: "30fc" },
    { status: "Mounted from co", progressDetail: {}, id: "3fe3" },
    { status: `v1: digest: ${digest} size: 740` },
  );
  expect(pushed).toEqual({ digest });
  expect(progress.map(({ state }) => state)).toEqual(["sent", "present"]);
});

test("an index that is not all there goes as one platform's manifest", () => {
  const platform = { os: "linux", architecture: "arm64", variant: "v8" };
  const selectedManifest = { digest, platform };
  const { pushed } = run(
    {
      aux: {
        manifestPushedInsteadOfIndex: true,
        originalIndex: { digest: other },
        selectedManifest,
      },
    },
    { status: `v1: digest: ${digest} size: 720` },
  );
  expect(pushed).toEqual({ digest, onlyPlatform: "linux/arm64/v8" });
});

test("Podman names the tag latest, whatever it pushed", () => {
  const { pushed } = run({ status: `latest: digest: ${digest} size: 720` });
  expect(pushed).toEqual({ digest });
});

test.for([
  [
    "the last line, unterminated",
    [...graph, { errorDetail: { message: "denied" }, error: "x" }],
    /denied/,
  ],
  ["a line in between", [{ error: "denied" }, ...graph], /denied/],
  ["a line without words", [{ errorDetail: {}, error: { a: 1 } }], /could not push/],
  ["escape codes are dropped", [{ error: "a\u001b[31m\u202eb" }], /push: a\[31mb$/],
] as [string, object[], RegExp][])(
  "a failure inside the answer fails the push: %s",
  ([, lines, message]) => {
    expect(() => run(...lines)).toThrow(expect.objectContaining({ code: "PUSH_REJECTED" }));
    expect(() => run(...lines)).toThrow(message);
  },
);

test.for([
  "error parsing HTTP 405 response body: invalid character 'M': \"Method not allowed\\n\"",
  "unknown: unexpected status from POST request to http://127.0.0.1:1/v2/x/blobs/uploads/: 405 Method Not Allowed",
  "writing blob: initiating layer upload to /v2/po/blobs/uploads/: StatusCode: 405, Method not allowed\n",
])("a registry that takes no pushes is told as that: %s", (error) => {
  expect(() => run({ error })).toThrow(expect.objectContaining({ code: "REGISTRY_READ_ONLY" }));
});

test.for<[string, (object | string)[]]>([
  ["nothing at all", []],
  ["a line that was cut", [...graph.slice(0, 4), '{"status":"v1: digest: sha256:ab']],
  ["a digest that is none", [{ aux: { Digest: "sha256:../../x" } }]],
])("an answer without a digest is a failure: %s", ([, lines]) => {
  expect(() => run(...lines)).toThrow(expect.objectContaining({ code: "ENGINE_FAILED" }));
});

test("what is no JSON object is passed over", () => {
  expect(run("", "hello", "42", "null", "[]", ...graph).pushed).toEqual({ digest });
});

test("a line without an end does not fill the memory", () => {
  const stream = openPushStream(() => undefined);
  const chunk = Buffer.alloc(256 * 1024, "x");
  const writeAll = () => {
    for (let written = 0; written <= 8; written += 1) stream.write(chunk);
  };
  expect(writeAll).toThrow(expect.objectContaining({ code: "ENGINE_FAILED" }));
});

test("the cuts between chunks change nothing", () => {
  const lines = [...graph, { status: "Pushing ü€😀", id: "ü" }, { status: "Pushed", id: "ü😀" }];
  const bytes = Buffer.from(lines.map((line) => JSON.stringify(line)).join("\n"));
  const expected = run(...lines);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: bytes.length })), (cuts) => {
      const progress: PushProgress[] = [];
      const stream = openPushStream((one) => progress.push(one));
      const ends = [...cuts.toSorted((a, b) => a - b), bytes.length];
      ends.forEach((end, at) => stream.write(bytes.subarray(ends[at - 1] ?? 0, end)));
      expect({ pushed: stream.end(), progress }).toEqual(expected);
    }),
  );
});

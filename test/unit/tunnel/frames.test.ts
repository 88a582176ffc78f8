import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  dataMessages,
  ErrorText,
  maxPayload,
  MessageBuffers,
  parseMessage,
  PortFrames,
  runtimeReason,
} from "../../../src/tunnel/frames.ts";

describe("data messages", () => {
  test("hold all bytes in order, are full but for the last, and begin with the channel", () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 3 * maxPayload }), { maxLength: 20 });
    fc.assert(
      fc.property(sizes, (lengths) => {
        let next = 0;
        const chunks = lengths.map((length) => Buffer.alloc(length).map(() => next++));
        const messages = [...dataMessages(chunks)];
        for (const message of messages) expect(message[0]).toBe(0);
        for (const message of messages.slice(0, -1)) expect(message.length).toBe(maxPayload + 1);
        expect(messages.at(-1)?.length ?? 2).toBeGreaterThan(1);
        expect(messages.at(-1)?.length ?? 2).toBeLessThanOrEqual(maxPayload + 1);
        const bytes = Buffer.concat(messages.map((message) => message.subarray(1)));
        expect(bytes.equals(Buffer.concat(chunks))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test("use full buffers again only after they are sent", () => {
    const buffers = new MessageBuffers();
    const full = [Buffer.alloc(maxPayload)];
    const [first] = dataMessages(full, buffers.allocate);
    const [second] = dataMessages([Buffer.alloc(10)], buffers.allocate);
    const [third] = dataMessages(full, buffers.allocate);
    expect(third).not.toBe(first);
    buffers.sent();
    buffers.sent();
    expect([...dataMessages(full, buffers.allocate)][0]).toBe(first);
    expect([...dataMessages([Buffer.alloc(10)], buffers.allocate)][0]).not.toBe(second);
    expect([...dataMessages(full, buffers.allocate)][0]).not.toBe(first);
  });
});

describe("a message", () => {
  test.for([
    ["", undefined],
    ["\x02data", undefined],
    ["\xffdata", undefined],
    ["\0data", { channel: 0, payload: "data" }],
    ["\x01", { channel: 1, payload: "" }],
  ] as const)("%j is parsed to %j", ([text, expected]) => {
    const message = parseMessage(Buffer.from(text, "latin1"));
    expect(message && { ...message, payload: String(message.payload) }).toEqual(expected);
  });
});

describe("case 13: port frames", () => {
  test("are stripped in any pieces, and only once", () => {
    const pieces = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65535 }), pieces, (port, cuts) => {
        const stream = Buffer.concat([
          Buffer.of(port & 0xff, port >>> 8),
          Buffer.from("data behind"),
        ]);
        const frames = new PortFrames(port);
        let start = 0;
        let rest = "";
        for (const cut of [...cuts, stream.length]) {
          rest += String(frames.strip(0, stream.subarray(start, start + cut)));
          start += cut;
        }
        expect(rest).toBe("data behind");
        expect(frames.complete).toBe(false);
        frames.strip(1, stream);
        expect(frames.complete).toBe(true);
      }),
    );
  });

  test.for([[[0x89]], [[0x88, 0x14]], [[0x13, 0x88]]])(
    "with %j are another port's",
    ([bytes = []]) => {
      expect(() => new PortFrames(5000).strip(0, Buffer.from(bytes))).toThrow(
        "does not begin with the port",
      );
    },
  );
});

test("an error text is joined of its pieces, and bounded", () => {
  const text = new ErrorText();
  text.add(Buffer.from("connection "));
  text.add(Buffer.from("refused"));
  expect(String(text)).toBe("connection refused");
  text.add(Buffer.alloc(10_000, "x"));
  expect(String(text)).toHaveLength(4096);
});

// As containerd, CRI-O and the kubelet write them.
test.for([
  [
    'failed to execute portforward in network namespace "/var/run/netns/cni-1": failed to connect to localhost:5000 inside namespace "3f46", IPv4: dial tcp4 127.0.0.1:5000: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found',
    "refused",
  ],
  ['network namespace for sandbox "3f46" is closed', "gone"],
  ['failed to find sandbox "3f46" in store: not found', "gone"],
  ["sandbox 3f46 is not running", "gone"],
  ['could not find sandbox "3f46"', "gone"],
  ["pod does not exist", "gone"],
  ['pod not found ("registry_kube-system")', "gone"],
  ["writeto tcp4 127.0.0.1:33486->127.0.0.1:5000: read: connection reset by peer", "reset"],
  ["write tcp4 127.0.0.1:1->127.0.0.1:5000: write: broken pipe", "reset"],
  ["", "other"],
  ["something else", "other"],
] as const)("the runtime's text %j means %s", ([text, reason]) => {
  expect(runtimeReason(text)).toBe(reason);
});

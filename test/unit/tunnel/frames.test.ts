import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  dataFrames,
  ErrorText,
  maxPayload,
  parseMessage,
  PortFrames,
  runtimeReason,
} from "../../../src/tunnel/frames.ts";

/** Reads one frame as RFC 6455 section 5.2 has it: a whole, masked message of binary data. */
function messageIn(frame: Buffer): Buffer {
  expect(frame[0]).toBe(0x82);
  const first = (frame[1] ?? 0) - 0x80; // the mask's bit, which a client must set
  const size = first < 126 ? 2 : first === 126 ? 4 : 10;
  const length =
    size === 2 ? first : size === 4 ? frame.readUInt16BE(2) : Number(frame.readBigUInt64BE(2));
  const key = frame.subarray(size, size + 4);
  const body = frame.subarray(size + 4);
  expect(body.length).toBe(length);
  return Buffer.from(body.map((byte, at) => byte ^ (key[at & 3] ?? 0)));
}

describe("data frames", () => {
  test.for([
    ["without a mask", undefined],
    ["with one", () => Buffer.from([1, 200, 3, 99])],
  ] as const)(
    "%s hold all bytes in order, are full but for the last, and begin with the channel",
    ([, mask]) => {
      const sizes = fc.array(fc.integer({ min: 0, max: 3 * maxPayload }), { maxLength: 20 });
      fc.assert(
        fc.property(sizes, (lengths) => {
          let next = 0;
          const chunks = lengths.map((length) => Buffer.alloc(length).map(() => next++));
          const frames = [...dataFrames(chunks, mask)];
          const messages = frames.map(({ pieces }) => messageIn(Buffer.concat(pieces)));
          for (const [at, message] of messages.entries()) {
            expect(message[0]).toBe(0);
            expect(message.length - 1).toBe(frames[at]?.bytes);
          }
          for (const message of messages.slice(0, -1)) expect(message.length).toBe(maxPayload + 1);
          expect(messages.at(-1)?.length ?? 2).toBeGreaterThan(1);
          expect(messages.at(-1)?.length ?? 2).toBeLessThanOrEqual(maxPayload + 1);
          const bytes = Buffer.concat(messages.map((message) => message.subarray(1)));
          expect(bytes.equals(Buffer.concat(chunks))).toBe(true);
        }),
        { numRuns: 15 },
      );
    },
  );

  test("write a length in as many bytes as it takes", () => {
    for (const bytes of [1, 124, 125, 126, 65_534, 65_535, 65_536]) {
      const [frame] = dataFrames([Buffer.alloc(bytes, 7)]);
      const message = messageIn(Buffer.concat(frame?.pieces ?? []));
      expect(message.subarray(1)).toEqual(Buffer.alloc(bytes, 7));
    }
  });

  test("do not copy what need not be masked", () => {
    const chunk = Buffer.alloc(1000);
    const [frame] = dataFrames([chunk]);
    expect(frame?.pieces[1]?.buffer).toBe(chunk.buffer);
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

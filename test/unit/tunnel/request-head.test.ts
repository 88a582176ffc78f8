import { describe, expect, test } from "vitest";
import { plainRequest } from "../../../src/tunnel/request-head.ts";

const head = (...lines: string[]) => lines.join("\r\n");

describe("a plain request", () => {
  test("is read with its headers as they came", () => {
    expect(
      plainRequest(head("HEAD /v2/a/blobs/sha256:0 HTTP/1.1", "Host: x:1", "accept:  a, b ")),
    ).toEqual({
      ...{ method: "HEAD", target: "/v2/a/blobs/sha256:0", contentLength: 0, close: false },
      rawHeaders: ["Host", "x:1", "accept", "a, b"],
    });
  });

  test.for([
    ["a small body", "Content-Length: 65536", { contentLength: 65536 }],
    ["a wish to close", "Connection: close", { close: true }],
    ["a wish to stay", "connection: Keep-Alive", { close: false }],
  ] as const)("may have %s", ([, line, expected]) => {
    expect(plainRequest(head("PUT / HTTP/1.1", line))).toMatchObject(expected);
  });

  test.for([
    ["a large body", "PUT / HTTP/1.1", "Content-Length: 65537"],
    ["a body of unknown length", "PATCH / HTTP/1.1", "Transfer-Encoding: chunked"],
    ["two lengths", "PUT / HTTP/1.1", "Content-Length: 1", "Content-Length: 1"],
    ["a length that is no number", "PUT / HTTP/1.1", "Content-Length: 1, 1"],
    ["a negative length", "PUT / HTTP/1.1", "Content-Length: -1"],
    ["a question whether to go on", "PUT / HTTP/1.1", "Expect: 100-continue"],
    ["a wish for another protocol", "GET / HTTP/1.1", "Connection: upgrade", "Upgrade: websocket"],
    ["headers of its own for this hop", "GET / HTTP/1.1", "Connection: x-hop"],
    ["an older protocol", "GET / HTTP/1.0"],
    ["a tunnel", "CONNECT registry:5000 HTTP/1.1"],
    ["a folded header", "GET / HTTP/1.1", "X: a", " b"],
    ["a header without a name", "GET / HTTP/1.1", ": a"],
    ["a space before the colon", "GET / HTTP/1.1", "Content-Length : 5"],
    ["no request line", "hello"],
  ] as const)("has not %s", ([, ...lines]) => {
    expect(plainRequest(head(...lines))).toBeUndefined();
  });
});

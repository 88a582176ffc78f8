/** The head of an HTTP request. */
export interface RequestHead {
  method: string;
  target: string;
  /** Names and values in turn, as they came. */
  rawHeaders: string[];
  /** Bytes of the body that follows. */
  contentLength: number;
  /** The connection is to be closed behind the answer: docker before version 23 has no other wish. */
  close: boolean;
}

/** Bodies up to this are taken whole: a manifest's is smaller as a rule. */
const mostBody = 64 * 1024;

/**
 * Reads the head of a plain request: HTTP/1.1, a body of a known, small length or none, and no wish
 * for another protocol or for a `100 Continue`. Whatever is not as plain is none, so that its bytes
 * pass as they are.
 *
 * @param head - up to the empty line and without it
 */
export function plainRequest(head: string): RequestHead | undefined {
  const [first = "", ...lines] = head.split("\r\n");
  const [, method = "", target = ""] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(first) ?? [];
  if (method === "" || method === "CONNECT") return undefined;
  const rawHeaders: string[] = [];
  const lengths: string[] = [];
  let close = false;
  for (const line of lines) {
    const [, name = "", value = ""] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    const key = name.toLowerCase();
    if (name === "" || notPlain.has(key)) return undefined;
    if (key === "connection" && !/^(keep-alive|close)$/i.test(value)) return undefined;
    if (key === "connection") close = value.toLowerCase() === "close";
    if (key === "content-length") lengths.push(value);
    rawHeaders.push(name, value);
  }
  if (lengths.length > 1 || !/^\d{0,6}$/.test(lengths[0] ?? "")) return undefined;
  const contentLength = Number(lengths[0] ?? "0");
  return contentLength > mostBody
    ? undefined
    : { method, target, rawHeaders, contentLength, close };
}

const notPlain = new Set(["transfer-encoding", "expect", "upgrade", "trailer", "te"]);

/** Bytes of the body of a request that says so, else 0. `head` is as for {@link plainRequest}. */
export function bytesOf(head: string): number {
  return Number(/^content-length:[ \t]*(\d{1,15})[ \t]*$/im.exec(head)?.[1] ?? "0");
}

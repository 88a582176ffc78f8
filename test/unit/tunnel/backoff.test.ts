import { describe, expect, test } from "vitest";
import { KpushError } from "../../../src/errors.ts";
import { Backoff } from "../../../src/tunnel/backoff.ts";

const failure = (message: string) => new KpushError("CLUSTER_UNREACHABLE", message);
/** Later than any failure so far. */
const later = Number.POSITIVE_INFINITY;

describe("waiting after failures", () => {
  test("doubles up to the most, at least by half, and ends with the first error", () => {
    const backoff = new Backoff([100, 300]);
    const first = failure("first");
    for (const [error, wait] of [
      [first, 100],
      [failure("second"), 200],
      [failure("third"), 300],
      [failure("fourth"), 300],
    ] as const) {
      const given = backoff.failed(later, error);
      expect(given).toBeGreaterThanOrEqual(wait / 2);
      expect(given).toBeLessThanOrEqual(wait);
    }
    expect(backoff.failed(later, failure("fifth"))).toBe(first);
    expect(backoff.failed(later, failure("sixth"))).toBe(first);
  });

  test("counts attempts that met one outage together once", () => {
    const backoff = new Backoff([100, 300]);
    for (let attempt = 0; attempt < 8; attempt++) {
      expect(backoff.failed(0, failure("same"))).toBeLessThanOrEqual(100);
    }
  });

  test("begins anew after a success", () => {
    const backoff = new Backoff([100, 300]);
    for (let attempt = 0; attempt < 4; attempt++) backoff.failed(later, failure("before"));
    backoff.succeeded();
    expect(backoff.failed(later, failure("after"))).toBeLessThanOrEqual(100);
  });

  test("prefers the error that knows that the pod is gone", () => {
    const backoff = new Backoff([1, 1]);
    const gone = new KpushError("POD_GONE", "gone");
    for (const error of [failure("a"), failure("b"), gone, failure("c")])
      backoff.failed(later, error);
    expect(backoff.failed(later, failure("d"))).toBe(gone);
  });
});

import { expect, test } from "vitest";
import { openRateMeter } from "../../../src/output/rate.ts";

test("a steady flow has its rate", () => {
  const meter = openRateMeter();
  for (let second = 0; second <= 10; second += 1) meter.feed(second * 1000, second * 2_000_000);
  expect(meter.rate(10_000)).toBeCloseTo(2_000_000);
});

test("nothing is said before there is something to measure", () => {
  const meter = openRateMeter();
  expect(meter.rate(0)).toBeUndefined();
  meter.feed(0, 0);
  meter.feed(10, 1000);
  expect(meter.rate(10)).toBeUndefined();
});

test("a link that slowed down shows its new rate after the window", () => {
  const meter = openRateMeter(1000);
  for (let time = 0; time <= 2000; time += 100) meter.feed(time, time * 1000);
  for (let time = 2100; time <= 4000; time += 100) meter.feed(time, 2_000_000 + (time - 2000) * 10);
  expect(meter.rate(4000)).toBeCloseTo(10_000);
});

test("a stalled link falls towards nothing", () => {
  const meter = openRateMeter();
  meter.feed(0, 0);
  meter.feed(1000, 1_000_000);
  expect(meter.rate(10_000)).toBeCloseTo(100_000);
});

test("a push that starts over is measured anew", () => {
  const meter = openRateMeter();
  meter.feed(0, 0);
  meter.feed(1000, 9_000_000);
  meter.feed(2000, 0);
  meter.feed(3000, 1_000_000);
  expect(meter.rate(3000)).toBeCloseTo(1_000_000);
});

test("many small writes are not all remembered, and lose no bytes", () => {
  const meter = openRateMeter();
  for (let time = 0; time <= 1000; time += 1) meter.feed(time, time * 1000);
  expect(meter.rate(1000)).toBeCloseTo(1_000_000);
});

import { expect, test } from "vitest";
import { KpushError } from "../../../src/errors.ts";
import { Pin } from "../../../src/tunnel/pin.ts";

const pod = { namespace: "n", name: "registry", uid: "1", port: 5000 };
const gone = new KpushError("POD_GONE", "gone");

/** A pin whose look-ups are recorded; each answers with the very same object. */
function recorded(answer: () => Promise<typeof pod> = () => Promise.resolve(pod)) {
  const lookUps: unknown[] = [];
  const pin = new Pin((doubt) => {
    lookUps.push(doubt?.error);
    return answer();
  });
  return { pin, lookUps };
}

test("the pod is looked up once for all who ask", async () => {
  const { pin, lookUps } = recorded();
  const [first, second] = await Promise.all([pin.target(), pin.target()]);
  expect(first).toBe(second);
  expect(lookUps).toEqual([undefined]);
});

test("many sockets that lose one pod cause one look-up, late ones none", async () => {
  const { pin, lookUps } = recorded();
  const before = await pin.target();
  pin.doubt(before, gone);
  pin.doubt(before, gone);
  const after = await pin.target();
  pin.doubt(before, gone);
  expect(await pin.target()).toBe(after);
  expect(lookUps).toEqual([undefined, gone]);
});

test("a look-up that failed is made again, and still knows of the doubt", async () => {
  let fail = false;
  const { pin, lookUps } = recorded(() =>
    fail ? Promise.reject(new Error("none")) : Promise.resolve(pod),
  );
  pin.doubt(await pin.target(), gone);
  fail = true;
  await expect(pin.target()).rejects.toThrow("none");
  fail = false;
  expect(await pin.target()).toEqual(pod);
  expect(lookUps).toEqual([undefined, gone, gone]);
});

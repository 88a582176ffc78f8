import { describe, expect, test } from "vitest";
import { stepOf, stepsOfConfig, stepsOfHistory } from "../../../src/image/layer-steps.ts";

test.for([
  ["COPY . . # buildkit", "COPY . ."],
  ["RUN /bin/sh -c npm ci # buildkit", "RUN npm ci"],
  ["/bin/sh -c #(nop) COPY dir:1f2e in /srv ", "COPY dir:1f2e in /srv"],
  ['/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'],
  ["/bin/sh -c apk add curl", "RUN apk add curl"],
  ["|2 TOKEN=secret B=2 /bin/sh -c make", "RUN make"],
  ["RUN |1 TOKEN=secret /bin/sh -c make all # buildkit", "RUN make all"],
  [
    "RUN |1 TOKEN=secret /bin/bash -o pipefail -c make # buildkit",
    "RUN /bin/bash -o pipefail -c make",
  ],
  ["|1 TOKEN=a secret /bin/ash -eo pipefail -c make", "RUN /bin/ash -eo pipefail -c make"],
  ["RUN |1 TOKEN=secret make all # buildkit", "RUN …"],
  ["RUN |1 TOKEN=secret powershell -Command make", "RUN …"],
  ["/bin/sh -c a \t&& b", "RUN a && b"],
  ["RUN /bin/bash -c make # buildkit", "RUN /bin/bash -c make"],
  ["COPY \u001b[31m\u202ered\u0007 /", "COPY [31mred /"],
  ["   ", undefined],
  [undefined, undefined],
  [7, undefined],
] as const)("the step %j is told as %j", ([createdBy, step]) => {
  expect(stepOf(createdBy)).toBe(step);
});

describe("a config's history", () => {
  const add = { created_by: "ADD rootfs.tar /" };
  const cmd = { created_by: 'CMD ["sh"]', empty_layer: true };
  const copy = { created_by: "COPY . ." };

  test("names the layers by the steps that are not empty", () => {
    expect(stepsOfConfig({ history: [add, cmd, copy] }, 2)).toEqual([
      "ADD rootfs.tar /",
      "COPY . .",
    ]);
  });

  test.for([
    ["fewer steps than layers", [add, cmd]],
    ["more steps than layers", [add, copy, copy]],
    ["no history", undefined],
    ["no list", "x"],
  ] as const)("names none by %s", ([, history]) => {
    expect(stepsOfConfig({ history }, 2)).toEqual([undefined, undefined]);
  });
});

describe("an engine's history", () => {
  const named = (history: [string, number][], layers: number) =>
    stepsOfHistory(
      history.map(([step, size]) => ({ step, size })),
      layers,
    ).map(({ step, bytes }) => (step === undefined ? undefined : [step, bytes]));
  const none = undefined;

  test.for<[string, [string, number][], ([string, number] | undefined)[]]>([
    [
      "each step of a size is a layer",
      [
        ["ADD", 5],
        ["CMD x", 0],
        ["COPY", 7],
      ],
      [
        ["ADD", 5],
        ["COPY", 7],
      ],
    ],
    [
      "an empty layer is there where all are needed",
      [
        ["ADD", 5],
        ["WORKDIR /a", 0],
        ["ENV a", 0],
      ],
      [
        ["ADD", 5],
        ["WORKDIR /a", 0],
      ],
    ],
    [
      "a step of no size is nobody's where another may be meant",
      [
        ["ADD", 5],
        ["WORKDIR /a", 0],
        ["RUN true", 0],
      ],
      [["ADD", 5], none],
    ],
    [
      "what stands behind such a choice is certain again",
      [
        ["WORKDIR /a", 0],
        ["RUN true", 0],
        ["COPY", 7],
      ],
      [none, ["COPY", 7]],
    ],
    [
      "and what stands amid it is not",
      [
        ["WORKDIR /a", 0],
        ["COPY", 7],
        ["RUN true", 0],
      ],
      [none, none],
    ],
    [
      "more sizes than layers are no match",
      [
        ["ADD", 5],
        ["COPY", 7],
      ],
      [none],
    ],
    [
      "fewer steps than layers are no match",
      [
        ["ADD", 5],
        ["CMD x", 0],
      ],
      [none, none],
    ],
    ["without a history nothing is known", [], [none, none]],
  ])("%s", ([, history, steps]) => {
    expect(named(history, steps.length)).toEqual(steps);
  });
});

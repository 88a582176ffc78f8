import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  checkTag,
  destinationOf,
  isIdOf,
  isRepository,
  parseReference,
} from "../../../src/image/reference.ts";

const hex = "3f1c9a2b".repeat(8);
const digest = `sha256:${hex}`;

function destination(reference: string, facts: Partial<Parameters<typeof destinationOf>[0]> = {}) {
  const { repository, tag } = destinationOf({
    reference,
    id: undefined, // else a name of hex digits may be the beginning of it
    names: [],
    name: undefined,
    pullAddress: "localhost:5000",
    ...facts,
  });
  return `${repository}:${tag}`;
}

describe("a name becomes a place in the registry", () => {
  test.for([
    ["busybox", "busybox:latest"],
    ["busybox:latest", "busybox:latest"],
    ["docker.io/busybox", "busybox:latest"],
    ["docker.io/library/busybox:1", "busybox:1"],
    ["index.docker.io/library/busybox:1", "busybox:1"],
    ["library/busybox", "busybox:latest"],
    ["docker.io/acme/app:2", "acme/app:2"],
    ["localhost/myapp:dev", "myapp:dev"],
    ["localhost:5000/myapp:dev", "myapp:dev"],
    ["localhost:5000/ghcr.io/acme/app:1", "ghcr.io/acme/app:1"],
    ["localhost:5001/myapp:dev", "localhost-5001/myapp:dev"],
    ["ghcr.io/acme/app:1", "ghcr.io/acme/app:1"],
    ["ghcr.io:443/acme/app:1", "ghcr.io-443/acme/app:1"],
    ["ghcr.io/library/app", "ghcr.io/library/app:latest"],
    ["localhost", "localhost:latest"],
    ["library", "library:latest"],
    ["myapp:V1.0_x-y", "myapp:V1.0_x-y"],
    [`myapp:dev@${digest}`, "myapp:dev"],
  ] as const)("%s goes to %s", ([name, place]) => {
    expect(destination(name)).toBe(place);
  });

  test("what a name became stays the same when it is pushed again", () => {
    // Docker knows no address with an underscore, and takes what has a dot for one.
    const part = fc.stringMatching(/^[a-z0-9]{1,6}(?:(?:\.|-{1,2})[a-z0-9]{1,4}){0,2}$/);
    const domain = fc.oneof(
      fc.constantFrom("docker.io", "index.docker.io", "library", "localhost", "localhost:5000"),
      fc.tuple(part, fc.constantFrom("", ".io", ":443")).map((parts) => parts.join("")),
    );
    const name = fc
      .tuple(fc.array(domain, { maxLength: 1 }), fc.array(part, { minLength: 1, maxLength: 3 }))
      .map(([domains, path]) => [...domains, ...path].join("/"));
    const tag = fc.stringMatching(/^\w[\w.-]{0,8}$/);
    fc.assert(
      fc.property(name, tag, (path, suffix) => {
        const once = destination(`${path}:${suffix}`);
        expect(destination(once)).toBe(once);
        expect(destination(`localhost:5000/${once}`)).toBe(once);
        expect(isRepository(once.slice(0, once.lastIndexOf(":")))).toBe(true);
      }),
    );
  });
});

test("a name taken apart is what it was put together from, and a pull reference leads back to its place", () => {
  const part = fc.stringMatching(/^[a-z0-9]{1,6}(?:(?:_|__|-{1,3})[a-z0-9]{1,4}){0,2}$/);
  const option = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
  const names = fc.record({
    domain: option(
      fc.oneof(
        fc.constantFrom("localhost", "[::1]:5000", "[fe80::1]", "10.0.0.1:80", "GHCR.io"),
        fc.stringMatching(/^[a-z0-9]{1,5}(?:-[a-z]{1,3})?(?:\.[a-z]{2,3}|:\d{1,5})$/),
      ),
    ),
    path: fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/")),
    tag: option(fc.stringMatching(/^\w[\w.-]{0,127}$/)),
    digest: option(fc.stringMatching(/^sha256:[0-9a-f]{64}$|^sha512:[0-9a-f]{128}$/)),
  });
  fc.assert(
    fc.property(
      names,
      fc.constantFrom("localhost:5000", "127.0.0.1:32000"),
      (name, pullAddress) => {
        const { domain, path, tag, digest } = name;
        const tagged = `${path}${tag === undefined ? "" : `:${tag}`}`;
        const text = `${domain === undefined ? "" : `${domain}/`}${tagged}`;
        expect(parseReference(`${text}${digest === undefined ? "" : `@${digest}`}`)).toEqual(name);
        // Without a domain that could not be a part of a path.
        const place = destination(tagged, { pullAddress });
        const pullRef = `${pullAddress}/${place}@sha256:${hex}`;
        expect(destination(pullRef, { pullAddress })).toBe(place);
      },
    ),
  );
});

describe("an image without a name of its own in the argument", () => {
  const names = ["first:v1", "acme/other:v2"];

  test.for([hex, digest, hex.slice(0, 12), "3f"])(
    "the id %s takes the image's first name",
    (id) => {
      expect(destination(id, { id: digest, names })).toBe("first:v1");
    },
  );

  test("a digest takes the name of the same repository, else the first", () => {
    expect(destination(`acme/other@${digest}`, { names })).toBe("acme/other:v2");
    expect(destination(`ghcr.io/gone@${digest}`, { names })).toBe("first:v1");
  });

  test("hex that is the image's name is its name", () => {
    expect(isIdOf("cafe", `sha256:cafe${"0".repeat(60)}`, ["localhost/cafe:latest"])).toBe(false);
    expect(
      destination("cafe", { id: `sha256:cafe${"0".repeat(60)}`, names: ["cafe:latest"] }),
    ).toBe("cafe:latest");
  });

  test.for([hex, digest, `acme/app@${digest}`])(
    "%s of an image without names needs one",
    (reference) => {
      const ask = () => destination(reference, { id: digest });
      if (reference.includes("@"))
        expect(ask).toThrow(expect.objectContaining({ code: "NAME_NEEDED" }));
      else
        expect(ask).toThrow(
          expect.objectContaining({ code: "NAME_NEEDED", hint: "add --name NAME[:TAG]" }),
        );
    },
  );

  test("an archive takes the name that is in it", () => {
    expect(destination("", { reference: undefined, names: ["localhost/app:v1"] })).toBe("app:v1");
    expect(() => destination("", { reference: undefined })).toThrow(
      expect.objectContaining({ code: "NAME_NEEDED" }),
    );
  });
});

describe("--name", () => {
  test.for([
    ["app", "app:latest"],
    ["team/app:v2", "team/app:v2"],
    ["localhost:5000/app:v2", "app:v2"],
  ] as const)("%s goes to %s", ([name, place]) => {
    expect(destination("[::1]:5000/x", { name })).toBe(place);
  });

  test("has no digest", () => {
    expect(() => destination("x", { name: `app@${digest}` })).toThrow(
      expect.objectContaining({ code: "BAD_REFERENCE" }),
    );
  });
});

describe("a name that cannot be pushed says why", () => {
  test.for([
    ["", "is empty"],
    ["a".repeat(300), "longer than the 255 characters"],
    [`${"a/".repeat(124)}abcdef`, "longer than the 255 characters"], // with the pull address in front
    ["MyApp:dev", "lower-case"],
    ["ghcr.io/Acme/app", "lower-case"],
    ["GHCR.io/acme/app", '"GHCR.io" is no valid part'],
    ["[::1]:5000/x", '"[::1]:5000" is no valid part'],
    ["my app", "is no image name"],
    ["my..app", "is no image name"],
    ["app/", "is no image name"],
    ["/app//x", "is no image name"],
    ["my_.host:5000/app", "is no registry address"],
    ["app:", "the tag after the colon is empty"],
    ["app:-x", '"-x" is no valid tag'],
    [`app:${"t".repeat(129)}`, "is no valid tag"],
    ["app@sha256:12", "no digest"],
    ["app\u001b[31m:x", "is no image name"],
  ] as const)("%j: %s", ([name, why]) => {
    const refused = (error: unknown) => {
      expect(error).toMatchObject({ code: "BAD_REFERENCE", exitCode: 2 });
      expect(String(error)).toContain(why);
      expect(String(error)).not.toContain("\u001b");
    };
    try {
      destination(name);
      expect.unreachable();
    } catch (error) {
      refused(error);
    }
  });

  test("and offers the lower-case spelling", () => {
    expect(() => parseReference("ghcr.io/Acme/App:Dev")).toThrow(
      expect.objectContaining({ hint: "did you mean ghcr.io/acme/app:Dev?" }),
    );
  });

  test("any text is parsed or refused in plain words, and nothing but names enters a path", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
        try {
          expect(destination(text)).toMatch(/^[a-z0-9._/-]+:[\w.-]+$/);
        } catch (error) {
          expect(error).toMatchObject({ name: "KpushError" });
        }
      }),
    );
  });

  test("a tag alone", () => {
    expect(checkTag("v1")).toBe("v1");
    expect(() => checkTag("v 1")).toThrow(expect.objectContaining({ code: "BAD_REFERENCE" }));
  });
});

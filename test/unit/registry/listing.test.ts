import { expect, test } from "vitest";
import { repositoriesOf, tagsOf } from "../../../src/registry/listing.ts";

const body = (document: unknown) => Buffer.from(JSON.stringify(document));

test("of a catalog only names of repositories are taken", () => {
  const repositories = ["app", "user/app", "../etc", "User/App", 1, "a b"];
  expect(repositoriesOf(body({ repositories }))).toEqual(["app", "user/app"]);
});

test("of a list of tags only tags are taken", () => {
  expect(tagsOf(body({ name: "app", tags: ["1", "v2.0-rc_1", "../x", "", null] }))).toEqual([
    "1",
    "v2.0-rc_1",
  ]);
});

test.for([
  ["no JSON", "<html>"],
  ["null", "null"],
  ["no list", '{"tags":null}'],
])("what is %s has no names", ([, answer = ""]) => {
  expect(tagsOf(Buffer.from(answer))).toEqual([]);
});

import { load } from "js-yaml";
import { describe, expect, test } from "vitest";
import {
  parseRegistryConfig,
  registryConfigText,
} from "../../../src/install/render/registry-config.ts";

const textWith = (text: string) => registryConfigText(parseRegistryConfig(text));
const configWith = (text: string) => load(textWith(text));

describe("kpush's own configuration", () => {
  test("is this", () => {
    expect(load(registryConfigText({}))).toEqual({
      version: 0.1,
      log: { level: "info", accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: "/var/lib/registry" },
        delete: { enabled: true },
        maintenance: {
          uploadpurging: { enabled: true, age: "24h", interval: "6h", dryrun: false },
        },
      },
      http: {
        addr: ":5000",
        relativeurls: true,
        draintimeout: "20s",
        headers: { "X-Content-Type-Options": ["nosniff"] },
      },
      health: { storagedriver: { enabled: true, interval: "10s", threshold: 3 } },
      catalog: { maxentries: 1000 },
      tags: { maxtags: 1000 },
      validation: { manifests: { indexes: { platforms: "none" } } },
    });
  });

  test.for(["", "# nothing\n", "version: 0.1\n", "version: '0.1'\n"])(
    "stays as it is written down, with %j",
    (text) => {
      expect(textWith(text)).toBe(registryConfigText({}));
      expect(textWith(text)).toContain("# No cache");
    },
  );
});

describe("the user's", () => {
  test("is merged into it, mapping by mapping", () => {
    const text = `
      log: { level: debug }
      storage: { delete: { enabled: false }, tag: { concurrencylimit: 4 } }
      http: { headers: { X-Robots-Tag: [none] } }
    `;
    expect(configWith(text)).toMatchObject({
      log: { level: "debug", accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: "/var/lib/registry" },
        delete: { enabled: false },
        tag: { concurrencylimit: 4 },
      },
      http: {
        addr: ":5000",
        headers: { "X-Content-Type-Options": ["nosniff"], "X-Robots-Tag": ["none"] },
      },
    });
  });

  test("replaces lists and values as a whole", () => {
    const text = "http: {headers: {X-Content-Type-Options: []}, draintimeout: 5s}";
    expect(configWith(text)).toMatchObject({
      http: { headers: { "X-Content-Type-Options": [] }, draintimeout: "5s" },
    });
  });

  test("takes nothing away by saying nothing", () => {
    expect(configWith("storage:\nhttp:\n  relativeurls:\n")).toEqual(load(registryConfigText({})));
  });

  test("may have sections that ours lacks", () => {
    const notifications = { endpoints: [{ name: "hook", url: "http://hook.ci:8080" }] };
    expect(configWith(JSON.stringify({ notifications }))).toMatchObject({ notifications });
  });

  test("may open the debug server on loopback", () => {
    const debug = { addr: "127.0.0.1:5001", prometheus: { enabled: true } };
    expect(configWith(JSON.stringify({ http: { debug } }))).toMatchObject({ http: { debug } });
  });
});

test.for([
  ["a: b: c", "not valid YAML"],
  ["log: {level: info}\nlog: {level: debug}", "duplicated mapping key"],
  ["- log", "must be a mapping"],
  ["just text", "must be a mapping"],
  ["http: yes", "http must be a mapping"],
  ["notifications: [a]", "notifications must be a mapping"],
  ["storage: {delete: true}", "storage.delete must be a mapping"],
  ["validation: {manifests: {indexes: none}}", "validation.manifests.indexes must be a mapping"],
  ["version: 0.2", "version 0.1"],
  ["htpp: {}", "htpp is no setting"],
  ["http: {relativeurl: true}", "http.relativeurl is no setting"],
  ["storage: {swift: {}}", "storage.swift is no setting"],
  ["storage: {cache: {blobdescriptor: inmemory}}", "storage.cache cannot be set: garbage"],
  ["redis: {addrs: [redis:6379]}", "redis cannot be set: garbage"],
  ["storage: {s3: {region: eu}}", "storage.s3 cannot be set: kpush keeps images on a volume"],
  ["storage: {gcs: {}}", "storage.gcs cannot be set"],
  ["storage: {azure: {}}", "storage.azure cannot be set"],
  ["storage: {inmemory: }", "storage.inmemory cannot be set"],
  ["storage: {filesystem: {rootdirectory: /data}}", "rootdirectory is /var/lib/registry"],
  ["auth: {htpasswd: {realm: x, path: /x}}", "auth cannot be set: nodes pull without a login"],
  ["proxy: {remoteurl: https://registry-1.docker.io}", "proxy cannot be set"],
  ["loglevel: debug", "loglevel cannot be set"],
  ["http: {addr: ':5001'}", "http.addr cannot be set"],
  ["http: {addr: ':5000'}", "http.addr cannot be set"],
  ["http: {net: unix}", "http.net cannot be set"],
  ["http: {host: https://registry.example}", "http.host cannot be set"],
  ["http: {prefix: /registry/}", "http.prefix cannot be set"],
  ["http: {secret: asecret}", "http.secret cannot be set: it is in the Secret"],
  ["http: {tls: {certificate: /c, key: /k}}", "http.tls cannot be set"],
  ["http: {debug: {addr: ':5001'}}", "http.debug.addr must be on loopback"],
  ["http: {debug: {prometheus: {enabled: true}}}", "http.debug.addr must be on loopback"],
  ['"\\u001b[2J": {}', "is no setting"],
] as const)("%j is refused: %s", ([text, message]) => {
  expect(() => parseRegistryConfig(text)).toThrow(
    expect.objectContaining({
      code: "USAGE",
      message: expect.stringContaining(message) as string,
      hint: expect.any(String) as string,
    }),
  );
});

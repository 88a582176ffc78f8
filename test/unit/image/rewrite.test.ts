import { expect, test } from "vitest";
import { digestOf } from "../../../src/image/digest.ts";
import { layerTypes, mediaTypes } from "../../../src/image/manifest.ts";
import { rewriteImage, type StoredLayer } from "../../../src/image/rewrite.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

function documentOf(json: { mediaType: string }, indent?: number) {
  const bytes = Buffer.from(JSON.stringify(json, null, indent));
  return { digest: digestOf(bytes), mediaType: json.mediaType, bytes };
}

const docker = {
  schemaVersion: 2,
  mediaType: mediaTypes.dockerManifest,
  config: { mediaType: mediaTypes.dockerConfig, digest: digest("c"), size: 9 },
  layers: [
    { mediaType: mediaTypes.dockerLayer, digest: digest("a"), size: 100 },
    { mediaType: mediaTypes.dockerLayer, digest: digest("b"), size: 200 },
  ],
};
const oci = {
  ...docker,
  mediaType: mediaTypes.ociManifest,
  config: { ...docker.config, mediaType: mediaTypes.ociConfig },
  layers: [{ mediaType: layerTypes.oci.gzip, digest: digest("a"), size: 100, annotations: {} }],
};
const packed = (packing: "gzip" | "zstd"): [string, StoredLayer] => [
  digest("b"),
  { digest: digest("f"), size: 50, packing },
];
const read = ({ bytes }: { bytes: Buffer }) => JSON.parse(bytes.toString()) as typeof docker;

test("what needs no change keeps its very bytes, spaces and all", () => {
  const document = documentOf(docker, 3);
  expect(rewriteImage([document], new Map())).toEqual([document]);
  expect(rewriteImage([document], new Map(), "docker")).toEqual([document]);
});

test("a layer that lies there packed is named as that; config and other layers stay", () => {
  const [made] = rewriteImage([documentOf(docker)], new Map([packed("gzip")]));
  expect(read(made)).toEqual({
    ...docker,
    layers: [
      docker.layers[0],
      { mediaType: mediaTypes.dockerGzipLayer, digest: digest("f"), size: 50 },
    ],
  });
  expect(made).toMatchObject({
    mediaType: mediaTypes.dockerManifest,
    digest: digestOf(made.bytes),
  });
});

test("a layer in zstd makes the manifest OCI's, as Docker's types know none", () => {
  const [made] = rewriteImage([documentOf(docker)], new Map([packed("zstd")]));
  expect(made.mediaType).toBe(mediaTypes.ociManifest);
  expect(read(made)).toMatchObject({
    mediaType: mediaTypes.ociManifest,
    config: { ...docker.config, mediaType: mediaTypes.ociConfig },
    layers: [{ mediaType: layerTypes.oci.none }, { mediaType: layerTypes.oci.zstd }],
  });
});

test("an index follows its manifests, and so does what is attested of them", () => {
  const manifest = documentOf(oci);
  const index = documentOf({
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [
      {
        mediaType: manifest.mediaType,
        digest: manifest.digest,
        size: manifest.bytes.length,
        platform: { os: "linux", architecture: "arm64" },
      },
      {
        mediaType: mediaTypes.ociManifest,
        digest: digest("e"),
        size: 3,
        annotations: { "vnd.docker.reference.digest": manifest.digest },
      },
    ],
  } as { mediaType: string });
  const [child, top] = rewriteImage([manifest, index], new Map(), "docker");
  expect(read(child)).toMatchObject({
    mediaType: mediaTypes.dockerManifest,
    config: { mediaType: mediaTypes.dockerConfig },
    layers: [{ mediaType: mediaTypes.dockerGzipLayer, digest: digest("a") }],
  });
  expect(top && read(top)).toMatchObject({
    mediaType: mediaTypes.dockerList,
    manifests: [
      { digest: child.digest, size: child.bytes.length, platform: { architecture: "arm64" } },
      { digest: digest("e"), annotations: { "vnd.docker.reference.digest": child.digest } },
    ],
  });
  expect(rewriteImage([manifest, index], new Map())).toEqual([manifest, index]);
});

test("a layer of a kind that kpush does not know stays what it is", () => {
  const strange = { ...oci, layers: [{ ...oci.layers[0], mediaType: "application/wasm" }] };
  const [made] = rewriteImage([documentOf(strange)], new Map(), "docker");
  expect(read(made).layers).toEqual(strange.layers);
});

import type { IncomingMessage } from "node:http";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { loadAll } from "js-yaml";
import type { KubeObject } from "../../src/cluster/objects.ts";
import type { Surroundings } from "../../src/cluster/types.ts";
import { mapping } from "../../src/cluster/values.ts";
import { runningPod } from "../../src/demo/pods.ts";
import type { KpushEvent } from "../../src/events.ts";
import { digestOf } from "../../src/image/digest.ts";
import { install, type InstallContext } from "../../src/install/install.ts";
import type { InstallOptions, InstallRun } from "../../src/install/types.ts";
import type { InstallResult } from "../../src/results.ts";
import { kubeStore, type KubeStore } from "./kube-store.ts";
import { nodeNamed, pulled } from "./kubelet.ts";
import { startWorld, type World } from "./world.ts";

const namespace = "kube-system";
const apps = "apps/v1";
const repository = "user/app";
const claimName = "kube-registry-pvc";

/** A cluster of two nodes with the old addon, whose volume holds one image that root wrote. */
export interface AddonWorld extends AsyncDisposable {
  world: World;
  store: KubeStore;
  events: KpushEvent[];
  /** Lets users other than root write to the volume too. */
  isOpen: boolean;
  /** Sees each thing that is about to be written, to the cluster or to the registry; true refuses it. */
  onWrite: ((what: string) => boolean) | undefined;
  /** From now on the API server refuses everything. */
  isDown: boolean;
  replace(
    options?: InstallOptions & InstallRun,
    context?: Partial<InstallContext>,
  ): Promise<InstallResult>;
  warnings(): string[];
  /** All objects but pods, as a person would compare them. */
  state(): Record<string, unknown>;
  /** Whether a node could pull the old image, as far as what runs tells. */
  servesOldImage(): boolean;
}

/** The objects of the manifests that were in use: a ReplicationController on a claim, and proxies. */
export function addonObjects(): KubeObject[] {
  const labels = { "k8s-app": "kube-registry", version: "v0" };
  const container = {
    ...{ name: "registry", image: "registry:2" },
    volumeMounts: [{ name: "image-store", mountPath: "/var/lib/registry" }],
    ports: [{ containerPort: 5000, name: "registry", protocol: "TCP" }],
  };
  const proxy = {
    ...{ name: "kube-registry-proxy", image: "haproxy" },
    ports: [{ name: "registry", containerPort: 8080, hostPort: 5000 }],
  };
  const proxyLabels = { "k8s-app": "kube-registry-proxy" };
  const named = (name: string) => ({ name, namespace });
  const volume = { name: "image-store", persistentVolumeClaim: { claimName } };
  const maps = [{ name: "config", configMap: { name: "kube-registry-proxy" } }];
  return [
    {
      ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: named(claimName) },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "20Gi" } } },
      status: { phase: "Bound" },
    },
    {
      ...{ apiVersion: "v1", kind: "ReplicationController", metadata: named("kube-registry-v0") },
      spec: {
        ...{ replicas: 1, selector: labels },
        template: { metadata: { labels }, spec: { containers: [container], volumes: [volume] } },
      },
    },
    {
      ...{ apiVersion: "v1", kind: "Service", metadata: named("kube-registry") },
      spec: {
        selector: { "k8s-app": "kube-registry" },
        ports: [{ name: "registry", port: 5000, targetPort: "registry" }],
      },
    },
    { apiVersion: "v1", kind: "ConfigMap", metadata: named("kube-registry-proxy"), data: {} },
    {
      ...{ apiVersion: apps, kind: "DaemonSet", metadata: named("kube-registry-proxy") },
      spec: {
        selector: { matchLabels: proxyLabels },
        template: {
          metadata: { labels: proxyLabels },
          spec: { containers: [proxy], volumes: maps },
        },
      },
    },
  ];
}

/** The objects of `docs/manifests/old-registry.yaml`. */
export function newerAddonObjects(): KubeObject[] {
  const file = new URL("../../docs/manifests/old-registry.yaml", import.meta.url);
  return loadAll(readFileSync(file, "utf8")) as KubeObject[];
}

export async function addonWorld(objects = addonObjects()): Promise<AddonWorld> {
  const world = await startWorld();
  const { api, registry } = world;
  api.pods = [];
  const store = kubeStore(api);
  for (const node of ["node1", "node2"]) store.put(nodeNamed(node));
  for (const object of objects) runWorkload(store, store.put(object));
  store.onChange = (type, object) => {
    if (type === "deleted") stopWorkload(store, object);
    else runWorkload(store, object);
  };
  await putImage(world);

  const serve = api.onRequest;
  api.onRequest = (request, response) => {
    const isReal = request.method !== "GET" && !request.url?.includes("dryRun=All");
    const isReview = request.url?.includes("reviews") === true;
    const refused = isReal && !isReview && here.onWrite?.(titleOf(request)) === true;
    if (!refused && !here.isDown) return serve?.(request, response) ?? false;
    request.resume();
    response.writeHead(500, { "content-type": "application/json" });
    response.end(JSON.stringify({ kind: "Status", message: "etcdserver: request timed out" }));
    return true;
  };
  registry.onRequest = (request, response) => {
    const { method = "", url = "" } = request;
    if (url.startsWith("/v2/_catalog")) {
      const names = [...registry.store.repositories.keys()];
      response.end(JSON.stringify({ repositories: names }));
      return true;
    }
    const isWrite = method !== "GET" && method !== "HEAD";
    const isDenied = isWrite && !here.isOpen && userOf(store) !== 0;
    const isRefused = isWrite && here.onWrite?.(titleOf(request)) === true;
    if (!isDenied && !isRefused) return false;
    const message = isDenied ? "mkdir /var/lib/registry/docker: permission denied" : "no";
    request.resume();
    response.writeHead(isDenied ? 500 : 400, { "content-type": "application/json" });
    response.end(JSON.stringify({ errors: [{ code: "UNKNOWN", message }] }));
    return true;
  };

  const events: KpushEvent[] = [];
  const here: AddonWorld = {
    ...{ world, store, events, isOpen: false, onWrite: undefined, isDown: false },
    replace: (options = {}, context = {}) =>
      install(
        { replaceAddon: true, ...options },
        {
          ...{ surroundings: surroundingsOf(world), signal: new AbortController().signal },
          report: (event) => void events.push(event),
          ...context,
        },
      ),
    warnings: () => events.flatMap((event) => (event.type === "warning" ? [event.message] : [])),
    state: () => Object.fromEntries(store.objects.filter(isKept).map(comparable)),
    servesOldImage() {
      const serving = api.pods.some(({ metadata }) => metadata.name.includes("registry-"));
      const held = registry.store.repository(repository).tags.has("1");
      return (
        serving && held && store.find("PersistentVolumeClaim", claimName, namespace) !== undefined
      );
    },
    [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
  };
  return here;
}

const titleOf = ({ method, url = "" }: IncomingMessage) =>
  `${method ?? ""} ${url.split("?", 1)[0]?.split("/").slice(-2).join("/") ?? ""}`;

const isKept = ({ kind }: KubeObject) => kind !== "Pod" && kind !== "Namespace" && kind !== "Node";

/** Without what differs from run to run. */
function comparable({ kind, metadata, spec, data }: KubeObject): [string, unknown] {
  const { name, labels, annotations } = metadata;
  const notes = Object.entries(annotations ?? {}).filter(([key]) => key !== "kpush.dev/proved");
  const title = `${kind} ${metadata.namespace ?? ""}/${name}`;
  return [
    title,
    { labels, annotations: Object.fromEntries(notes), spec, data: kind === "Secret" ? "" : data },
  ];
}

const userOf = (store: KubeStore) => {
  const deployment = store.find("Deployment", "kpush-registry", namespace);
  const { template } = mapping(deployment?.["spec"]);
  return mapping(mapping(mapping(template)["spec"])["securityContext"])["runAsUser"];
};

/** What controllers and kubelets make of an object: a status, and pods. */
function runWorkload(store: KubeStore, object: KubeObject): void {
  const { kind, metadata } = object;
  if (kind === "Pod" && !object["status"]) store.put({ ...object, status: pulled });
  const template = mapping(mapping(object["spec"])["template"]);
  const labels = mapping(mapping(template["metadata"])["labels"]) as Record<string, string>;
  const observedGeneration = metadata.generation;
  if (kind === "DaemonSet") {
    const nodes = { desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2 };
    store.put({ ...object, status: { observedGeneration, ...nodes } });
  }
  if (kind !== "Deployment" && kind !== "ReplicationController") return;
  const { replicas = 1 } = mapping(object["spec"]);
  const counts = { replicas, updatedReplicas: replicas, availableReplicas: replicas };
  store.put({ ...object, status: { observedGeneration, ...counts } });
  stopWorkload(store, object);
  if (replicas === 0) return;
  const pod = runningPod({ namespace, name: `${metadata.name}-registry-1`, labels });
  const owner = { kind: kind === "Deployment" ? "ReplicaSet" : kind, name: metadata.name };
  const uid = `${metadata.name}-${String(metadata.generation)}`;
  const own = { uid, ownerReferences: [{ ...owner, controller: true }] };
  store.put({
    ...{ apiVersion: "v1", kind: "Pod", ...pod },
    metadata: { ...pod.metadata, ...own },
  });
}

function stopWorkload(store: KubeStore, { kind, metadata }: KubeObject): void {
  if (kind === "Deployment" || kind === "ReplicationController")
    store.remove("Pod", `${metadata.name}-registry-1`, namespace);
}

async function putImage({ registry }: World): Promise<void> {
  const upload = async (bytes: Buffer, mediaType: string) => {
    const digest = digestOf(bytes);
    const path = `${registry.url}/v2/${repository}/blobs/uploads/`;
    const begun = await fetch(path, { method: "POST" });
    const url = `${begun.headers.get("location") ?? ""}?digest=${digest}`;
    await fetch(new URL(url, registry.url), { method: "PUT", body: new Uint8Array(bytes) });
    return { mediaType, digest, size: bytes.length };
  };
  const type = "application/vnd.oci.image";
  const manifest = {
    ...{ schemaVersion: 2, mediaType: `${type}.manifest.v1+json` },
    config: await upload(Buffer.from("{}"), `${type}.config.v1+json`),
    layers: [await upload(gzipSync("layer"), `${type}.layer.v1.tar+gzip`)],
  };
  const put = await fetch(`${registry.url}/v2/${repository}/manifests/1`, {
    method: "PUT",
    headers: { "content-type": manifest.mediaType },
    body: JSON.stringify(manifest),
  });
  if (put.status !== 201) throw new Error(`the image was not taken: ${await put.text()}`);
}

function surroundingsOf({ env, home }: World): Surroundings {
  const rest = { platform: "linux", pluginStdin: "ignore", pluginStderr: () => undefined } as const;
  return { env, home, cwd: home, ...rest };
}

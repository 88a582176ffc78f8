import type { KubeObject } from "../../cluster/objects.ts";
import { annotations, names, pullAddressOf } from "../names.ts";
import type { InstallSettings, Storage } from "../types.ts";
import { manifest, type ConfigMap, type Workload } from "./manifests.ts";
import { setPods } from "./pods.ts";
import { registryConfigText } from "./registry-config.ts";

/** The registry's ConfigMap. */
export function registryConfigMap({ config }: InstallSettings): ConfigMap {
  const map = manifest("registryConfig") as ConfigMap;
  return { ...map, data: { "config.yml": registryConfigText(config) } };
}

/** The claim; undefined where the storage is none of kpush's. */
export function registryClaim({ storage }: InstallSettings): KubeObject | undefined {
  if (storage.kind !== "pvc") return undefined;
  const claim = manifest("registryData") as KubeObject & { spec: object };
  Object.assign(claim.spec, {
    resources: { requests: { storage: storage.size } },
    ...(storage.storageClass !== undefined && { storageClassName: storage.storageClass }),
  });
  return claim;
}

/** The registry itself. */
export function registryDeployment(settings: InstallSettings): KubeObject {
  const deployment = manifest("registry") as Workload;
  const { metadata, spec } = deployment.spec.template;
  setPods(deployment, settings.image, registryConfigText(settings.config), settings);
  metadata.annotations[annotations.pullAddress] = pullAddressOf(settings);
  const [config] = spec.volumes;
  spec.volumes = [config, { name: "data", ...volumeOf(settings.storage) }];
  setUser(deployment, settings.runAsUser);
  return deployment;
}

function volumeOf(storage: Storage): object {
  switch (storage.kind) {
    case "pvc":
      return { persistentVolumeClaim: { claimName: names.registryData } };
    case "claim":
      return { persistentVolumeClaim: { claimName: storage.name } };
    case "emptydir":
      return { emptyDir: storage.size === undefined ? {} : { sizeLimit: storage.size } };
  }
}

function setUser({ spec: { template } }: Workload, user: number): void {
  const { securityContext, containers } = template.spec;
  Object.assign(securityContext, { runAsUser: user, runAsGroup: user, fsGroup: user });
  if (user !== 0) return;
  securityContext["runAsNonRoot"] = false;
  // Without it, root may not even write beside what another user has written.
  containers[0].securityContext.capabilities.add = ["DAC_OVERRIDE"];
}

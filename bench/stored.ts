import { kubectl } from "../test/e2e/support/kubectl.ts";

/** Bytes of all blobs of the registry in kube-system. */
export async function storedBytes(): Promise<number> {
  const pods = await kubectl([
    ...["get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-registry"],
    ...["--field-selector=status.phase=Running", "-o", "name"],
  ]);
  const [pod = ""] = pods.split("\n");
  const blobs = "/var/lib/registry/docker/registry/v2/blobs";
  const size = await kubectl(["exec", "-n", "kube-system", pod, "--", "du", "-sk", blobs]).catch(
    () => "0", // nothing was pushed yet
  );
  return Number.parseInt(size, 10) * 1024;
}

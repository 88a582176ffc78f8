import { expect, test } from "vitest";
import { addonWorld, type AddonWorld } from "../fakes/old-addon.ts";

const claim = "PersistentVolumeClaim kube-system/kube-registry-pvc";
const rc = "ReplicationController kube-system/kube-registry-v0";
const steps = ({ events }: AddonWorld, label: string) =>
  events.flatMap((event) => (event.type === "step" && event.label === label ? [event.text] : []));

test("the addon is replaced: its claim, its port and its Service stay, the rest goes", async () => {
  await using cluster = await addonWorld();
  const result = await cluster.replace();
  expect(result).toMatchObject({
    ...{ namespace: "kube-system", pullAddress: "localhost:5000" },
    provedNodes: ["node1", "node2"],
  });
  console.log(cluster.events.filter(e=>e.type!=="debug"));
  console.log(Object.keys(cluster.state()));
});

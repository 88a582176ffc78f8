import type { KubeObject } from "../../cluster/objects.ts";
import { list, mapping, text } from "../../cluster/values.ts";
import { plain } from "../../image/text.ts";
import { labels, ownLabels } from "../names.ts";

/** What one pod of a proof is made from. */
export interface ProofPod {
  namespace: string;
  name: string;
  node: string;
  /** Reference that the node pulls by. */
  image: string;
  tag: string;
  /** After which the kubelet gives up, should nobody delete the pod. */
  seconds: number;
}

/** Label that all pods of one proof have; its value is the tag. */
export const proofLabel = "kpush.dev/proof";

/**
 * A pod that has its node pull the image. It is placed by name, past the scheduler, runs where
 * nothing else may, and passes Pod Security `restricted`.
 */
export function proofPod({ namespace, name, node, image, tag, seconds }: ProofPod): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace,
      labels: {
        [labels.name]: "kpush-proof",
        [labels.component]: "proof",
        ...ownLabels,
        [proofLabel]: tag,
        "sidecar.istio.io/inject": "false",
      },
      annotations: { "linkerd.io/inject": "disabled" },
    },
    spec: {
      nodeName: node,
      restartPolicy: "Never",
      activeDeadlineSeconds: seconds,
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      tolerations: [{ operator: "Exists" }],
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 65532,
        runAsGroup: 65532,
        seccompProfile: { type: "RuntimeDefault" },
      },
      containers: [
        {
          name: "proof",
          image,
          imagePullPolicy: "Always",
          // Quotas may ask for all four. A runtime needs some memory to start even this.
          resources: {
            requests: { cpu: "1m", memory: "8Mi" },
            limits: { cpu: "100m", memory: "32Mi" },
          },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ["ALL"] },
          },
        },
      ],
    },
  };
}

/** How far a node is: `refused` is a pod that the node itself does not take, e.g. as it is full. */
export interface Pull {
  state: "pulled" | "failed" | "refused" | "waiting";
  /** In the kubelet's words, safe to show. */
  why: string;
}

/** Reasons of the kubelet for an image that it did not get (kubernetes pkg/kubelet/images/types.go). */
const pullReasons = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "RegistryUnavailable",
  "ErrImageNeverPull",
  "InvalidImageName",
  "ImageInspectError",
  "SignatureValidationFailed",
]);

/** What kubelet and containerd put in front of the cause, with the image's name again and again. */
const preamble =
  /^(?:(?:Back-off pulling image "[^"]*": ErrImagePull|rpc error: code = \w+ desc|failed to (?:pull and unpack|resolve) (?:image|reference)(?: "[^"]*")?|failed to do request)(?:: | = ))+/;

/** Reasons that come before an image is asked for. */
const earlyReasons = new Set(["", "ContainerCreating", "PodInitializing"]);

/**
 * Reads from a pod's status whether the image was pulled. That the container then cannot run changes
 * nothing about it.
 */
export function pullOf(pod: KubeObject): Pull {
  const status = mapping(pod["status"]);
  const container = mapping(list(status["containerStatuses"])[0]);
  const { waiting, running, terminated } = mapping(container["state"]);
  const reason = text(mapping(waiting)["reason"]) ?? "";
  const said = plain(text(mapping(waiting)["message"]) ?? reason, 1000);
  if (pullReasons.has(reason)) return { state: "failed", why: said.replace(preamble, "") };
  const begun = running !== undefined || terminated !== undefined || !earlyReasons.has(reason);
  if (begun || text(container["imageID"]) !== undefined) return { state: "pulled", why: "" };
  if (status["phase"] === "Failed") return { state: "refused", why: endOf(status) };
  return { state: "waiting", why: said || plain(text(status["phase"]) ?? "Pending", 100) };
}

function endOf({ reason, message }: Record<string, unknown>): string {
  const words = [text(reason), text(message)].filter((word) => word !== undefined);
  return plain(words.join(": "), 300) || "its pod failed";
}

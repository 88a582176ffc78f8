/** As much of a Kubernetes Pod as the embedded API server looks at; the rest is passed through. */
export interface Pod {
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    labels?: Record<string, string>;
    creationTimestamp?: string;
    [field: string]: unknown;
  };
  spec: Record<string, unknown>;
  status: Record<string, unknown>;
}

/** A Running, Ready pod with one container, for demos and tests. */
export function runningPod(pod: {
  namespace: string;
  name: string;
  uid?: string;
  labels?: Record<string, string>;
  /** Container port, named `registry`. */
  port?: number;
  created?: string;
}): Pod {
  const { namespace, name, labels = {}, port = 5000 } = pod;
  const created = pod.created ?? "2024-01-01T00:00:00Z";
  return {
    metadata: {
      name,
      namespace,
      uid: pod.uid ?? `uid-${name}`,
      labels,
      creationTimestamp: created,
    },
    spec: {
      nodeName: "node1",
      containers: [
        {
          name: "registry",
          image: "registry:3",
          ports: [{ name: "registry", containerPort: port, protocol: "TCP" }],
        },
      ],
    },
    status: {
      phase: "Running",
      startTime: created,
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [
        {
          name: "registry",
          ready: true,
          restartCount: 0,
          state: { running: { startedAt: created } },
        },
      ],
    },
  };
}

/**
 * Whether labels meet a selector: comma-separated `key`, `!key`, `key=value`, `key==value`,
 * `key!=value`, `key in (a,b)`, `key notin (a,b)`; as in the Kubernetes documentation of labels.
 *
 * @returns undefined where the selector cannot be read
 */
export function matchesSelector(
  labels: Readonly<Record<string, string>>,
  selector: string,
): boolean | undefined {
  // A comma inside parentheses separates values, not requirements.
  const requirements = selector.split(/,(?![^(]*\))/).map((text) => text.trim());
  let matches = true;
  for (const requirement of requirements) {
    if (requirement === "") continue;
    const met = meets(labels, requirement);
    if (met === undefined) return undefined;
    matches &&= met;
  }
  return matches;
}

function meets(labels: Readonly<Record<string, string>>, requirement: string): boolean | undefined {
  const exists = /^(!?)\s*([\w./-]+)$/.exec(requirement);
  if (exists) return (labels[exists[2] ?? ""] !== undefined) === (exists[1] === "");

  const equal = /^([\w./-]+)\s*(==?|!=)\s*([\w.-]*)$/.exec(requirement);
  if (equal) return (labels[equal[1] ?? ""] === equal[3]) === (equal[2] !== "!=");

  const inSet = /^([\w./-]+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(requirement);
  if (!inSet) return undefined;
  const values = inSet[3]?.split(",").map((value) => value.trim()) ?? [];
  const label = labels[inSet[1] ?? ""];
  return (label !== undefined && values.includes(label)) === (inSet[2] === "in");
}

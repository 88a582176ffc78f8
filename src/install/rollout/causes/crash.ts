import type { ContainerStatus, Pod } from "../../../cluster/pods.ts";
import { plain } from "../../../image/text.ts";
import type { Cause } from "./cause.ts";
import { partTitle, type Part, type Snapshot } from "../snapshot.ts";

/** That a container ends again and again, with its last words. While it is up in between, too. */
export function crashCause(
  { namespace }: Snapshot,
  part: Part,
  pod: Pod,
  { name, ready, state, lastState, restartCount = 0 }: ContainerStatus,
): Cause | undefined {
  const last = state?.terminated ?? lastState?.terminated;
  if (!last || ready === true || (last.exitCode === 0 && restartCount < 2)) return undefined;
  const node = plain(pod.spec.nodeName ?? "?", 253);
  const words = tellingLine(last.message ?? "");
  const reason =
    last.reason === undefined || last.reason === "Error" ? "" : `, ${plain(last.reason, 60)}`;
  const times = restartCount === 1 ? "1 restart" : `${restartCount} restarts`;
  const logs = `kubectl logs -n ${namespace} ${pod.metadata.name} -c ${plain(name, 63)} --previous`;
  const isTaken = /address already in use|cannot bind socket/i.test(words);
  return {
    key: `${part} ${pod.metadata.name} ${name} crash`,
    patience: "short",
    message: `${isTaken ? `a port that ${partTitle(part)} need on ${node} is in use there` : `${partTitle(part)} keep${part === "registry" ? "s" : ""} crashing on ${node}`} (exit code ${last.exitCode}${reason}, ${times})${words === "" ? "" : `: ${words}`}`,
    hint: isTaken ? `--node-port NUMBER takes another port; ${logs}` : logs,
  };
}

/** Of the end of a log, the line that says why: usage or a stack trace may follow it. */
function tellingLine(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  const telling = lines.find((line) =>
    /\b(error|fatal|panic|alert|cannot|denied|failed)\b/i.test(line),
  );
  return plain(telling ?? lines.at(-1) ?? "", 400);
}

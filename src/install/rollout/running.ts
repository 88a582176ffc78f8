import { isRunning } from "../../cluster/pods.ts";
import { podsOfPart, type Part, type Snapshot } from "./snapshot.ts";
import type { PartState } from "./state.ts";

/** Whether all pods that are wanted run, ready or not. */
export function allRun(snapshot: Snapshot, states: ReadonlyMap<Part, PartState>): boolean {
  return [...states].every(([part, { wanted }]) => {
    const { current, old } = podsOfPart(snapshot, part);
    return wanted > 0 && old.length === 0 && current.filter(isRunning).length >= wanted;
  });
}

import { stepOf, type HistoryEntry } from "../image/layer-steps.ts";

/** Reads what `GET /images/NAME/history` answers, the newest first; gives the oldest first. Nothing in it is trusted. */
export function readHistory(text: string): HistoryEntry[] {
  const answer: unknown = JSON.parse(text);
  if (!Array.isArray(answer)) return [];
  return answer
    .map((entry: { CreatedBy?: unknown; Size?: unknown } | null): HistoryEntry => {
      const size = entry?.Size;
      return {
        step: stepOf(entry?.CreatedBy),
        size: typeof size === "number" && size > 0 ? size : 0,
      };
    })
    .toReversed();
}

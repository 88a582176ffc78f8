import type { StatusResult } from "../../results.ts";

/** Something that is wrong, with what helps. */
export type Problem = StatusResult["problems"][number];

/** A problem whose hint may not be there. */
export function problem(message: string, hint: string | undefined): Problem {
  return { message, ...(hint !== undefined && { hint }) };
}

import { existsSync, readFileSync } from "node:fs";
import type { Files } from "./endpoint.ts";

/** The real file system, as far as the choice of the engine depends on it. */
export const fileSystem: Files = {
  exists: existsSync,
  read: (path) => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
};

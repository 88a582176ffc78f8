import type { ObjectAction } from "./events.ts";

/** What became of one object of the cluster. */
export interface ObjectResult {
  kind: string;
  namespace?: string;
  name: string;
  action: ObjectAction;
  /** Why it was kept, or recreated, and how to get it back. */
  note?: string;
}

/** What an installation came to; the document of `--json` has it as `install`. */
export interface InstallResult {
  context: string;
  namespace: string;
  /** What nodes put in front of a repository. */
  pullAddress: string;
  objects: ObjectResult[];
  /** Set where nothing was done: `objects` is what would become of them. */
  dryRun?: "client" | "server";
  /** Nodes on which a pull was proved; undefined where no proof was made. */
  provedNodes: string[] | undefined;
  /** Digest that was pushed for the proof and read back. */
  provedDigest: string | undefined;
}

/** What was removed and what was kept; the document of `--json` has it as `uninstall`. */
export interface UninstallResult {
  context: string;
  namespace: string;
  /** Set where nothing was done: `objects` is what would become of them. */
  dryRun?: true;
  objects: ObjectResult[];
}

/** What `kpush status` tells; the document of `--json` has it as `status`. */
export interface StatusResult {
  context: string;
  namespace: string;
  healthy: boolean;
  /** One clause for each thing that is wrong, with what helps. */
  problems: { message: string; hint?: string }[];
  registry: {
    pod: string | undefined;
    ready: boolean;
    image: string | undefined;
    /** Version of the registry or of kpush's manifests, as far as it is known. */
    version: string | undefined;
  };
  /** Bytes; undefined where the cluster does not tell. */
  storage: {
    kind: string;
    claim: string | undefined;
    capacity: string | undefined;
    usedBytes: number | undefined;
    freeBytes: number | undefined;
  };
  /** Undefined where no node proxies are installed. */
  proxies: { node: string; ready: boolean; problem?: string }[] | undefined;
  pullAddress: string;
  /** Subjects bound to the Role `kpush-push`, e.g. `user:jane`; undefined where that may not be seen. */
  mayPush: string[] | undefined;
}

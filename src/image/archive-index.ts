import type { Readable } from "node:stream";
import { KpushError } from "../errors.ts";
import { plain } from "./text.ts";

/** One file of an archive. */
export interface ArchiveEntry {
  /** Bytes. */
  readonly size: number;
  /** Of its content, where that was computed or is promised by its name. */
  readonly digest: string | undefined;
  /** Its first bytes, `limit` at most. */
  head(limit: number): Promise<Buffer>;
  /** Its content from an offset on. A chunk is overwritten after the next two: use it before reading on. */
  open(offset: number): Readable;
}

/** Entries that an archive may have: enough for any image, and a bound for what is remembered. */
const entryLimit = 20_000;
/** Characters of a name, as Linux has it for paths. */
const nameLimit = 4096;
/** Links that lead to one another; Linux gives up at as many. */
const linkLimit = 40;
/** Images, and names of images, that an archive may list. */
const imageLimit = 1000;

/**
 * What an archive holds, by name. The names are looked up and never used as paths: entries that point
 * out of the archive are refused.
 */
export class ArchiveIndex {
  /** How to call the archive in an error, e.g. its path. */
  readonly what: string;
  readonly #entries = new Map<string, ArchiveEntry>();
  readonly #links = new Map<string, string>();

  constructor(what: string) {
    this.what = what;
  }

  /** A later entry of a name replaces an earlier one, as tar has it. */
  add(name: string, entry: ArchiveEntry): void {
    const key = this.#inside(name.split("/"), name);
    this.#links.delete(key);
    this.#entries.set(key, entry);
    this.#checkCount();
  }

  /** @param from - what the target counts from: a symbolic link's directory, or the archive's root for a hard link */
  addLink(name: string, target: string, from: "directory" | "root"): void {
    if (from === "directory" && target.startsWith("/")) throw this.#outside(name);
    const start = from === "directory" ? name.split("/").slice(0, -1) : [];
    const key = this.#inside(name.split("/"), name);
    this.#entries.delete(key);
    this.#links.set(key, this.#inside([...start, ...target.split("/")], name));
    this.#checkCount();
  }

  /**
   * The file of this name, through any links.
   *
   * @throws KpushError `ARCHIVE_INVALID` where links go round in a circle, or have no end
   */
  find(name: string): ArchiveEntry | undefined {
    const seen = new Set<string>();
    let key = this.#inside(name.split("/"), name);
    for (let target = this.#links.get(key); target !== undefined; target = this.#links.get(key)) {
      if (seen.has(key)) throw this.damaged(`the link ${key} leads to itself`);
      seen.add(key);
      if (seen.size > linkLimit)
        throw this.damaged(`${name} is a link to more than ${linkLimit} others`);
      key = target;
    }
    return this.#entries.get(key);
  }

  /** @throws KpushError `ARCHIVE_INVALID` where there is none */
  get(name: string): ArchiveEntry {
    const entry = this.find(name);
    if (entry) return entry;
    throw this.damaged(`${name} is missing`);
  }

  /** The error for this archive. */
  damaged(why: string, cause?: unknown): KpushError {
    return new KpushError(
      "ARCHIVE_INVALID",
      `${plain(this.what, 300)} is damaged: ${plain(why, 300)}`,
      {
        hint: "save or build the image again",
        cause,
      },
    );
  }

  /**
   * Refuses a list that has no end: each image in it is looked at.
   *
   * @param count - of images or names
   */
  checkListed(count: number, where: string): void {
    if (count <= imageLimit) return;
    throw this.damaged(`its ${where} lists more than ${imageLimit} images, which no archive has`);
  }

  #inside(parts: string[], name: string): string {
    if (name.length > nameLimit) throw this.damaged("a name in it has no end");
    const path: string[] = [];
    for (const part of parts) {
      if (part === "" || part === ".") continue;
      if (part !== "..") path.push(part);
      else if (path.pop() === undefined) throw this.#outside(name);
    }
    return path.join("/");
  }

  #outside(name: string): KpushError {
    return this.damaged(`${name} points out of the archive`);
  }

  #checkCount(): void {
    if (this.#entries.size + this.#links.size <= entryLimit) return;
    throw this.damaged(`it has more than ${entryLimit} entries, which no image has`);
  }
}

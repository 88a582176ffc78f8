import { KpushError } from "../errors.ts";
import type { Report } from "../events.ts";
import { openSession, type Session } from "./session.ts";
import type { Context, PushOptions } from "./types.ts";

/** A cluster that the images go to. */
export interface Destination {
  /** Name of its context, where a list of contexts was given. */
  readonly name: string | undefined;
  /** What is reported to it carries the name. */
  readonly context: Context;
  /** The way to its registry. */
  readonly opening: Promise<Session>;
}

/** Disposing it closes all the sessions. */
export interface Destinations extends AsyncDisposable {
  /** In the order of the options. */
  all: readonly Destination[];
  /** Resolves as soon as one of them is reached; else rejects with what kept the first from it. */
  reached: Promise<unknown>;
  /** That reason; undefined until then. */
  readonly lost: unknown;
}

/**
 * Begins to open the registries of all contexts that the options name, each once.
 *
 * @throws KpushError `USAGE` where a list of contexts is empty: none of them is not the current one
 */
export function openDestinations(options: PushOptions, context: Context): Destinations {
  const all = contextsOf(options).map(({ name, chosen }): Destination => {
    const own = name === undefined ? context : { ...context, report: naming(name, context.report) };
    const opening = openSession({ ...options, context: chosen, asksNodes: !options.force }, own);
    // An image that is not there, or a dead engine, must not wait for a cluster that may never answer.
    opening.catch(() => undefined);
    return { name, context: own, opening };
  });
  let lost: unknown;
  const reached = Promise.any(all.map(({ opening }) => opening)).catch((error: unknown) => {
    lost = error instanceof AggregateError ? error.errors[0] : error;
    throw lost;
  });
  reached.catch(() => undefined);
  return {
    all,
    reached,
    get lost() {
      return lost;
    },
    async [Symbol.asyncDispose]() {
      const closing = all.map(async ({ opening }) => (await opening)[Symbol.asyncDispose]());
      await Promise.allSettled(closing);
    },
  };
}

interface ChosenContext {
  name: string | undefined;
  chosen: string | undefined;
}

function contextsOf({ context }: PushOptions): ChosenContext[] {
  if (context === undefined || typeof context === "string")
    return [{ name: undefined, chosen: context }];
  const names = [...new Set(context)];
  if (names.length > 0) return names.map((name) => ({ name, chosen: name }));
  throw new KpushError("USAGE", "the list of contexts is empty", {
    hint: "name one, or leave the option out for the current one",
  });
}

function naming(context: string, report: Report): Report {
  return (event) =>
    report(
      event.type === "done"
        ? { ...event, context, image: { ...event.image, context } }
        : { ...event, context },
    );
}

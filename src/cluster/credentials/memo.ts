import type { Login, LoginSource } from "./login.ts";

/** Logins with a memory: all who ask at once share one call of the source. */
export interface Credentials {
  /** The login to use now; the same object as long as it holds. */
  current(): Promise<Login>;
  /**
   * Gets a new login after a 401.
   *
   * @param refused - the login that was refused: where another one holds by now, nothing is done
   * @returns false where the source has nothing new to offer
   */
  refresh(refused?: Login): Promise<boolean>;
}

/** For so long after a refresh, in ms, one who does not say what was refused gets its outcome. */
const settled = 5_000;
/** A login is renewed this long before its end, in ms, but not in the first half of its life. */
const skew = 30_000;

/** Remembers what the source gave until it runs out. `now` is a clock in ms since 1970. */
export function memoise(source: LoginSource, now: () => number = Date.now): Credentials {
  let held: { login: Login; until: number } | undefined;
  let pending: Promise<Login> | undefined;
  let last: { at: number; brought: boolean } | undefined;

  const ask = (refused?: Login): Promise<Login> => {
    pending ??= source
      .get(refused)
      .then((login) => {
        const kept = held && sameLogin(held.login, login) ? held.login : login;
        held = { login: kept, until: goodUntil(kept, source.maxAge, now()) };
        return kept;
      })
      .finally(() => (pending = undefined));
    return pending;
  };

  return {
    current: () => (held && now() < held.until ? Promise.resolve(held.login) : ask()),
    async refresh(refused) {
      if (!source.renewable) return false;
      const before = held?.login;
      if (refused && before !== refused) return true;
      if (!pending && !refused && last && now() - last.at < settled) return last.brought;
      const brought = (await ask(before)) !== before;
      last = { at: now(), brought };
      return brought;
    },
  };
}

function goodUntil({ expires }: Login, maxAge: number | undefined, now: number): number {
  const renewal =
    expires === undefined ? Infinity : Math.max(now + (expires - now) / 2, expires - skew);
  return Math.min(renewal, maxAge === undefined ? Infinity : now + maxAge);
}

function sameLogin(one: Login, other: Login): boolean {
  const keys = ["token", "username", "password", "certificate", "key"] as const;
  return keys.every((key) => one[key] === other[key]);
}

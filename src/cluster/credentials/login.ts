/** What a request shows to prove who asks; any part may be missing. Never changed once made. */
export interface Login {
  readonly token?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM. */
  readonly certificate?: string | undefined;
  /** PEM. */
  readonly key?: string | undefined;
  /** Milliseconds since 1970 from which it is no longer good; undefined where that is not known. */
  readonly expires?: number | undefined;
}

/** Where logins come from: asked once, then only when the last one ran out or was refused. */
export interface LoginSource {
  /** What the user has to do when the server keeps refusing; a sentence. */
  readonly help: string;
  /** Gets a login; `refused` is the one that a 401 answered. May run a program or ask an issuer. */
  get(refused?: Login): Promise<Login>;
  /** Whether asking again can bring anything new. */
  readonly renewable: boolean;
  /** Milliseconds after which `get` is cheap enough, and due, to be called again. */
  readonly maxAge?: number;
}

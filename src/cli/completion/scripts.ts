import bash from "./scripts/kpush.bash";
import fish from "./scripts/kpush.fish";
import zsh from "./scripts/kpush.zsh";

/** What makes each shell complete kpush's words, to be read by it. */
export const scripts = { bash, zsh, fish } as const;

export type Shell = keyof typeof scripts;

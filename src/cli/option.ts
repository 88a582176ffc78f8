/** Headings of the help texts, in this order. */
export const optionGroups = [
  "Cluster",
  "Registry",
  "Engine",
  "Image",
  "Storage",
  "Nodes",
  "Access",
  "Demo",
  "Run",
  "Output",
] as const;

/** One option of the command line. */
export interface Option {
  group: (typeof optionGroups)[number];
  short?: string;
  /** What its value is called in the help; without one it is a switch. */
  value?: string;
  /** What it means where it is given without its value, which then can only stand behind `=`. */
  bare?: string;
  /** May be given again and again. */
  many?: true;
  /** Environment variable that stands in where the option is not given. */
  variable?: string;
  help: string;
}

/** Kubernetes' suffixes and the factors they stand for. */
const factors: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * What a quantity such as `20Gi` or `1.5e9` comes to, for comparing: exact up to 2^53.
 *
 * @returns undefined for what is no quantity, or a negative one
 */
export function bytesOf(quantity: string): number | undefined {
  const [, digits, exponent, suffix = ""] =
    /^\+?(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d{1,2})|([a-zA-Z]{1,2}))?$/.exec(quantity) ?? [];
  const factor = factors[suffix];
  if (digits === undefined || factor === undefined) return undefined;
  return Number(digits) * factor * 10 ** Number(exponent ?? 0);
}

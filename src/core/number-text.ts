/**
 * Numbers for people.
 */

/** A whole number with commas between thousands. */
export const grouped = (value: number): string => value.toLocaleString('en-US', { maximumFractionDigits: 0 });

/** Seconds to a millisecond, or to three digits below that. */
export const inSeconds = (seconds: number): string => (seconds >= 0.1 ? seconds.toFixed(3) : seconds.toPrecision(3));

/** Bytes in decimal units. */
export function inBytes(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  const [unit, name] = bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB'];
  const value = bytes / (unit as number);
  return `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ${name}`;
}

/** A share in percent: three digits, two below a tenth. */
export const inPercent = (share: number): string => `${(100 * share).toPrecision(share >= 0.1 ? 3 : 2)} %`;

/** An error: two or three digits, in powers of ten. */
export const inPowers = (value: number): string => (value === 0 ? '0' : value.toExponential(2));

/** A number in at most so many significant digits, six unless told, without zeros at its end. */
export const inDigits = (value: number, digits = 6): string => String(Number(value.toPrecision(digits)));

/** The least number of four digits that is at least `value` > 0. */
export function roundedUp(value: number): string {
  const near = Number(value.toPrecision(4));
  if (near >= value) return String(near);
  return String(Number((value * (1 + 1e-3)).toPrecision(4)));
}

/**
 * Damping of a Kronecker product by one shift a side: (A + π√λ I) ⊗ (Γ + (√λ/π)I), π² the mean of A's diagonal over
 * that of Γ's (J. Martens, R. Grosse, ICML 2015, §6.3).
 */
import type { FloatArray } from '../../core/floats.js';

/** The mean of n numbers, one every `step`. */
export function mean(numbers: FloatArray, n = numbers.length, step = 1): number {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += numbers[k * step];
  return sum / n;
}

/** π√λ and √λ/π by the means of both diagonals; π is 1 where one of them is not positive. */
export function factoredShifts(meanA: number, meanG: number, damping: number): readonly [number, number] {
  const root = Math.sqrt(damping);
  const π = meanA > 0 && meanG > 0 ? Math.sqrt(meanA / meanG) : 1;
  return [π * root, root / π];
}

/**
 * How fast a machine does what is not gemm, beside its gemm: choices of `solve` count costs in the flops of gemm.
 */
import { OptionError } from '../core/errors.js';
import { describe } from '../core/kind.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';

/**
 * Time beside that of gemm, relative to the machine that the costs were measured on: 2 where something takes twice as
 * many flops' time as there. Numbers above 0.
 */
export interface MachineRates {
  /** Passes over stored numbers, which wait for memory. */
  readonly memory: number;
  /** Entries of kernels over points. */
  readonly entries: number;
  /** Iterations: passes over vectors. */
  readonly steps: number;
}
/** The keys of {@link MachineRates}. */
const RATES_KEYS: KeysOf<MachineRates> = { memory: 'number', entries: 'number', steps: 'number' };

/** Those of the machine that the costs were measured on: what choices stand on where nobody has calibrated. */
export const USUAL_RATES: MachineRates = { memory: 1, entries: 1, steps: 1 };

/** Throws OptionError unless all of them are finite numbers above 0. */
export function requireRates(given: MachineRates, of: string): MachineRates {
  const rates = requireKnownOptions(given, RATES_KEYS, `rates of ${of}`, '(await calibrate()).rates');
  for (const name of Object.keys(RATES_KEYS) as (keyof MachineRates)[])
    if (!(rates[name] > 0 && rates[name] < Infinity))
      throw new OptionError(
        `rates.${name} must be a number above 0, not ${describe(rates[name])}: calibrate() and hmatrix doctor ` +
          '--calibrate measure them.',
        { option: 'rates', name, value: rates[name] },
      );
  return rates;
}

/**
 * What tells dropout's masks of the parts of a step's batch apart.
 */

/** Steps that keep apart from each other in 32 bits for batches of up to 64 parts, and of up to 4,096. */
const STEPS = 2 ** 26;
const FEWER_STEPS = 2 ** 20;

/** A number for the masks of part `part` of a step; null where nothing is dropped. */
export const maskStep = (step: number | null, part: number): number | null =>
  step === null ? null : step + (part % 64) * STEPS + Math.floor(part / 64) * FEWER_STEPS;

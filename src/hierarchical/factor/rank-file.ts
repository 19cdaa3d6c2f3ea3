/**
 * Factors that several ranks have, for files: put together on the first rank as one process would keep them, and dealt
 * out again.
 */
import { precisionOf, sharedFloats, type FloatArray } from '../../core/floats.js';
import type { Communicator } from '../../distributed/communicator.js';
import { gatherBlocks, ROOT } from '../ranks/gather.js';
import type { FactorEngine, KeptPlaces } from './engine.js';

/** The arrays that one process keeps, on the first rank; empty ones on the others. Collective. */
export function gatherFactors(
  { kept }: Pick<FactorEngine, 'kept'>,
  { lengths, blocks }: KeptPlaces,
  communicator: Communicator,
): FactorEngine['kept'] {
  const gathered = Object.keys(kept).map((name) => {
    const own = kept[name];
    const whole = sharedFloats(communicator.rank === ROOT ? lengths[name] : 0, precisionOf(own));
    const listed = blocks.flatMap((block) =>
      block.name === name && block.counts ? [block.here, block.there, block.length, 0] : [],
    );
    gatherBlocks(listed, own, whole, communicator);
    return [name, whole] as const;
  });
  return Object.fromEntries(gathered);
}

/** What a rank keeps, from the arrays that one process kept: `read` gives them, one at a time. */
export function dealFactors(
  engine: FactorEngine,
  { lengths, blocks }: KeptPlaces,
  read: (name: string, length: number) => FloatArray,
): void {
  for (const [name, own] of Object.entries(engine.kept)) {
    const whole = read(name, lengths[name]);
    for (const block of blocks)
      if (block.name === name) own.set(whole.subarray(block.there, block.there + block.length) as never, block.here);
  }
}

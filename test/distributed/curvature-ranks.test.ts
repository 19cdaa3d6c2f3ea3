/** Curvature on one to four ranks, which are threads here: the same bits, and the same errors. */
import { describe, expect, it } from 'vitest';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';

/** Digests, messages and what is so by name. */
type Found = Readonly<Record<string, string | boolean>>;

const module = new URL('curvature-ranks.mjs', import.meta.url);
const onRanks = (size: number, workers: number): Promise<Found[]> =>
  runOnThreads<object, Found>(size, { module, name: 'curvature', data: { workers } });

describe('ranks that share samples', { timeout: 120_000 }, () => {
  const alone = onRanks(1, 1).then(([found]) => found);

  it('one_has_errors_of_its_own', async () => {
    const found = await alone;
    expect(found['not finite']).toMatch(/^NonFiniteError: Input 2 of sample 18 .* begins with sample 1081 /);
    expect(found['not finite, of layers']).toMatch(/^NonFiniteError: Input 2 of sample 699 is NaN/);
    expect([found['vectors 20'], found['vectors 8']]).toEqual([true, true]);
    const products = Object.values(found).filter((told) => /^[0-9a-f]{40}$/.test(String(told)));
    expect(products.length).toBe(Object.keys(found).length - 4);
  });

  it.each([
    [2, 2],
    [4, 1],
  ])('%i_of_%i_workers_have_the_bits_of_one', async (size, workers) => {
    const [one, several] = await Promise.all([alone, onRanks(size, workers)]);
    expect(several).toHaveLength(size);
    for (const found of several) expect(found).toEqual(one);
  });
});

/** Compressions of one matrix after each other: neighbors and tree are found once, and the bits are those without. */
import { beforeAll, describe, expect, it } from 'vitest';
import { compressEntries } from '#hmatrix/hierarchical/from-entries/compress.js';
import { Leftover } from '#hmatrix/hierarchical/from-entries/leftover.js';
import type { CompressOptions } from '#hmatrix/hierarchical/from-entries/options.js';
import type { Team } from '#hmatrix/parallel/team.js';
import { gaussianSource } from '../support.js';
import { sharedTeam } from '../teams.js';

let team: Team;
beforeAll(async () => {
  team = await sharedTeam(2);
});

describe.each([{}, { leafSize: 64, maxRank: 200 }, { format: 'hodlr' }, { format: 'fmm' }] as CompressOptions[])(
  'what is left over, %o',
  (options) => {
    it('is_used_again_with_the_same_bits', async () => {
      const source = gaussianSource(900, 2, 0.3, team.blas);
      const leftover = new Leftover();
      for (const [k, tolerance] of [1e-2, 1e-5, 1e-8].entries()) {
        const asked = { ...options, tolerance };
        const made = await compressEntries(source, asked, { team }, leftover);
        const alone = await compressEntries(source, asked, { team });
        expect(made.data.values).toEqual(alone.data.values);
        expect(made.data.tree.order).toEqual(alone.data.tree.order);
        if (k > 0) expect(made.report.seconds).toMatchObject({ neighbors: 0 });
        else expect(made.report.seconds).not.toMatchObject({ neighbors: 0 });
      }
    });

    it('is_not_used_for_another_matrix_seed_or_number_of_neighbors', async () => {
      const leftover = new Leftover();
      const source = gaussianSource(400, 2, 0.3, team.blas);
      await compressEntries(source, options, { team }, leftover);
      for (const [of, more] of [
        [gaussianSource(400, 2, 0.7, team.blas), {}],
        [source, { seed: 3 }],
        [source, { neighbors: 8 }],
        [source, { distance: 'angle' }],
      ] as const) {
        const asked = { ...options, ...more };
        const made = await compressEntries(of, asked, { team }, leftover);
        expect(made.data.values).toEqual((await compressEntries(of, asked, { team })).data.values);
      }
    });
  },
);

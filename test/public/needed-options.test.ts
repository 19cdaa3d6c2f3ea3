/**
 * Functions that cannot do without some options show a call that has them; controls that are none are named.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as hmatrix from '#hmatrix/index.js';
import { failureOf, fixtures, SIZE, type Fixtures } from './fixtures.js';

let f: Fixtures;
beforeAll(async () => {
  f = await fixtures();
});
afterAll(async () => {
  await f.team.close();
  await hmatrix.teams.closeDefaultTeam();
});

/** No options, where the compiler asks for some. */
const none = [] as unknown as [never];

describe('options', () => {
  it.each<readonly [string, () => unknown, RegExp]>([
    ['kfac(model).solver()', () => hmatrix.curvature.kfac(f.model).solver(...none), /solver\(\{ damping: 1e-3 \}\)/],
    ['ekfac(model).solver()', () => hmatrix.curvature.ekfac(f.model).solver(...none), /solver\(\{ damping: 1e-3 \}\)/],
    [
      'solver({})',
      () => hmatrix.curvature.kfac(f.model).solver({} as never),
      /option damping of solver.*not undefined/,
    ],
    ['randomizedSvd', () => hmatrix.lowrank.randomizedSvd(f.operator, ...none), /randomizedSvd\(operator, \{ rank/],
    ['nystrom', () => hmatrix.lowrank.nystrom(f.operator, ...none), /nystrom\(operator, \{ rank/],
    ['defineNetwork', () => hmatrix.networks.defineNetwork(...none), /defineNetwork\(\{ widths/],
    [
      'compressOperator',
      () => hmatrix.hierarchical.compressOperator(f.operator, f.tree, ...none),
      /compressOperator\(operator, tree, \{ format/,
    ],
    ['greedyDecode', () => hmatrix.text.greedyDecode(() => [0], 1, ...none), /greedyDecode\(scorer, samples, \{ bos/],
    ['beamSearch', () => hmatrix.text.beamSearch(() => [0], 1, ...none), /beamSearch\(scorer, samples, \{ bos/],
    ['kroneckerSum', () => hmatrix.curvature.kroneckerSum(f.model, ...none), /kroneckerSum\(model, \{ share/],
    [
      'kroneckerHierarchical',
      () => hmatrix.curvature.kroneckerHierarchical(f.model, ...none),
      /kroneckerHierarchical\(model, \{ share/,
    ],
  ])('%s without the options that are needed shows a call that has them', async (_name, call, message) => {
    const failure = await failureOf(call);
    expect(failure).toBeInstanceOf(hmatrix.errors.OptionError);
    expect((failure as Error).message).toMatch(message);
    expect((failure as Error).message).not.toMatch(/\ba undefined/);
  });

  it('take_undefined_for_left_out_and_a_control_with_a_team_where_none_works', async () => {
    const { compress, krylov } = hmatrix;
    const control = { team: undefined, signal: undefined };
    const matrix = await compress(f.source, { leafSize: undefined, tolerance: 1e-3 } as never, control);
    expect(matrix.size).toBe(SIZE);
    const { outcome } = await krylov.extremeEigenvalues(f.operator, {}, { team: f.team } as never);
    expect(outcome).toBe('converged');
    expect((await f.matrix.estimateError(f.source, {}, { team: f.team } as never)).exact).toBe(true);
  });

  it('a_signal_or_callback_or_team_that_is_none_is_named', async () => {
    for (const [control, message] of [
      [{ signal: new AbortController() }, /signal given to compress must be an AbortSignal/],
      [{ onProgress: 3 }, /onProgress of compress must be a function/],
      [{ team: 2 }, /takes a team.*not 2/],
    ] as const) {
      const failure = await failureOf(() => hmatrix.compress(f.source, {}, control as never));
      expect(failure).toBeInstanceOf(hmatrix.errors.OptionError);
      expect((failure as Error).message).toMatch(message);
    }
  });
});

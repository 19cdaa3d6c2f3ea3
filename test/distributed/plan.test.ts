/** Plans of several ranks against what ranks that are threads count and store. */
import { describe, expect, it } from 'vitest';
import { runOnThreads } from '#hmatrix/distributed/threads/start.js';
import type { Traffic, TrafficByPhase } from '#hmatrix/distributed/recorded.js';
import { planRanks, type PlanStage, type RanksPlan } from '#hmatrix/experiment/plan/plan-ranks.js';

interface Counted {
  readonly traffic: TrafficByPhase;
  readonly ranks: readonly { readonly level: number; readonly mean: number }[];
  readonly values: number;
  readonly factors: number;
}

const SETUP = { size: 4096, dimension: 2, rank: 16, leafSize: 64, vectors: 8, neighbors: 32 } as const;
const EXACT: readonly PlanStage[] = ['product', 'factor', 'solve'];
const QUANTITIES = ['messages', 'sentBytes', 'receivedBytes'] as const;

const counted = (ranks: number, precision: 'f64' | 'f32' = 'f64'): Promise<Counted[]> =>
  runOnThreads<object, Counted>(ranks, {
    module: new URL('plan-ranks.mjs', import.meta.url),
    name: 'counts',
    data: { ...SETUP, precision },
  });
const total = (operations: readonly Traffic[], of: (typeof QUANTITIES)[number]): number =>
  operations.reduce((sum, traffic) => sum + traffic[of], 0);
/** The most of any rank. */
const most = (found: readonly Pick<Counted, 'traffic'>[], stage: string, of: (typeof QUANTITIES)[number]): number =>
  Math.max(...found.map(({ traffic }) => total(Object.values(traffic[stage] ?? {}), of)));
const planned = ({ phases }: RanksPlan, stage: PlanStage, of: (typeof QUANTITIES)[number]): number =>
  phases.filter((phase) => phase.stage === stage).reduce((sum, phase) => sum + phase[of], 0);
/** Bytes of the messages between two ranks alone: the interface. */
const interfaceOf = (found: readonly Counted[], phase: string): number =>
  Math.max(...found.map(({ traffic }) => traffic[phase].receive?.receivedBytes ?? 0));

describe('a plan of ranks in equal shares', () => {
  it.each([
    [2, 'f64'],
    [4, 'f64'],
    [8, 'f32'],
    [16, 'f64'],
  ] as const)(
    'of_%i_is_what_they_count_of_messages_and_bytes_and_store_(%s)',
    async (ranks, precision) => {
      const found = await counted(ranks, precision);
      // Every node at the rank limit, as the plan has it.
      expect(found[0].ranks.map(({ mean }) => mean)).toEqual(new Array<number>(6).fill(SETUP.rank));
      const plan = planRanks({ ...SETUP, ranks, workers: 1, dtype: precision, wholePoints: true });
      // In single precision a solve and a product more tell the digits (Factorization.warnOfDigits).
      for (const stage of precision === 'f64' ? EXACT : EXACT.filter((one) => one !== 'factor'))
        for (const of of QUANTITIES)
          expect([stage, of, planned(plan, stage, of)]).toEqual([stage, of, most(found, stage, of)]);
      // Who has neighbors with whom the points decide: from eight ranks on not every one with every other.
      const messages = planned(plan, 'compress', 'messages') / most(found, 'compress', 'messages');
      if (ranks < 8) expect(messages).toBe(1);
      expect(messages).toBeGreaterThanOrEqual(1);
      expect(messages).toBeLessThan(1.1);
      // Parts of so small a search are uneven.
      for (const of of ['sentBytes', 'receivedBytes'] as const)
        expect(Math.abs(planned(plan, 'compress', of) / most(found, 'compress', of) - 1)).toBeLessThan(0.1);
      const bytes = (part: string): number => plan.memory.factor.find((one) => one.part === part)!.bytes;
      expect(Math.max(...found.map(({ values }) => values))).toBe(bytes('blocks'));
      // What the factorization stores beside its factors grows with the nodes alone.
      const nodes = 2 ** (plan.setup.depth + 1) - 1;
      const factors = Math.max(...found.map((one) => one.factors));
      expect(factors).toBeGreaterThanOrEqual(bytes('factors'));
      expect(factors).toBeLessThanOrEqual(bytes('factors') + 40 * (nodes + 1));
      // The interface of a product is no more than the weights that it cannot do without, and log₂P messages.
      expect(interfaceOf(found, 'product')).toBe(plan.interfaceBytes);
      const level = Math.log2(ranks);
      expect(plan.interfaceBytes).toBe(level * SETUP.rank * SETUP.vectors * (precision === 'f64' ? 8 : 4));
      expect(Math.max(...found.map(({ traffic }) => traffic['product'].send!.messages))).toBe(level);
      expect(Math.max(...found.map(({ traffic }) => traffic['solve'].send!.messages))).toBe(level);
      if (precision === 'f64')
        expect(Math.max(...found.map(({ traffic }) => traffic['factor'].send!.messages))).toBe(level);
    },
    60_000,
  );

  it('of_three_which_share_unevenly_is_no_less_than_what_they_count', async () => {
    const found = await counted(3);
    const plan = planRanks({ ...SETUP, ranks: 3, workers: 1 });
    for (const stage of ['product', 'factor', 'solve'] as const)
      for (const of of QUANTITIES) expect(planned(plan, stage, of)).toBeGreaterThanOrEqual(most(found, stage, of));
    for (const stage of ['product', 'solve'] as const)
      expect(planned(plan, stage, 'receivedBytes')).toBeLessThanOrEqual(1.1 * most(found, stage, 'receivedBytes'));
    expect(interfaceOf(found, 'product')).toBeLessThanOrEqual(1.5 * plan.interfaceBytes);
  }, 60_000);
});

describe('a plan of points in parts', () => {
  // Of so few draws as halve lists between two ranks the seed is one that moves about half of them.
  it.each([
    [2, 2, 0],
    [4, 2, 0],
    [2, 6, 3],
    [4, 6, 3],
  ] as const)(
    'on_%i_ranks_in_%i_dimensions_is_what_these_count',
    async (ranks, dimension, seed) => {
      const setup = { ...SETUP, dimension };
      const found = await runOnThreads<object, Pick<Counted, 'traffic'>>(ranks, {
        module: new URL('plan-ranks.mjs', import.meta.url),
        name: 'compressions',
        data: { ...setup, seed },
      });
      const [whole, parts] = [true, false].map((wholePoints) =>
        planRanks({ ...setup, ranks, workers: 1, wholePoints }),
      );
      const near = (plan: number, counted: number): void => {
        expect(Math.abs(plan / counted - 1)).toBeLessThan(0.1);
      };
      for (const [plan, name] of [[whole, 'hss whole'] as const, [parts, 'hss parts'] as const]) {
        expect([name, planned(plan, 'compress', 'messages')]).toEqual([name, most(found, name, 'messages')]);
        for (const of of ['sentBytes', 'receivedBytes'] as const)
          near(planned(plan, 'compress', of), most(found, name, of));
      }
      // What points in parts take more is the same with near blocks, but for points of near leaves, which are few.
      const more = (of: (typeof QUANTITIES)[number]): [number, number] => [
        planned(parts, 'compress', of) - planned(whole, 'compress', of),
        most(found, 'fmm parts', of) - most(found, 'fmm whole', of),
      ];
      const [messages, counted] = more('messages');
      expect(messages).toBe(counted);
      for (const of of ['sentBytes', 'receivedBytes'] as const) near(...more(of));
    },
    60_000,
  );
});

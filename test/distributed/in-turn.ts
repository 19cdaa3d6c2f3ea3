/**
 * Several cases on ranks that are started once: threads take longer to load the library, and to optimise what they run,
 * than small cases take.
 */
import { runOnThreads, type RankProgram } from '#hmatrix/distributed/threads/start.js';

const IN_TURN = new URL('in-turn-ranks.mjs', import.meta.url);

/** What a function of a module of this folder gives, called with a communicator and a case: by case, then by rank. */
export async function runInTurn<D, R>(
  ranks: number,
  program: Omit<RankProgram<D>, 'data'>,
  cases: readonly D[],
): Promise<R[][]> {
  const data = { module: String(program.module), name: program.name, cases };
  const byRank = await runOnThreads<object, R[]>(ranks, { module: IN_TURN, name: 'inTurn', data });
  if (byRank.length !== ranks || byRank.some((found) => found.length !== cases.length))
    throw new Error(
      `${cases.length} cases on ${ranks} ranks were given ${byRank.map(({ length }) => length).join(', ')}.`,
    );
  return cases.map((_, k) => byRank.map((found) => found[k]));
}

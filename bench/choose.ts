/**
 * One system of bench/choose-cases.ts in a process of its own: `node dist/bench/choose.js NAME [CANDIDATE …]` solves it
 * with every candidate of the grid, or with those named alone, and then with `auto`, and prints one JSON line.
 * One worker, and processor seconds, which a shared machine changes less than the clock; products and λ are ready
 * beforehand. A candidate that takes twice as long as the best so far is stopped. The best ones and `auto` run again
 * when everything is warm, and the shortest time of each counts.
 */
import { AbortedError, HmatrixError } from '../src/core/errors.js';
import { uniformPoints } from '../datasets/points.js';
import { Team } from '../src/parallel/team.js';
import type { PreconditionerOptions } from '../src/solve/preconditioners/kind.js';
import type { PreconditionerName } from '../src/solve/preconditioners/table.js';
import { solveSystem } from '../src/solve/solve.js';
import { entryOperator } from '../src/source/entry-operator.js';
import { kernelSource } from '../src/source/kernel-source.js';
import { matern32 } from '../src/source/kernels/named.js';
import { randomVectors } from '../src/experiment/compression-run.js';
import { CHOOSE_CASES } from './choose-cases.js';
import { openSystem, type ChooseSystem } from './choose-systems.js';
import { rounded } from './record.js';

/** What came of one way to solve. */
export interface ChooseRow {
  readonly candidate: string;
  /** Processor seconds of one worker. */
  readonly seconds: number;
  /** As `solve` says; 'stopped' where it took too long, 'unavailable' where it cannot be made. */
  readonly outcome: string;
  readonly iterations: number;
}

/** Of `auto`, with its choice and its reason. */
export interface AutoRow extends Omit<ChooseRow, 'candidate'> {
  readonly chose: string;
  readonly reason: string;
}

export interface ChooseResult {
  readonly name: string;
  readonly size: number;
  readonly shift: number;
  readonly blas: string;
  /** Those that were tried in this run; the shortest time of each. */
  readonly grid: readonly ChooseRow[];
  readonly auto: AutoRow;
}

interface Tried {
  readonly label: string;
  readonly preconditioner: PreconditionerName | 'auto';
  readonly making: PreconditionerOptions;
}

const TOLERANCES = [1e-1, 1e-2, 1e-4, 1e-6, 1e-8, 1e-10];
const LEAVES = [64, 128, 256];
const RANKS = [16, 64, 128, 256, 512];
const SHARES = [0.005, 0.02, 0.05];
/** Up to this order the whole grid is run; beyond it the neighbours of what is best at leaves of 128. */
const WHOLE_GRID = 2500;
/** From this order on some of them, the cheapest first. */
const FEW_GRID = 8000;
/** A candidate is stopped beyond so many times the best one's time and a moment; `auto` beyond so many times. */
const CAP = 2;
const MOMENT = 0.02;
const AUTO_CAP = 20;
const LONGEST = 120;
/** Runs that take so many seconds are not repeated. */
const LONG = 4;
/** How many of the best are run again, how often, and how often where that takes a moment. */
const AGAIN = 3;
const REPEATS = 2;
const SHORT_REPEATS = 6;
const SHORT = 0.06;

const processor = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const hierarchical = (name: 'hss' | 'hodlr', tolerance: number, leafSize: number): Tried => ({
  label: `${name} ${tolerance.toExponential(0)} leaf ${leafSize}`,
  preconditioner: name,
  making: { tolerance, leafSize },
});
const of = (preconditioner: PreconditionerName, making: PreconditionerOptions = {}, text = ''): Tried => ({
  label: `${preconditioner}${text}`,
  preconditioner,
  making,
});

/** All of the grid but hierarchical matrices of kernels. */
function plain({ operator: { rows }, source, network }: ChooseSystem): Tried[] {
  const ranks = RANKS.filter((rank) => rank === RANKS[0] || 4 * rank <= rows);
  return [
    ...(network ? [of('dual'), of('kfac'), of('ekfac')] : []),
    ...(rows <= 8192 ? [of('cholesky')] : []),
    of('none'),
    of('jacobi'),
    of('block-jacobi'),
    ...ranks.map((rank) => of('nystrom', { rank }, ` ${rank}`)),
    ...(source === undefined ? SHARES.map((share) => of('hss', { share }, ` share ${share}`)) : []),
  ];
}

class Grid {
  readonly rows = new Map<string, ChooseRow>();
  readonly #system: ChooseSystem;
  readonly #team: Team;

  constructor(system: ChooseSystem, team: Team) {
    this.#system = system;
    this.#team = team;
  }

  get best(): ChooseRow | undefined {
    return this.sorted()[0];
  }

  /** Those that converged, the fastest first. */
  sorted(): ChooseRow[] {
    return [...this.rows.values()]
      .filter(({ outcome }) => outcome === 'converged')
      .sort((a, b) => a.seconds - b.seconds);
  }

  /** Solves once, and stops after so many seconds. */
  async solve({ preconditioner, making }: Tried, most: number): Promise<Omit<AutoRow, 'candidate'>> {
    const { operator, source, b, shift } = this.#system;
    const began = processor();
    const seconds = (): number => rounded(processor() - began);
    const signal = {
      get aborted(): boolean {
        return processor() - began > most;
      },
    };
    const nothing = { iterations: 0, chose: '', reason: '' };
    try {
      const options = { shift, source, preconditioner, making };
      const solved = await solveSystem(operator, b, options, { team: this.#team, signal });
      const { outcome, iterations, reason, preconditioner: used } = solved;
      const told = outcome === 'aborted' ? 'stopped' : outcome;
      return { seconds: seconds(), outcome: told, iterations, chose: used.name, reason };
    } catch (error) {
      if (!(error instanceof HmatrixError)) throw error;
      const outcome = error instanceof AbortedError ? 'stopped' : 'unavailable';
      return { ...nothing, seconds: seconds(), outcome, reason: error.message };
    }
  }

  /** Tries one; the shortest time of those that converged is kept. */
  async run(tried: Tried): Promise<void> {
    const { seconds: least = Infinity } = this.best ?? {};
    const { seconds, outcome, iterations } = await this.solve(tried, Math.min(LONGEST, CAP * least + MOMENT));
    const before = this.rows.get(tried.label);
    if (before?.outcome === 'converged' && (outcome !== 'converged' || before.seconds <= seconds)) return;
    this.rows.set(tried.label, { candidate: tried.label, seconds, outcome, iterations });
  }
}

/** What a large system is solved with: each is stopped at twice the best time so far. */
function few({ operator: { rows, flops }, network }: ChooseSystem): Tried[] {
  const sketches = [64, 256].map((rank) => of('nystrom', { rank }, ` ${rank}`));
  if (network) return [of('kfac'), of('none'), ...sketches, of('hss', { share: 0.02 }, ' share 0.02')];
  const trees = [1e-2, 1e-4, 1e-6].flatMap((t) => [256, 128].map((leaf) => hierarchical('hss', t, leaf)));
  const plainly = [of('none'), of('jacobi')];
  const cheap = flops !== undefined && flops(1) < rows ** 2;
  return cheap
    ? [...plainly, ...sketches, ...trees]
    : [...sketches, ...(rows <= 8192 ? [of('cholesky')] : []), ...trees, ...plainly];
}

/** Every candidate of the grid, or a descent along its axes where the system is large. */
async function runGrid(grid: Grid, system: ChooseSystem): Promise<Tried[]> {
  if (system.operator.rows >= FEW_GRID) {
    const tried = few(system);
    for (const one of tried) await grid.run(one);
    return tried;
  }
  const all = plain(system);
  const go = async (tried: readonly Tried[]): Promise<void> => {
    for (const one of tried) {
      if (grid.rows.has(one.label)) continue;
      all.push(one);
      await grid.run(one);
    }
  };
  const [...first] = all;
  for (const one of first) await grid.run(one);
  if (system.network) {
    if (system.operator.rows <= WHOLE_GRID)
      await go([1e-1, 1e-3].map((tolerance) => hierarchical('hodlr', tolerance, 64)));
    return all;
  }
  if (system.operator.rows <= WHOLE_GRID) {
    await go(
      LEAVES.flatMap((leaf) =>
        TOLERANCES.flatMap((t) => (['hss', 'hodlr'] as const).map((name) => hierarchical(name, t, leaf))),
      ),
    );
    return all;
  }
  await go(TOLERANCES.map((t) => hierarchical('hss', t, 128)));
  const fastest = TOLERANCES.map((_, k) => k)
    .filter((k) => grid.rows.get(hierarchical('hss', TOLERANCES[k], 128).label)?.outcome === 'converged')
    .sort((a, b) => {
      const at = (k: number): number => grid.rows.get(hierarchical('hss', TOLERANCES[k], 128).label)!.seconds;
      return at(a) - at(b);
    })
    .slice(0, 2);
  for (const k of fastest) await go([hierarchical('hss', TOLERANCES[k], 256), hierarchical('hss', TOLERANCES[k], 64)]);
  for (const k of fastest) await go(LEAVES.map((leaf) => hierarchical('hodlr', TOLERANCES[k], leaf)));
  return all;
}

/** Compiles what the candidates run, on a small system. */
async function warmUp(team: Team): Promise<void> {
  const source = kernelSource(uniformPoints(600, 2, 5), matern32(0.3), { blas: team.blas });
  const operator = await entryOperator(source, {}, { team });
  const small = new Grid({ operator, source, b: randomVectors(600, 1, 2), shift: 0.1, network: false }, team);
  for (let k = 0; k < 3; k++)
    for (const one of [of('nystrom', { rank: 64 }), hierarchical('hss', 1e-4, 64), hierarchical('hodlr', 1e-4, 64)])
      await small.solve(one, LONGEST);
  operator.release();
}

const [name, ...only] = process.argv.slice(2);
const chosen = CHOOSE_CASES.find((one) => one.name === name);
if (chosen === undefined)
  throw new Error(`No system is called "${name}"; there are ${CHOOSE_CASES.map((one) => one.name).join('; ')}.`);
const team = await Team.open({ workers: 1 });
const system = await openSystem(chosen, { team });
await warmUp(team);
const grid = new Grid(system, team);
const parse = (label: string): Tried => {
  const [kind, value, , leaf] = label.split(' ');
  const preconditioner = kind as PreconditionerName;
  if (kind === 'nystrom') return of('nystrom', { rank: Number(value) }, ` ${value}`);
  if (value === 'share')
    return of(preconditioner, { share: Number(label.split(' ')[2]) }, ` share ${label.split(' ')[2]}`);
  return value === undefined ? of(preconditioner) : hierarchical(kind as 'hss', Number(value), Number(leaf));
};
if (only.length === 0) await runGrid(grid, system);
else for (const label of only) await grid.run(parse(label));
const again = grid.sorted().slice(0, AGAIN);
const repeats = (seconds: number): number => (seconds < SHORT ? SHORT_REPEATS : seconds < LONG ? REPEATS : 0);
for (const { candidate, seconds } of again) for (let k = 0; k < repeats(seconds); k++) await grid.run(parse(candidate));
const auto: Tried = { label: 'auto', preconditioner: 'auto', making: {} };
const limit = Math.min(LONGEST, AUTO_CAP * (grid.best?.seconds ?? LONGEST) + 1);
let best = await grid.solve(auto, limit);
for (let k = 0; k < repeats(best.seconds); k++) {
  const one = await grid.solve(auto, limit);
  if (one.seconds < best.seconds || best.outcome !== 'converged') best = one;
}
const result: ChooseResult = {
  name: chosen.name,
  size: system.operator.rows,
  shift: rounded(system.shift),
  blas: team.blas.description,
  grid: [...grid.rows.values()],
  auto: best,
};
console.log(JSON.stringify(result));
await team.close();

/**
 * Schedules: the factor of the learning rate over a run. t is the number of steps made, e of whole epochs, p ∈ [0, 1]
 * the share of the run that is done, whichever of its limits (epochs, steps, seconds) comes first.
 *
 *   constant      1
 *   step          γ^⌊e/k⌋
 *   exponential   γᵉ
 *   time          1/(1 + ke)
 *   cosine        m + (1 − m)(1 + cos πp)/2           (I. Loshchilov, F. Hutter, ICLR 2017)
 *   warm-up       min(1, (t + 1)/s), times another schedule
 *   one-cycle     from a up to 1 by a cosine while p ≤ r, then down to b by another (L. Smith, N. Topin, 2018)
 *   cyclic        m + (1 − m)·(1 − |t/s − 2c + 1|)·h, c = ⌊1 + t/2s⌋, h = 1, 2^{1−c} or γᵗ (L. Smith, WACV 2017)
 */
import { requireNonNegative, requirePositive, requireShare, requireWhole } from '../core/checks.js';
import { OptionError } from '../core/errors.js';
import { requireKnownOptions, type KeysOf } from '../core/known-options.js';
import { describe } from '../core/kind.js';
import type { Schedule, ScheduleTime } from './train-options.js';
import type { Setting } from './optimizer.js';

const schedule = (
  name: string,
  settings: Readonly<Record<string, Setting>>,
  factor: (at: ScheduleTime) => number,
): Schedule => ({ name, settings, factor });

/** The rate stays as it is. */
export const constantSchedule = (): Schedule => schedule('constant', {}, () => 1);

/** How the counted time is told. */
type Unit = 'epoch' | 'step';
const timeOf = ({ epoch, step }: ScheduleTime, per: Unit): number => (per === 'epoch' ? epoch : step);

function requireUnit(per: Unit, of: string): Unit {
  if (per !== 'epoch' && per !== 'step')
    throw new OptionError(`per of ${of} is 'epoch' or 'step', not ${describe(per)}.`, { per });
  return per;
}

function requireFactor(value: number, name: string): number {
  if (requirePositive(value, name) > 1)
    throw new OptionError(`${name} must be at most 1, not ${describe(value)}.`, { [name]: value });
  return value;
}

/** Options of {@link stepSchedule}. */
export interface StepScheduleOptions {
  /** k: epochs, or steps, between two reductions. */
  readonly every: number;
  /** γ, above 0 and at most 1. Default 0.1. */
  readonly factor?: number | undefined;
  /** What is counted. Default 'epoch'. */
  readonly per?: 'epoch' | 'step' | undefined;
}
const STEP_KEYS: KeysOf<StepScheduleOptions> = { every: 'number', factor: 'number', per: true };

/** γ^⌊e/k⌋. Throws OptionError. */
export function stepSchedule(options: StepScheduleOptions): Schedule {
  const { every, factor = 0.1, per = 'epoch' } = requireKnownOptions(options, STEP_KEYS, 'stepSchedule');
  requireWhole(every, 'every', 1);
  requireFactor(factor, 'factor');
  requireUnit(per, 'stepSchedule');
  return schedule('step', { every, factor, per }, (at) => factor ** Math.floor(timeOf(at, per) / every));
}

/** Options of {@link exponentialSchedule}. */
export interface ExponentialScheduleOptions {
  /** γ, above 0 and at most 1. */
  readonly factor: number;
  /** What is counted. Default 'epoch'. */
  readonly per?: 'epoch' | 'step' | undefined;
}
const EXPONENTIAL_KEYS: KeysOf<ExponentialScheduleOptions> = { factor: 'number', per: true };

/** γᵉ. Throws OptionError. */
export function exponentialSchedule(options: ExponentialScheduleOptions): Schedule {
  const { factor, per = 'epoch' } = requireKnownOptions(options, EXPONENTIAL_KEYS, 'exponentialSchedule');
  requireFactor(factor, 'factor');
  requireUnit(per, 'exponentialSchedule');
  return schedule('exponential', { factor, per }, (at) => factor ** timeOf(at, per));
}

/** Options of {@link timeSchedule}. */
export interface TimeScheduleOptions {
  /** k, at least 0. */
  readonly decay: number;
  /** What is counted. Default 'epoch'. */
  readonly per?: 'epoch' | 'step' | undefined;
}
const TIME_KEYS: KeysOf<TimeScheduleOptions> = { decay: 'number', per: true };

/** 1/(1 + ke). Throws OptionError. */
export function timeSchedule(options: TimeScheduleOptions): Schedule {
  const { decay, per = 'epoch' } = requireKnownOptions(options, TIME_KEYS, 'timeSchedule');
  requireNonNegative(decay, 'decay');
  requireUnit(per, 'timeSchedule');
  return schedule('time', { decay, per }, (at) => 1 / (1 + decay * timeOf(at, per)));
}

/** From `from` at t = 0 to `to` at t = 1 by half a cosine. */
const anneal = (from: number, to: number, t: number): number => to + ((from - to) * (1 + Math.cos(Math.PI * t))) / 2;

/** Options of {@link cosineSchedule}. */
export interface CosineScheduleOptions {
  /** m: the factor at the end, from 0 to 1. Default 0. */
  readonly least?: number | undefined;
}
const COSINE_KEYS: KeysOf<CosineScheduleOptions> = { least: 'number' };

/** From 1 down to m by half a cosine over the run. Throws OptionError. */
export function cosineSchedule(options: CosineScheduleOptions = {}): Schedule {
  const { least = 0 } = requireKnownOptions(options, COSINE_KEYS, 'cosineSchedule');
  requireShare(least, 'least');
  return schedule('cosine', { least }, ({ progress }) => anneal(1, least, progress));
}

function requireSchedule(given: unknown, of: string): Schedule {
  if (typeof (given as Schedule | null | undefined)?.factor !== 'function')
    throw new OptionError(`${of} takes a schedule, as cosineSchedule() makes it, not ${describe(given)}.`, { of });
  return given as Schedule;
}

/** Options of {@link warmUpSchedule}. */
export interface WarmUpScheduleOptions {
  /** s: steps until the whole rate. */
  readonly steps: number;
  /** What it multiplies. Default constant. */
  readonly then?: Schedule | undefined;
}
const WARM_UP_KEYS: KeysOf<WarmUpScheduleOptions> = { steps: 'number', then: true };

/** min(1, (t + 1)/s) times another schedule. Throws OptionError. */
export function warmUpSchedule(options: WarmUpScheduleOptions): Schedule {
  const { steps, then = constantSchedule() } = requireKnownOptions(options, WARM_UP_KEYS, 'warmUpSchedule');
  requireWhole(steps, 'steps', 1);
  requireSchedule(then, 'warmUpSchedule');
  return schedule(
    'warm-up',
    { steps, ...nested('then', then) },
    (at) => Math.min(1, (at.step + 1) / steps) * then.factor(at),
  );
}

/** Name and settings of a schedule within another one. */
const nested = (prefix: string, { name, settings }: Schedule): Record<string, Setting> => ({
  [prefix]: name,
  ...Object.fromEntries(Object.entries(settings).map(([key, value]) => [`${prefix}.${key}`, value])),
});

/** Options of {@link oneCycleSchedule}. */
export interface OneCycleScheduleOptions {
  /** r: the share of the run in which the rate rises, above 0 and below 1. Default 0.3. */
  readonly rise?: number | undefined;
  /** a: the factor at the beginning. Default 1/25. */
  readonly first?: number | undefined;
  /** b: the factor at the end. Default 1/250000. */
  readonly last?: number | undefined;
}
const ONE_CYCLE_KEYS: KeysOf<OneCycleScheduleOptions> = { rise: 'number', first: 'number', last: 'number' };

/** From a up to 1, then down to b; the optimizer's rate is the largest. Throws OptionError. */
export function oneCycleSchedule(options: OneCycleScheduleOptions = {}): Schedule {
  const {
    rise = 0.3,
    first = 1 / 25,
    last = 1 / 250000,
  } = requireKnownOptions(options, ONE_CYCLE_KEYS, 'oneCycleSchedule');
  if (!(rise > 0 && rise < 1)) throw new OptionError(`rise must lie between 0 and 1, not ${describe(rise)}.`, { rise });
  requireShare(first, 'first');
  requireShare(last, 'last');
  return schedule('one-cycle', { rise, first, last }, ({ progress }) =>
    progress <= rise ? anneal(first, 1, progress / rise) : anneal(1, last, (progress - rise) / (1 - rise)),
  );
}

/** How the height of a cycle falls. */
export type CyclicMode = 'triangular' | 'triangular2' | 'exp_range';
const MODES: Readonly<Record<CyclicMode, (cycle: number, step: number, gamma: number) => number>> = {
  triangular: () => 1,
  triangular2: (cycle) => 2 ** (1 - cycle),
  exp_range: (_cycle, step, gamma) => gamma ** step,
};

/** Options of {@link cyclicSchedule}. */
export interface CyclicScheduleOptions {
  /** s: steps of half a cycle. */
  readonly steps: number;
  /** m: the least factor, from 0 to 1. Default 0.1. */
  readonly least?: number | undefined;
  /** h: 'triangular' (default) 1, 'triangular2' 2^{1−c}, 'exp_range' γᵗ. */
  readonly mode?: CyclicMode | undefined;
  /** γ of 'exp_range'. Default 0.9999. */
  readonly gamma?: number | undefined;
}
const CYCLIC_KEYS: KeysOf<CyclicScheduleOptions> = { steps: 'number', least: 'number', mode: true, gamma: 'number' };

/** Triangles between m and 1; the optimizer's rate is the largest. Throws OptionError. */
export function cyclicSchedule(options: CyclicScheduleOptions): Schedule {
  const {
    steps,
    least = 0.1,
    mode = 'triangular',
    gamma = 0.9999,
  } = requireKnownOptions(options, CYCLIC_KEYS, 'cyclicSchedule');
  requireWhole(steps, 'steps', 1);
  requireShare(least, 'least');
  requireFactor(gamma, 'gamma');
  if (!Object.hasOwn(MODES, mode))
    throw new OptionError(`mode of cyclicSchedule is one of ${Object.keys(MODES).join(', ')}, not ${describe(mode)}.`, {
      mode,
    });
  const height = MODES[mode];
  return schedule('cyclic', { steps, least, mode, gamma }, ({ step }) => {
    const cycle = Math.floor(1 + step / (2 * steps));
    const x = Math.abs(step / steps - 2 * cycle + 1);
    return least + (1 - least) * Math.max(0, 1 - x) * height(cycle, step, gamma);
  });
}

/** One of several schedules, and for how many steps. */
export interface ScheduleStretch {
  readonly schedule: Schedule;
  /** Steps that it lasts; of the last one, left out. */
  readonly steps?: number | undefined;
}
const STRETCH_KEYS: KeysOf<ScheduleStretch> = { schedule: true, steps: 'number' };

/**
 * One schedule after the other. Each sees t counted from its own beginning, and p over its own steps (of the last one
 * over the rest of the run); e is that of the run. Throws OptionError.
 */
export function joinedSchedules(stretches: readonly ScheduleStretch[]): Schedule {
  if (!Array.isArray(stretches) || stretches.length === 0)
    throw new OptionError(
      `joinedSchedules takes an array of { schedule, steps }, the last one without steps, not ${describe(stretches)}.`,
    );
  const last = stretches.length - 1;
  const begins = [0];
  stretches.forEach((stretch, k) => {
    const { schedule: given, steps } = requireKnownOptions<ScheduleStretch>(
      stretch,
      STRETCH_KEYS,
      `stretch ${k} of joinedSchedules`,
    );
    requireSchedule(given, `stretch ${k} of joinedSchedules`);
    if (k < last) begins.push(begins[k] + requireWhole(steps ?? Number.NaN, `steps of stretch ${k}`, 1));
    else if (steps !== undefined)
      throw new OptionError('The last stretch of joinedSchedules lasts to the end: leave out its steps.', { steps });
  });
  const settings = stretches.flatMap(({ schedule: given, steps }, k) => [
    ...Object.entries(nested(`${k}`, given)),
    ...(steps === undefined ? [] : [[`${k}.lasts`, steps] as const]),
  ]);
  return schedule('joined', Object.fromEntries(settings), (at) => {
    let k = last;
    while (at.step < begins[k]) k--;
    const step = at.step - begins[k];
    return stretches[k].schedule.factor({
      epoch: at.epoch,
      step,
      progress: progressWithin(at, begins[k], stretches[k]),
    });
  });
}

/** p of a stretch that began at step `begin`. */
function progressWithin({ step, progress }: ScheduleTime, begin: number, { steps }: ScheduleStretch): number {
  if (steps !== undefined) return (step - begin) / steps;
  if (begin === 0) return progress;
  // The run's steps as the share that is done tells them.
  const before = (begin * progress) / step;
  return before < 1 ? (progress - before) / (1 - before) : 1;
}
